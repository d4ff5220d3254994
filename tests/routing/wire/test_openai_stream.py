"""Streams of OpenAI's dialect, relayed: the same text, our id, usage and cost as asked for."""

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing.providers.spec import Quirks
from routing.wire.failed import StreamFailed
from routing.wire.openai.stream import Relay

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers"
GROQ = Quirks(stream_usage="always", usage_in=("usage", "x_groq.usage"))
PLAIN = Quirks()
STREAMS = {
    "openai": ("openai/stream.sse", PLAIN, Usage(input_uncached=9, output_visible=1)),
    "groq": ("groq/stream.sse", GROQ, Usage(input_uncached=45, output_visible=20, reasoning=40)),
}


def relayed(stream: bytes, cuts: list[int], *, wants_usage: bool, quirks: Quirks) -> bytes:
    """Feed a stream in pieces cut at these places; everything the caller would get."""
    relay = Relay(body_id="chatcmpl-ours", wants_usage=wants_usage, quirks=quirks)
    borders = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    parts = [stream[a:b] for a, b in pairwise(borders)]
    passed = b"".join(relay.feed(part) for part in parts) + relay.end()
    return passed + relay.close(relay.usage or Usage(), Decimal("0.000012"))


def events(stream: bytes) -> list[Any]:
    """An independent reader: what follows each `data: `."""
    lines = [line[6:] for line in stream.decode().split("\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def text_of(stream: bytes) -> str:
    deltas = [c["choices"][0]["delta"] for c in events(stream) if c != "[DONE]" and c["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("name", STREAMS)
@given(cuts=st.lists(st.integers(min_value=0, max_value=4000), max_size=25), wanted=st.booleans())
def test_any_cut_of_a_stream_relays_the_same_events(
    name: str, cuts: list[int], wanted: bool
) -> None:
    path, quirks, _ = STREAMS[name]
    stream = (FIXTURES / path).read_bytes()
    whole = relayed(stream, [], wants_usage=wanted, quirks=quirks)
    assert events(relayed(stream, cuts, wants_usage=wanted, quirks=quirks)) == events(whole)


@pytest.mark.parametrize("name", STREAMS)
def test_usage_is_read_and_shown_with_cost_only_to_those_who_asked(name: str) -> None:
    path, quirks, usage = STREAMS[name]
    stream = (FIXTURES / path).read_bytes()
    relay = Relay(body_id="x", wants_usage=True, quirks=quirks)
    relay.feed(stream)
    assert relay.usage == usage

    asked = events(relayed(stream, [], wants_usage=True, quirks=quirks))
    assert asked[-2]["usage"]["cost"] == 0.000012
    silent = events(relayed(stream, [], wants_usage=False, quirks=quirks))
    assert silent.pop() == "[DONE]"
    assert not any("usage" in event for event in silent)


@pytest.mark.parametrize("name", STREAMS)
def test_every_event_carries_our_id_and_the_providers_text(name: str) -> None:
    path, quirks, _ = STREAMS[name]
    stream = (FIXTURES / path).read_bytes()
    out = relayed(stream, [], wants_usage=True, quirks=quirks)
    assert {event["id"] for event in events(out)[:-1]} == {"chatcmpl-ours"}
    assert text_of(out) == text_of(stream)


def test_tool_arguments_pass_byte_identical_in_any_cut() -> None:
    stream = (FIXTURES / "openai/stream_tools.sse").read_bytes()

    def arguments(source: bytes) -> str:
        calls = [
            call
            for event in events(source)
            if event != "[DONE]" and event["choices"]
            for call in event["choices"][0]["delta"].get("tool_calls") or []
        ]
        return "".join(call["function"].get("arguments", "") for call in calls)

    for step in (1, 7, 64, 1000):
        cuts = list(range(0, len(stream), step))
        out = relayed(stream, cuts, wants_usage=True, quirks=PLAIN)
        assert arguments(out) == arguments(stream) != ""


def chunk(**delta: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    body = {"id": "chatcmpl-A", "object": "x", "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


FINISH = b'data: {"id":"chatcmpl-A","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'


def test_content_that_talks_of_usage_errors_and_ends_passes_untouched() -> None:
    texts = ['"usage":{', "data: [DONE]\n\n", '"error":', '"finish_reason":"stop"', "\n\n: c"]
    stream = chunk(role="assistant", content="") + b"".join(chunk(content=text) for text in texts)
    out = relayed(stream + FINISH + b"data: [DONE]\n\n", [], wants_usage=False, quirks=PLAIN)
    assert text_of(out) == "".join(texts)


def test_a_role_alone_is_no_content_and_reasoning_is() -> None:
    relay = Relay(body_id="x", wants_usage=False, quirks=PLAIN)
    relay.feed(chunk(role="assistant", content=""))
    assert not relay.has_content
    relay.feed(chunk(reasoning_content="hm"))
    assert relay.has_content


def test_comments_of_the_provider_are_dropped() -> None:
    stream = (
        b": OPENROUTER PROCESSING\n\n" + chunk(content="a") + b": ping\n\n" + chunk(content="b")
    )
    out = relayed(stream + FINISH + b"data: [DONE]\n\n", [], wants_usage=False, quirks=PLAIN)
    assert b": ping" not in out
    assert b"OPENROUTER" not in out
    assert text_of(out) == "ab"


def test_a_stream_that_ends_without_a_reason_has_failed() -> None:
    relay = Relay(body_id="x", wants_usage=False, quirks=PLAIN)
    relay.feed(chunk(content="half"))
    with pytest.raises(StreamFailed):
        relay.end()


def test_a_stream_that_ends_after_its_reason_but_without_done_is_complete() -> None:
    out = relayed(chunk(content="all") + FINISH, [], wants_usage=True, quirks=PLAIN)
    assert events(out)[-1] == "[DONE]"
    assert events(out)[-2]["usage"]["cost"] == 0.000012


@pytest.mark.parametrize(
    "bad",
    [
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b"data: {not json}\n\n",
        b'data: {"id":"chatcmpl-A","choices":[{"delta":{},"finish_reason":"error"}]}\n\n',
    ],
)
def test_an_error_within_a_stream_is_raised_and_not_passed_on(bad: bytes) -> None:
    relay = Relay(body_id="x", wants_usage=False, quirks=PLAIN)
    assert b'"content":"a"' in relay.feed(chunk(content="a"))
    with pytest.raises(StreamFailed):
        relay.feed(bad)


def test_the_size_of_what_was_written_is_known_without_parsing() -> None:
    relay = Relay(body_id="x", wants_usage=False, quirks=PLAIN)
    for _ in range(50):
        relay.feed(chunk(content="four"))
    assert 190 <= relay.output_bytes <= 210
