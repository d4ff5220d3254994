"""Whole answers and errors of Anthropic's dialect."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import GatewayError, InvalidApiKey, InvalidRequest, Unavailable
from billing.usage import Usage
from routing.conversation import (
    Answer,
    Block,
    Finish,
    HiddenThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)  # fmt: skip
from routing.errors import ModelNotFound, PayloadTooLarge
from routing.providers.spec import Quirks
from routing.wire.anthropic import errors, reply
from routing.wire.anthropic import usage as figures
from routing.wire.failed import NotAnAnswer
from routing.wire.sides import Envelope

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers" / "anthropic"
SAMPLE = (FIXTURES / "reply.json").read_bytes()
PLAIN = Quirks()
ENVELOPE = Envelope(body_id="msg_ours", model="gpt-5", created=1)
USED = Usage(
    input_uncached=5, cache_read=3, cache_write_5m=2, cache_write_1h=1, output_visible=4,
    reasoning=6,
)  # fmt: skip


def test_anthropics_answer_keeps_all_but_id_and_usage() -> None:
    read = reply.read(SAMPLE, PLAIN)
    assert read.usage == Usage(input_uncached=12, output_visible=25, reasoning=20)
    assert (read.model, read.finish_reason, read.is_empty) == ("claude-sonnet-5", "tool_use", False)
    raw = reply.write(read, body_id="msg_ours", usage=Usage(), cost=Decimal("0.0021"))
    out, theirs = json.loads(raw), json.loads(SAMPLE)
    assert out.pop("id") == "msg_ours"
    assert out["usage"].pop("cost") == 0.0021
    del theirs["id"]
    assert out == theirs
    Message.model_validate_json(raw, strict=True)


def message(*content: dict[str, Any], **fields: Any) -> bytes:
    body = {"type": "message", "role": "assistant", "content": content, "stop_reason": "end_turn"}
    return json.dumps({**body, **fields}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"{}", b'{"content": []}', b'{"type": "message"}', b"\xff",
        b'{"type": "error", "error": {"type": "overloaded_error", "message": "x"}}',
        b'{"type": "message", "content": "x"}', b'{"type": "message", "content": [3]}',
    ],
)  # fmt: skip
def test_garbage_and_errors_in_disguise_are_no_answers(body: bytes) -> None:
    for read in (reply.read, reply.read_answer):
        with pytest.raises(NotAnAnswer):
            read(body, PLAIN)


@pytest.mark.parametrize(
    ("body", "is_empty"),
    [
        (message({"type": "text", "text": "x"}), False),
        (message({"type": "tool_use", "id": "a", "name": "f", "input": {}}), False),
        (message({"type": "web_search_tool_result", "content": []}), False),
        (message(stop_reason="refusal"), False),
        (message(stop_reason="max_tokens", usage={"input_tokens": 9, "output_tokens": 0}), False),
        (message(), True),
        (message({"type": "text", "text": ""}), True),
        (message({"type": "thinking", "thinking": "x"}, stop_reason="max_tokens"), True),
    ],
)
def test_an_answer_without_any_content_is_empty(body: bytes, is_empty: bool) -> None:
    assert reply.read(body, PLAIN).is_empty is is_empty


def test_an_answer_is_understood_whole() -> None:
    assert reply.read_answer(SAMPLE, PLAIN) == Answer(
        blocks=(
            Thinking(text="Need the weather.", signature="EqQB...", signer="anthropic"),
            Text("Let me look."),
            ToolCall(id="toolu_01A", name="get_weather", arguments='{\n    "city": "Oslo"\n   }'),
        ),
        finish="tool_calls",
        model="claude-sonnet-5",
        usage=Usage(input_uncached=12, output_visible=25, reasoning=20),
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("something_new", "stop"),
        (None, "stop"),
    ],
)
def test_reasons_to_stop_are_understood(reason: str | None, finish: Finish) -> None:
    body = message({"type": "text", "text": "x"}, stop_reason=reason)
    assert reply.read_answer(body, PLAIN).finish == finish


def test_a_stop_sequence_is_named() -> None:
    body = message({"type": "text", "text": "x"}, stop_reason="stop_sequence", stop_sequence="END")
    found = reply.read_answer(body, PLAIN)
    assert (found.finish, found.stop_sequence) == ("stop", "END")


def test_calls_are_told_though_the_provider_says_end_turn() -> None:
    body = message({"type": "tool_use", "id": "a", "name": "f", "input": {}})
    assert reply.read_answer(body, PLAIN).finish == "tool_calls"


def test_a_refusal_is_told_with_its_explanation() -> None:
    body = message(stop_reason="refusal", stop_details={"type": "refusal", "explanation": "No."})
    found = reply.read_answer(body, PLAIN)
    assert (found.blocks, found.finish) == ((Refusal("No."),), "content_filter")
    assert reply.read_answer(message(stop_reason="refusal"), PLAIN).blocks != ()


def test_every_block_of_another_provider_is_written_as_a_message() -> None:
    answer = Answer(
        blocks=(
            Thinking(text="hm", signature="theirs", signer="gemini"),
            Thinking(text="aha", signature="ours", signer="anthropic"),
            HiddenThinking(data="secret", signer="openai"),
            HiddenThinking(data="sealed", signer="anthropic"),
            Text(""),
            Text("It is 4 C."),
            ToolCall(id="call:1", name="f", arguments='{"b": 1.0, "a": "\\u00e9"}'),
            ToolCall(id="call:2", name="g", arguments=""),
            ToolCall(id="call:3", name="h", arguments="{broken"),
        ),
        finish="stop",
    )
    raw = reply.write_answer(answer, envelope=ENVELOPE, usage=USED, cost=Decimal("0.5"))
    assert b'"input":{"b": 1.0, "a": "\\u00e9"}' in raw
    out = json.loads(raw)
    assert out["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "thinking", "thinking": "aha", "signature": "ours"},
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "It is 4 C."},
        {"type": "tool_use", "id": "call:1", "name": "f", "input": {"b": 1.0, "a": "é"}},
        {"type": "tool_use", "id": "call:2", "name": "g", "input": {}},
        {"type": "tool_use", "id": "call:3", "name": "h", "input": {"_raw": "{broken"}},
    ]
    assert (out["id"], out["model"], out["stop_reason"]) == ("msg_ours", "gpt-5", "tool_use")
    assert out["usage"]["cost"] == 0.5
    Message.model_validate_json(raw, strict=True)


@pytest.mark.parametrize(
    ("finish", "sequence", "blocks", "reason"),
    [
        ("stop", None, (Text("x"),), "end_turn"),
        ("stop", "END", (Text("x"),), "stop_sequence"),
        ("length", None, (Text("x"),), "max_tokens"),
        ("length", None, (ToolCall(id="a", name="f", arguments=""),), "max_tokens"),
        ("stop", None, (ToolCall(id="a", name="f", arguments=""),), "tool_use"),
        ("content_filter", None, (), "refusal"),
        ("stop", None, (Refusal("No."),), "refusal"),
    ],
)
def test_reasons_to_stop_are_told(
    finish: Finish, sequence: str | None, blocks: tuple[Block, ...], reason: str
) -> None:
    answer = Answer(blocks=blocks, finish=finish, stop_sequence=sequence)
    raw = reply.write_answer(answer, envelope=ENVELOPE, usage=USED, cost=None)
    found = Message.model_validate_json(raw, strict=True)
    assert (found.stop_reason, found.stop_sequence) == (reason, sequence)
    assert (found.stop_details is not None) == (reason == "refusal")
    assert json.loads(raw)["usage"]["cost"] is None


counts = st.integers(min_value=0, max_value=10**9)


@given(plain=counts, read=counts, short=counts, long=counts, out=counts, thought=counts)
def test_buckets_sum_to_the_providers_totals(
    plain: int, read: int, short: int, long: int, out: int, thought: int
) -> None:
    reported = {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {
            "ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long,
        },
        "output_tokens": out + thought,
        "output_tokens_details": {"thinking_tokens": thought},
    }  # fmt: skip
    found = figures.usage_of(reported)
    assert found is not None
    assert found.input_tokens == plain + read + short + long
    assert found.output_tokens == out + thought
    assert (found.cache_write_5m, found.cache_write_1h, found.reasoning) == (short, long, thought)
    assert figures.usage_of(figures.shown(found)) == found


def test_cache_writes_without_a_breakdown_are_the_short_ones() -> None:
    reported = {"input_tokens": 1, "cache_creation_input_tokens": 7, "output_tokens": 1}
    assert figures.usage_of(reported) == Usage(input_uncached=1, cache_write_5m=7, output_visible=1)


def test_parts_that_the_totals_leave_out_are_counted() -> None:
    part = {"type": "message", "input_tokens": 10, "output_tokens": 1}
    reported = {
        "input_tokens": 10, "output_tokens": 1,
        "iterations": [{**part, "type": "compaction", "input_tokens": 90}, part],
    }  # fmt: skip
    assert figures.usage_of(reported) == Usage(input_uncached=100, output_visible=2)
    reported["iterations"] = [part, {**part, "type": "fallback_message"}]
    assert figures.usage_of(reported) == Usage(input_uncached=10, output_visible=1)


@pytest.mark.parametrize("bad", [-1, 2**63, 1.5, "12", True, None, float("1e308")])
def test_a_count_that_cannot_be_believed_makes_usage_unknown(bad: Any) -> None:
    assert figures.usage_of({"input_tokens": bad, "output_tokens": 1}) is None


def test_more_thinking_than_output_makes_usage_unknown() -> None:
    details = {"thinking_tokens": 2}
    reported = {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": details}
    assert figures.usage_of(reported) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("Bad.", param="x"), "invalid_request_error"),
        (InvalidApiKey(), "authentication_error"),
        (ModelNotFound(model="m", hint=""), "not_found_error"),
        (PayloadTooLarge(limit=1), "request_too_large"),
        (Unavailable(), "overloaded_error"),
        (GatewayError(), "api_error"),
    ],
)
def test_an_error_has_anthropics_shape(error: GatewayError, kind: str) -> None:
    out = json.loads(errors.write(error, call_id="call_1"))
    assert (out["type"], out["request_id"]) == ("error", "call_1")
    assert out["error"]["type"] == kind
    assert out["error"]["message"] == str(error)
    assert out["error"]["code"] == error.error_code
    assert out["error"]["source"] == "gateway"
    event = errors.write_event(error, call_id="call_1")
    assert event == b"event: error\ndata: %b\n\n" % errors.write(error, call_id="call_1")
