"""From a key to a costed call, with a stock OpenAI client and with curl's bare HTTP."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from accounts import ids
from accounts.models import Project
from accounts.tenancy import tenant_scope
from billing import pricing
from billing.books import usage_of
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.sandbox import Sandbox


def test_a_test_key_gets_an_answer_and_the_call_is_on_the_books(caller: Caller) -> None:
    raw = caller.openai().chat.completions.with_raw_response.create(model="auto", messages=MESSAGES)
    answer = raw.parse()
    assert answer.choices[0].message.content
    assert answer.usage is not None
    cost = Decimal(str(answer.usage.cost))  # type: ignore[attr-defined]

    call, attempts = books.last(caller)
    assert (call.status, call.mode, call.strategy) == ("succeeded", "test", "balanced")
    assert call.provider == raw.headers["x-flo2-provider"] == attempts[0].provider
    assert call.cost == cost == Decimal(raw.headers["x-flo2-cost-usd"])
    assert call.usage_source == "reported"
    price = pricing.from_json(attempts[0].price)
    assert call.cost == pricing.cost_of(usage_of(attempts[0]), price)
    assert answer.id == f"chatcmpl-{raw.headers['x-flo2-call-id'].removeprefix('call_')}"
    assert raw.headers["x-request-id"] == raw.headers["x-flo2-call-id"]


def test_a_stream_comes_in_pieces_and_ends_with_usage_when_asked(caller: Caller) -> None:
    stream = caller.openai().chat.completions.create(
        model="auto", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert len(chunks) > 3
    usage = chunks[-1].usage
    assert usage is not None
    assert all(chunk.usage is None for chunk in chunks[:-1])
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text
    call, _ = books.last(caller)
    assert (call.stream, call.status, call.finish_reason) == (True, "succeeded", "stop")
    assert call.cost == Decimal(str(usage.cost))  # type: ignore[attr-defined]
    assert call.first_token_ms is not None


def test_a_stream_without_the_wish_carries_no_usage_but_the_books_have_it(caller: Caller) -> None:
    stream = caller.openai().chat.completions.create(model="auto", messages=MESSAGES, stream=True)
    assert all(chunk.choices and chunk.usage is None for chunk in stream)
    call, _ = books.last(caller)
    assert call.usage_source == "reported"
    assert call.output_visible > 0


def test_streamed_and_whole_cost_the_same(caller: Caller) -> None:
    client = caller.openai()
    for stream in (False, True):
        answer = client.chat.completions.create(
            model="groq/llama-3.3-70b-versatile", messages=MESSAGES, stream=stream
        )
        if stream:
            list(answer)
    whole, streamed = books.calls(caller)
    assert whole.cost == streamed.cost
    assert whole.cost


def test_a_bare_model_name_with_a_system_and_a_user_message(caller: Caller) -> None:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(
            "/v1/chat/completions", json={"model": "llama3.1-8b", "messages": MESSAGES}
        )
    assert answer.status_code == 200
    assert answer.headers["x-flo2-provider"] == "cerebras"
    assert answer.json()["model"]


def test_both_credential_headers_work(caller: Caller) -> None:
    body = {"model": "auto", "messages": MESSAGES}
    with caller.gateway.client() as http:
        answer = http.post(
            "/v1/chat/completions", json=body, headers={"x-api-key": caller.test_key}
        )
    assert answer.status_code == 200


def test_generation_and_key_tell_the_same_story(caller: Caller) -> None:
    answer = caller.openai().chat.completions.create(model="auto", messages=MESSAGES)
    with caller.gateway.client(caller.test_key) as http:
        asked = time.monotonic()
        told = http.get("/v1/generation", params={"id": answer.id}).json()["data"]
        assert time.monotonic() - asked < 2
        assert told["total_cost"] == answer.usage.cost  # type: ignore[union-attr]
        assert told["provider_name"] == told["attempts"][0]["provider"]
        assert told["tokens_completion"] == answer.usage.completion_tokens  # type: ignore[union-attr]
        key = http.get("/v1/key").json()["data"]
        assert key["usage"] == key["usage_daily"] == told["total_cost"]
        assert key["mode"] == "test"


def test_models_lists_what_the_key_can_call(caller: Caller) -> None:
    client = caller.openai()
    ids = [model.id for model in client.models.list()]
    assert "auto" in ids
    assert "groq/llama-3.3-70b-versatile" in ids
    one = client.models.retrieve("groq/llama-3.3-70b-versatile")
    assert one.pricing["prompt"] == "0.00000059"  # type: ignore[attr-defined]
    live = {model.id for model in caller.openai(live=True).models.list()}
    assert live == {"auto", "auto:cheapest", "auto:fastest", "auto:balanced"}


def test_an_unknown_model_is_unpriced_and_never_zero(live_caller: Caller) -> None:
    raw = live_caller.openai(live=True).chat.completions.with_raw_response.create(
        model="openai/brand-new-model", messages=MESSAGES
    )
    assert raw.headers["x-flo2-cost-status"] == "unpriced"
    assert "x-flo2-cost-usd" not in raw.headers
    assert raw.parse().usage.cost is None  # type: ignore[union-attr]
    call, _ = books.last(live_caller)
    assert (call.cost, call.cost_status) == (None, "unpriced")


def test_tags_project_and_session_reach_the_books(caller: Caller) -> None:
    caller.openai().chat.completions.create(
        model="auto",
        messages=MESSAGES,
        extra_headers={"x-flo2-tags": "docs,nightly", "x-flo2-project": "shop"},
        extra_body={"session_id": "s-1"},
    )
    call, _ = books.last(caller)
    assert (call.tags, call.session) == (["docs", "nightly"], "s-1")
    with tenant_scope(caller.tenant.pk):
        project = Project.objects.for_tenant(caller.tenant).get(name="shop")
    assert call.project_id == project.pk


@pytest.mark.parametrize("stream", [False, True])
def test_the_provider_gets_its_own_key_and_never_ours(
    live_caller: Caller, sandbox: Sandbox, stream: bool
) -> None:
    client = live_caller.openai(live=True)
    answer = client.chat.completions.create(
        model="groq/llama-3.3-70b-versatile",
        messages=MESSAGES,
        stream=stream,
        extra_headers={"x-forwarded-for": "1.2.3.4", "x-flo2-tags": "a"},
    )
    if stream:
        list(answer)
    sent = sandbox.requests("groq")[-1]
    shown = str(sent)
    assert live_caller.live_key not in shown
    assert "flo2_" not in shown
    assert "x-flo2" not in shown
    assert "x-stainless" not in shown
    assert sent["body"]["messages"] == MESSAGES


def test_a_call_counts_from_when_its_id_was_made_however_long_its_body_takes(
    caller: Caller,
) -> None:
    """Else a clock that is set meanwhile leaves it where no report of its day looks for it."""
    body = json.dumps({"model": "auto", "messages": MESSAGES}).encode()

    def slowly() -> Iterator[bytes]:
        yield body[:10]
        time.sleep(0.1)
        yield body[10:]

    with caller.gateway.client(caller.test_key) as http:
        assert http.post("/v1/chat/completions", content=slowly()).status_code == 200

    call, _ = books.last(caller)
    assert ids.made_at(call.id.int) == round(call.created_at.timestamp() * 1000)
