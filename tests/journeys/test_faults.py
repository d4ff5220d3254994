"""A provider's bad minute: who answers instead, what the caller is told, what the books say."""

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from accounts.models import ProviderKey
from accounts.tenancy import tenant_scope
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.gateway import wait_for
from tests.servers.sandbox import Sandbox

PINNED = "groq/llama-3.3-70b-versatile"
OTHER = "cerebras/gpt-oss-120b"

# fault of the first provider, outcome of its attempt, (status, code) when nobody else is asked
MOVES_ON = [
    ("401", "auth", 424, "provider_key_rejected"),
    ("402", "billing", 402, "provider_credit_exhausted"),
    ("400credit", "billing", 402, "provider_credit_exhausted"),
    ("429quota", "billing", 402, "provider_credit_exhausted"),
    ("403", "permission", 424, "provider_key_rejected"),
    ("404", "model_missing", 404, "model_not_found"),
    ("429", "rate_limit", 429, "provider_rate_limited"),
    ("498", "rate_limit", 429, "provider_rate_limited"),
    ("408", "server", 502, "provider_error"),
    ("500", "server", 502, "provider_error"),
    ("502", "server", 502, "provider_error"),
    ("503", "overloaded", 502, "provider_error"),
    ("529", "overloaded", 502, "provider_error"),
    ("garbage", "server", 502, "provider_error"),
    ("refused", "network", 502, "provider_error"),
    ("reset", "network", 502, "provider_error"),
]
CALLERS_FAULT = [("400", 400), ("422", 422)]

MAY_BE_BILLED = {"reset"}  # the request was sent, and never answered


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("fault", "outcome", "status", "code"), MOVES_ON)
def test_a_failing_provider_is_replaced_by_the_next_one(
    caller: Caller, fault: str, outcome: str, status: int, code: str, stream: bool
) -> None:
    raw = caller.openai().chat.completions.with_raw_response.create(
        model=PINNED,
        messages=MESSAGES,
        stream=stream,
        extra_body={"models": [OTHER]},
        extra_headers={"x-flo2-simulate": f"groq={fault}"},
    )
    answer = raw.parse()
    if stream:
        assert list(answer)
    assert raw.headers["x-flo2-provider"] == "cerebras"
    assert raw.headers["x-flo2-attempts"] == "2"
    assert raw.headers["x-flo2-reason"] == f"fallback:{outcome}"
    call, attempts = books.last(caller)
    assert [a.outcome for a in attempts] == [outcome, "answered"]
    assert [a.role for a in attempts] == ["primary", "fallback"]
    assert (call.status, call.provider, call.reason) == (
        "succeeded", "cerebras", f"fallback:{outcome}",
    )  # fmt: skip
    assert bool(attempts[0].cost) == (fault in MAY_BE_BILLED)
    assert call.cost == sum(a.cost for a in attempts if a.cost is not None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("fault", "outcome", "status", "code"), MOVES_ON)
def test_an_exhausted_chain_ends_in_one_error_that_lists_the_attempts(
    caller: Caller, fault: str, outcome: str, status: int, code: str, stream: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        caller.openai().chat.completions.create(
            model=PINNED,
            messages=MESSAGES,
            stream=stream,
            extra_headers={"x-flo2-simulate": f"groq={fault}"},
        )
    error = raised.value
    assert (error.status_code, error.code) == (status, code)
    body = error.body
    assert isinstance(body, dict)
    assert body["source"] == "provider"
    assert body["provider"] == "groq"
    assert {attempt["outcome"] for attempt in body["attempts"]} == {outcome}
    assert error.response.headers["x-should-retry"] == "false"
    assert error.request_id == error.response.headers["x-flo2-call-id"]
    call, attempts = books.last(caller)
    assert (call.status, call.http_status, call.error_code) == ("failed", status, code)
    assert {a.outcome for a in attempts} == {outcome}
    assert bool(call.cost) == (fault in MAY_BE_BILLED)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("fault", "status"), CALLERS_FAULT)
def test_the_callers_own_fault_is_never_retried(
    caller: Caller, fault: str, status: int, stream: bool
) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        caller.openai().chat.completions.create(
            model=PINNED,
            messages=MESSAGES,
            stream=stream,
            extra_body={"models": [OTHER]},
            extra_headers={"x-flo2-simulate": f"groq={fault}"},
        )
    assert raised.value.status_code == status
    call, attempts = books.last(caller)
    assert len(attempts) == 1
    assert call.status == "failed"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", ["stall", "timeout"])
def test_a_silent_provider_is_given_up_in_time(caller: Caller, fault: str, stream: bool) -> None:
    raw = caller.openai().chat.completions.with_raw_response.create(
        model=PINNED,
        messages=MESSAGES,
        stream=stream,
        extra_body={"models": [OTHER]},
        extra_headers={
            "x-flo2-simulate": f"groq={fault}",
            "x-flo2-first-token-timeout-ms": "300",
        },
    )
    if stream:
        assert list(raw.parse())
    _, attempts = books.last(caller)
    assert [a.outcome for a in attempts] == ["timeout", "answered"]


def test_an_empty_answer_tries_the_next_and_passes_when_it_is_the_last(caller: Caller) -> None:
    client = caller.openai()
    simulate = {"x-flo2-simulate": "groq=empty"}
    answer = client.chat.completions.create(
        model=PINNED, messages=MESSAGES, extra_body={"models": [OTHER]}, extra_headers=simulate
    )
    assert answer.choices[0].message.content
    _, attempts = books.last(caller)
    assert [a.outcome for a in attempts] == ["empty", "answered"]

    alone = client.chat.completions.create(model=PINNED, messages=MESSAGES, extra_headers=simulate)
    assert not alone.choices[0].message.content
    call, attempts = books.last(caller)
    assert (call.status, [a.outcome for a in attempts]) == ("succeeded", ["empty"])


def test_an_empty_stream_passes_when_it_is_the_last(caller: Caller) -> None:
    stream = caller.openai().chat.completions.create(
        model=PINNED,
        messages=MESSAGES,
        stream=True,
        extra_headers={"x-flo2-simulate": "groq=empty"},
    )
    chunks = list(stream)
    assert not any(c.choices[0].delta.content for c in chunks if c.choices)
    call, attempts = books.last(caller)
    assert (call.status, [a.outcome for a in attempts]) == ("succeeded", ["empty"])


def test_a_cut_stream_ends_in_an_error_and_never_in_another_voice(caller: Caller) -> None:
    stream = caller.openai().chat.completions.create(
        model=PINNED,
        messages=MESSAGES,
        stream=True,
        extra_body={"models": [OTHER]},
        extra_headers={"x-flo2-simulate": "groq=cut@5"},
    )
    seen: list[ChatCompletionChunk] = []
    with pytest.raises(openai.APIError, match="groq"):
        for chunk in stream:
            seen.append(chunk)  # noqa: PERF402  what came before the error counts
    assert 1 <= sum(bool(c.choices[0].delta.content) for c in seen) <= 6
    assert all(c.choices[0].finish_reason is None for c in seen)
    call, attempts = books.last(caller)
    assert [a.outcome for a in attempts] == ["cut"]
    assert (call.status, call.usage_source, call.cost_status) == (
        "failed",
        "estimated",
        "estimated",
    )
    assert call.cost is not None
    assert call.cost > 0


def test_a_cut_stream_on_the_wire_has_a_bare_error_and_no_done(caller: Caller) -> None:
    body = {"model": PINNED, "messages": MESSAGES, "stream": True}
    headers = {"x-flo2-simulate": "groq=cut@3"}
    with caller.gateway.client(caller.test_key) as http:
        text = http.post("/v1/chat/completions", json=body, headers=headers).text
    events = [line for line in text.split("\n") if line.startswith("data: ")]
    assert events[-1].startswith('data: {"error":{')
    assert "[DONE]" not in text
    assert 'finish_reason":"' not in text


def test_a_slow_first_byte_is_waited_for(caller: Caller) -> None:
    raw = caller.openai().chat.completions.with_raw_response.create(
        model=PINNED, messages=MESSAGES, extra_headers={"x-flo2-simulate": "groq=slow@400"}
    )
    assert raw.headers["x-flo2-provider"] == "groq"
    call, _ = books.last(caller)
    assert 400 <= call.latency_ms < 4000
    assert call.overhead_us < 300_000


def test_auto_walks_on_when_its_first_choice_is_rate_limited(caller: Caller) -> None:
    client = caller.openai().chat.completions.with_raw_response
    first = client.create(model="auto", messages=MESSAGES).headers["x-flo2-provider"]
    raw = client.create(
        model="auto", messages=MESSAGES, extra_headers={"x-flo2-simulate": f"{first}=429"}
    )
    assert raw.headers["x-flo2-provider"] != first
    _, attempts = books.last(caller)
    assert attempts[0].provider == first
    assert attempts[0].outcome == "rate_limit"
    assert attempts[-1].outcome == "answered"


def test_simulated_faults_mark_no_key_and_touch_no_live_call(
    live_caller: Caller, sandbox: Sandbox
) -> None:
    with pytest.raises(openai.BadRequestError, match="test keys"):
        live_caller.openai(live=True).chat.completions.create(
            model=PINNED, messages=MESSAGES, extra_headers={"x-flo2-simulate": "groq=401"}
        )
    assert sandbox.requests("groq") == []


def test_a_live_key_refused_by_its_provider_is_marked_and_passed_over(
    live_caller: Caller, sandbox: Sandbox
) -> None:
    client = live_caller.openai(live=True).chat.completions
    sandbox.fail("groq", "401")
    body = {"models": [OTHER]}
    answer = client.with_raw_response.create(model=PINNED, messages=MESSAGES, extra_body=body)
    assert answer.headers["x-flo2-provider"] == "cerebras"

    def is_marked() -> bool:
        with tenant_scope(live_caller.tenant.pk):
            row = ProviderKey.objects.for_tenant(live_caller.tenant).get(provider="groq")
            return row.status == "invalid"

    wait_for(is_marked, "the key is marked")

    def is_passed_over() -> bool:
        asked = len(sandbox.requests("groq"))
        client.create(model=PINNED, messages=MESSAGES, extra_body=body)
        return len(sandbox.requests("groq")) == asked

    wait_for(is_passed_over, "the refused key is not used again")
    with pytest.raises(openai.APIStatusError) as raised:
        client.create(model=PINNED, messages=MESSAGES)
    assert (raised.value.status_code, raised.value.code) == (424, "provider_key_rejected")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_caller_who_leaves_ends_the_providers_work_and_is_on_the_books(
    live_caller: Caller, sandbox: Sandbox, stream: bool
) -> None:
    sandbox.fail("groq", "slow@20000" if not stream else "stall")
    body = {"model": PINNED, "messages": MESSAGES, "stream": stream}
    with live_caller.gateway.client(live_caller.live_key) as http, pytest.raises(httpx.ReadTimeout):
        http.post("/v1/chat/completions", json=body, timeout=0.5)
    wait_for(lambda: sandbox.open()["open"] == 0, "the provider's side is closed", seconds=3)
    call, attempts = books.last(live_caller)
    assert (call.status, call.http_status, call.error_code) == (
        "cancelled", 499, "client_cancelled",
    )  # fmt: skip
    assert [a.outcome for a in attempts] == ["cancelled"]
    assert call.usage_source == "estimated"


def test_a_caller_who_leaves_midway_pays_what_was_written(
    live_caller: Caller, sandbox: Sandbox
) -> None:
    long = [{"role": "user", "content": "word " * 400}]
    body = {"model": PINNED, "messages": long, "stream": True}
    with (
        live_caller.gateway.client(live_caller.live_key) as http,
        http.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        for number, _ in enumerate(answer.iter_lines()):
            if number > 20:
                break
    wait_for(lambda: sandbox.open()["open"] == 0, "the provider's side is closed", seconds=3)
    call, attempts = books.last(live_caller)
    assert (call.status, attempts[0].outcome) == ("cancelled", "cancelled")
    assert call.output_visible > 0
    assert call.cost_status == "estimated"
