"""Policies over HTTP: chosen by key, header and name; kept to; on the books and in explanations."""

from collections import Counter
from typing import Any

import httpx
import pytest

from accounts import audit, gateway_keys
from accounts.gateway_keys import KeyTerms
from accounts.tenancy import tenant_scope
from routing import policies
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.gateway import wait_for

GROQ, CEREBRAS, OPENAI = (
    "groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b", "openai/gpt-4.1-mini",
)  # fmt: skip
CHAT, EXPLAIN = "/v1/chat/completions", "/v1/route/explain"


def save(caller: Caller, name: str, strategy: str, **fields: Any) -> None:
    with tenant_scope(caller.tenant.pk):
        document = {"strategy": strategy, **fields}
        policies.save(caller.tenant, name, document, actor=audit.SYSTEM)


def ask(
    caller: Caller, model: str = "auto", *, key: str = "", path: str = CHAT, **sent: Any
) -> httpx.Response:
    headers = sent.pop("headers", {})
    with caller.gateway.client(key or caller.test_key) as http:
        body = {"model": model, "messages": MESSAGES, **sent}
        return http.post(path, json=body, headers=headers)


def served(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return f"{answer.headers['x-flo2-provider']}/{answer.headers['x-flo2-model']}"


def key_with(caller: Caller, policy: str) -> str:
    with tenant_scope(caller.tenant.pk):
        terms = KeyTerms(name=policy, mode="test", policy=policy)
        return gateway_keys.issue(caller.tenant, terms, actor=audit.SYSTEM).text.reveal()


def test_a_policy_is_chosen_by_header_by_name_and_by_key(caller: Caller) -> None:
    save(caller, "shop", "priority", targets=[OPENAI, GROQ])
    save(caller, "night", "priority", targets=[CEREBRAS])
    key = key_with(caller, "shop")

    answers = [
        ask(caller, headers={"x-flo2-policy": "shop"}),
        ask(caller, "@shop"),
        ask(caller, key=key),
        ask(caller, key=key, headers={"x-flo2-policy": "night"}),
    ]

    assert [served(answer) for answer in answers] == [OPENAI, OPENAI, OPENAI, CEREBRAS]
    assert [answer.headers["x-flo2-strategy"] for answer in answers] == ["priority"] * 4
    reasons = [answer.headers["x-flo2-reason"] for answer in answers]
    assert reasons == ["priority", "priority", "priority", "only_candidate"]
    on_the_books = [(call.policy, call.policy_version) for call in books.calls(caller)]
    assert on_the_books == [("shop", 1), ("shop", 1), ("shop", 1), ("night", 1)]


def test_the_policy_called_default_applies_to_the_rest_and_a_change_reaches_the_next_call(
    caller: Caller,
) -> None:
    save(caller, "default", "priority", targets=[OPENAI])
    wait_for(lambda: served(ask(caller)) == OPENAI, "the default applies")

    save(caller, "default", "priority", targets=[GROQ])

    wait_for(lambda: served(ask(caller)) == GROQ, "the change applies", seconds=3)
    assert books.last(caller)[0].policy_version == 2


def test_the_chain_is_the_list_and_then_the_fallbacks(caller: Caller) -> None:
    save(caller, "shop", "priority", targets=[OPENAI, GROQ], fallbacks=[CEREBRAS])
    headers = {"x-flo2-policy": "shop", "x-flo2-simulate": "openai=500,groq=429"}

    answer = ask(caller, headers=headers)

    assert served(answer) == CEREBRAS
    assert answer.headers["x-flo2-reason"] == "fallback:rate_limit"
    _, attempts = books.last(caller)
    assert [attempt.provider for attempt in attempts] == ["openai", "groq", "cerebras"]


@pytest.mark.parametrize(("retries", "roles"), [(0, []), (2, ["retry", "retry"])])
def test_the_same_target_is_tried_again_as_often_as_the_policy_says(
    caller: Caller, retries: int, roles: list[str]
) -> None:
    save(caller, "once", "priority", targets=[GROQ], retries=retries)

    answer = ask(caller, headers={"x-flo2-policy": "once", "x-flo2-simulate": "groq=503"})

    assert answer.status_code == 502
    _, attempts = books.last(caller)
    assert [attempt.role for attempt in attempts] == ["primary", *roles]


def test_a_silent_provider_is_given_as_long_as_the_policy_says(caller: Caller) -> None:
    save(caller, "quick", "priority", targets=[GROQ, CEREBRAS], timeouts={"first_token_s": 0.3})

    answer = ask(caller, headers={"x-flo2-policy": "quick", "x-flo2-simulate": "groq=slow@4000"})

    assert served(answer) == CEREBRAS
    assert answer.headers["x-flo2-reason"] == "fallback:timeout"
    assert books.last(caller)[0].latency_ms < 3000


def test_two_targets_share_calls_by_their_weights(caller: Caller) -> None:
    targets = [{"model": GROQ, "weight": 80}, {"model": OPENAI, "weight": 20}]
    save(caller, "split", "weighted", targets=targets)

    with caller.gateway.client(caller.test_key) as http:
        body = {"model": "@split", "messages": MESSAGES, "max_tokens": 5}
        firsts = Counter(http.post(CHAT, json=body).headers["x-flo2-provider"] for _ in range(100))

    assert firsts["groq"] + firsts["openai"] == 100
    assert 62 <= firsts["groq"] <= 95  # 4.5 standard deviations


def test_a_session_stays_with_who_answered_it(caller: Caller) -> None:
    save(caller, "sticky", "cheapest", targets=[GROQ, OPENAI], sticky="session")
    headers = {"x-flo2-policy": "sticky", "x-flo2-session": "s-1"}
    usual = served(ask(caller, headers=headers))

    other = {**headers, "x-flo2-session": "s-2"}
    assert served(ask(caller, headers=other)) == usual
    ignored = {"ignore": [usual.partition("/")[0]]}
    assert served(ask(caller, headers=headers, provider=ignored)) != usual  # it cannot stay


def test_a_locked_policy_is_kept_to(caller: Caller) -> None:
    save(caller, "safe", "priority", targets=[GROQ], lock=True)
    save(caller, "free", "cheapest")
    key = key_with(caller, "safe")

    refused = [
        ask(caller, key=key, headers={"x-flo2-policy": "free"}),
        ask(caller, key=key, models=[OPENAI]),
        ask(caller, "auto:fastest", key=key),
        ask(caller, OPENAI, key=key),
    ]

    assert [answer.status_code for answer in refused] == [400, 400, 400, 403]
    assert all("safe" in answer.json()["error"]["message"] for answer in refused[:3])
    assert served(ask(caller, key=key)) == GROQ


def test_an_unknown_policy_is_a_400_that_names_it(caller: Caller) -> None:
    for answer in (ask(caller, "@nope"), ask(caller, headers={"x-flo2-policy": "nope"})):
        assert answer.status_code == 400
        assert "nope" in answer.json()["error"]["message"]


# Explanations


def test_an_explanation_names_who_answers_the_call_and_spends_nothing(caller: Caller) -> None:
    save(caller, "shop", "cheapest", targets=[OPENAI, GROQ, CEREBRAS], fallbacks=["gpt-4.1"])
    headers = {"x-flo2-policy": "shop"}

    answer = ask(caller, headers=headers, path=EXPLAIN)
    assert books.calls(caller) == []
    call = ask(caller, headers=headers)

    told = answer.json()
    first = told["candidates"][0]
    assert f"{first['provider']}/{first['model']}" == served(call)
    assert (told["policy"], told["policy_version"], told["mode"]) == ("shop", 1, "test")
    assert told["strategy"] == call.headers["x-flo2-strategy"]
    assert first["reasons"] == [call.headers["x-flo2-reason"]]
    assert told["cache"]["verdict"] == call.headers["x-flo2-cache"] == "OFF"
    range_of_cost = first["cost_usd"]
    spent = float(call.headers["x-flo2-cost-usd"])
    assert float(range_of_cost["low"]) <= spent <= float(range_of_cost["high"])


def test_every_dialect_is_explained(caller: Caller) -> None:
    with caller.gateway.client(caller.test_key) as http:
        chat = http.post(EXPLAIN, json={"model": GROQ, "messages": MESSAGES})
        responses = http.post(EXPLAIN, json={"model": GROQ, "input": "Say hi"})
        messages = http.post(
            EXPLAIN,
            json={"model": GROQ, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
            headers={"anthropic-version": "2023-06-01"},
        )

    for answer in (chat, responses, messages):
        assert answer.status_code == 200, answer.text
        assert answer.json()["candidates"][0]["provider"] == "groq"


def test_an_explanation_is_refused_like_the_call(caller: Caller) -> None:
    unknown = ask(caller, "gpt-oss-121b", path=EXPLAIN)
    nokey = ask(caller, GROQ, path=EXPLAIN, key=caller.live_key)

    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert nokey.status_code == 200
    assert nokey.json()["refusal"]["code"] == "no_provider_key"
    assert {out["code"] for out in nokey.json()["excluded"]} == {"no_key"}
    assert books.calls(caller) == []


def test_caching_that_is_not_switched_on_is_off(caller: Caller) -> None:
    answer = ask(caller, headers={"x-flo2-cache": "on", "x-flo2-cache-ttl": "60"})

    assert answer.headers["x-flo2-cache"] == "OFF"
    assert ask(caller, headers={"x-flo2-cache": "yes"}).status_code == 400
