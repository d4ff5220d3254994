"""Feedback over HTTP: for one's own calls, the newest word counts, per model."""

from typing import Any

import httpx
import pytest
from django.db import OperationalError

from accounts import audit, gateway_keys
from accounts.tenancy import tenant_scope
from routing import feedback
from routing.models import Feedback
from tests.factories.accounts import TenantFactory, issue_gateway_key
from tests.journeys.conftest import MESSAGES, Caller

MODEL = "groq/llama-3.3-70b-versatile"


def called(caller: Caller) -> httpx.Response:
    with caller.gateway.client(caller.test_key) as http:
        sent = {"model": MODEL, "messages": MESSAGES}
        return http.post("/v1/chat/completions", json=sent)


def say(caller: Caller, key: str = "", **word: Any) -> httpx.Response:
    with caller.gateway.client(key or caller.test_key) as http:
        return http.post("/v1/feedback", json=word)


def kept(caller: Caller) -> list[tuple[float, str, list[str]]]:
    with tenant_scope(caller.tenant.pk):
        rows = Feedback.objects.for_tenant(caller.tenant)
        return [(row.score, row.comment, row.tags) for row in rows]


def test_the_newest_word_on_a_call_counts_and_is_counted_per_model(caller: Caller) -> None:
    answer = called(caller)
    call = answer.headers["x-flo2-call-id"]
    assert say(caller, call_id=call, score=-1, comment="no").status_code == 200

    told = say(caller, call_id=answer.json()["id"], score=0.5, tags=["ok"])

    assert told.status_code == 200
    assert told.json()["data"]["call_id"] == call
    assert kept(caller) == [(0.5, "", ["ok"])]
    with tenant_scope(caller.tenant.pk):
        key = gateway_keys.issue_management_key(caller.tenant, name="ops", actor=audit.SYSTEM)
    with caller.gateway.client(key.reveal()) as http:
        listed = http.get("/api/v1/reports/feedback?mode=test")
    provider, _, model = MODEL.partition("/")
    assert listed.status_code == 200, listed.text
    assert listed.json()["results"] == [
        {"provider": provider, "model": model, "scores": 1, "mean_score": 0.5}
    ]


def test_a_strangers_call_is_as_unknown_as_no_call_at_all(caller: Caller) -> None:
    call = called(caller).headers["x-flo2-call-id"]
    stranger = TenantFactory.create()
    with tenant_scope(stranger.pk):
        key = issue_gateway_key(stranger, mode="test").text.reveal()

    foreign = say(caller, key, call_id=call, score=1)
    unknown = say(caller, key, call_id="call_" + "0" * 22, score=1)

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["error"]["message"] == unknown.json()["error"]["message"]
    assert not kept(caller)


def test_a_live_key_does_not_score_a_test_call(caller: Caller) -> None:
    call = called(caller).headers["x-flo2-call-id"]

    assert say(caller, caller.live_key, call_id=call, score=1).status_code == 404


@pytest.mark.parametrize(
    ("word", "param"),
    [
        ({"score": 1.1}, "score"), ({"score": 10**400}, "score"), ({"score": -(10**400)}, "score"),
        ({"score": "1"}, "score"), ({"score": True}, "score"),
        ({}, "score"), ({"score": 1, "comment": "x" * 1001}, "comment"),
        ({"score": 1, "comment": "\0"}, "comment"),
        ({"score": 1, "tags": "a"}, "tags"), ({"score": 1, "tags": [1]}, "tags"),
        ({"score": 1, "rating": 5}, "rating"), ({"score": 1, "call_id": 7}, "call_id"),
    ],
    ids=str,
)  # fmt: skip
def test_a_word_that_is_wrong_is_refused_by_name(
    caller: Caller, word: dict[str, Any], param: str
) -> None:
    refused = say(caller, **{"call_id": "call_" + "0" * 22, **word})

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


def test_feedback_that_cannot_be_kept_now_is_asked_for_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = called(caller).headers["x-flo2-call-id"]

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(feedback, "save", away)
    refused = say(caller, call_id=call, score=1)

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"


def test_comments_are_content_and_deleted_with_it(caller: Caller) -> None:
    call = called(caller).headers["x-flo2-call-id"]
    assert say(caller, call_id=call, score=-1, comment="Mrs Miller is rude", tags=["tone"])
    with tenant_scope(caller.tenant.pk):
        key = gateway_keys.issue_management_key(caller.tenant, name="ops", actor=audit.SYSTEM)

    with caller.gateway.client(key.reveal()) as http:
        assert http.post("/api/v1/settings/delete-content").status_code == 200

    assert kept(caller) == [(-1, "", ["tone"])]
