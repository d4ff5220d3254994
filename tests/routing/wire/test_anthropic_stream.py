"""Streams of Anthropic's dialect: relayed to callers of it, and read into pieces for others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing.conversation import (
    Counted,
    Finished,
    HiddenPiece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)  # fmt: skip
from routing.wire.anthropic.stream import Reader, Relay
from routing.wire.failed import StreamCut, StreamFailed
from tests.routing.wire.anthropic_speech import (
    COST,
    PLAIN,
    SAMPLE,
    START,
    STOP,
    TEXT_START,
    USED,
    end,
    event,
    events,
    parts,
    pieces,
    text,
)  # fmt: skip


def relayed(stream: bytes, cuts: list[int]) -> bytes:
    relay = Relay(body_id="msg_ours", wants_usage=True, quirks=PLAIN)
    passed = b"".join(relay.feed(part) for part in parts(stream, cuts)) + relay.end()
    return passed + relay.close(relay.usage or Usage(), COST)


# Relayed ---------------------------------------------------------------------------------------

cuts_of_stream = st.lists(st.integers(min_value=0, max_value=4000), max_size=25)


@given(cuts=cuts_of_stream)
def test_any_cut_of_a_stream_relays_the_same_bytes(cuts: list[int]) -> None:
    assert relayed(SAMPLE, cuts) == relayed(SAMPLE, [])


def test_only_the_id_and_the_cost_are_changed() -> None:
    out, theirs = events(relayed(SAMPLE, [])), events(SAMPLE)
    assert out[0]["message"].pop("id") == "msg_ours"
    assert out[-2]["usage"].pop("cost") == 0.000012
    del theirs[0]["message"]["id"]
    assert out == theirs


def test_a_relayed_stream_is_known_by_its_end() -> None:
    relay = Relay(body_id="x", wants_usage=True, quirks=PLAIN)
    relay.feed(SAMPLE)
    assert (relay.model, relay.finish_reason, relay.is_done) == (
        "claude-sonnet-5",
        "tool_use",
        True,
    )
    assert relay.usage == USED


def test_the_last_word_on_usage_counts() -> None:
    corrected = {"input_tokens": 61, "cache_read_input_tokens": None, "output_tokens": 9}
    last = event("message_delta", delta={"stop_reason": None}, usage=corrected)
    stream = START + TEXT_START + text("a") + end() + last + STOP
    relay = Relay(body_id="x", wants_usage=True, quirks=PLAIN)
    relay.feed(stream)
    assert relay.usage == Usage(input_uncached=61, output_visible=9)
    assert relay.finish_reason == "end_turn"
    assert len([e for e in events(relayed(stream, [])) if e["type"] == "message_delta"]) == 1


def test_a_stream_that_breaks_off_has_not_reported_its_output() -> None:
    relay = Relay(body_id="x", wants_usage=True, quirks=PLAIN)
    relay.feed(START + TEXT_START + text("half"))
    assert relay.usage is None
    with pytest.raises(StreamCut):
        relay.end()


def test_text_that_talks_of_events_passes_untouched() -> None:
    said = ["event: message_stop", "\n\nevent: error\ndata: {}\n\n", '{"type":"message_delta"}']
    stream = START + TEXT_START + b"".join(map(text, said)) + end() + STOP
    out = events(relayed(stream, [len(START), len(START + TEXT_START)]))
    deltas = [e["delta"]["text"] for e in out if e["type"] == "content_block_delta"]
    assert deltas == said


def test_pings_pass_and_comments_do_not() -> None:
    stream = START + TEXT_START + text("a") + event("ping") + b": hello\n\n" + end() + STOP
    out = relayed(stream, [len(START + TEXT_START + text("a"))])
    assert b": hello" not in out
    assert b"event: ping\n" in out


def test_content_is_text_thoughts_or_a_call() -> None:
    relay = Relay(body_id="x", wants_usage=True, quirks=PLAIN)
    relay.feed(event("ping") + START + TEXT_START + text(""))
    assert not relay.has_content
    relay.feed(text("a"))
    assert relay.has_content


def test_a_refusal_without_a_word_is_an_answer() -> None:
    relay = Relay(body_id="x", wants_usage=True, quirks=PLAIN)
    relay.feed(START + end("refusal", stop_details={"type": "refusal", "explanation": "No."}))
    assert relay.has_content
    assert events(relay.close(Usage(), None))[0]["delta"]["stop_details"]["explanation"] == "No."


@pytest.mark.parametrize("make", [lambda: Relay(body_id="x", wants_usage=True, quirks=PLAIN),
                                  lambda: Reader(PLAIN)])  # fmt: skip
@pytest.mark.parametrize(
    ("bad", "has_data"),
    [
        (event("error", error={"type": "overloaded_error", "message": "Overloaded"}), True),
        (b'data: {"type":"error","error":{"type":"api_error"}}\n\n', True),
        (b"event: content_block_delta\ndata: {not json}\n\n", False),
    ],
)
def test_an_error_within_a_stream_is_raised_with_its_data(
    make: Any, bad: bytes, has_data: bool
) -> None:
    for stream in ([START + bad], [START + TEXT_START + text("a"), bad]):
        relay = make()
        for part in stream[:-1]:
            relay.feed(part)
        if not has_data and isinstance(relay, Relay) and len(stream) > 1:
            continue  # forwarded unparsed
        with pytest.raises(StreamFailed) as failed:
            relay.feed(stream[-1])
        assert bool(failed.value.data) == has_data


def test_the_size_of_what_was_written_is_about_known() -> None:
    relay = Relay(body_id="x", wants_usage=True, quirks=PLAIN)
    relay.feed(START + TEXT_START)
    for _ in range(50):
        relay.feed(text("forty characters of text, more or less.."))
    assert 1500 <= relay.output_bytes <= 2500


# Read ------------------------------------------------------------------------------------------


@given(cuts=cuts_of_stream)
def test_any_cut_of_a_stream_gives_the_same_pieces(cuts: list[int]) -> None:
    assert pieces(SAMPLE, cuts) == pieces(SAMPLE, [])


def test_a_stream_is_understood_whole() -> None:
    assert pieces(SAMPLE, []) == [
        ThinkingPiece("Need the weather."),
        SignaturePiece("EqQB...", "anthropic"),
        TextPiece("Let me look."),
        ToolBegun(index=0, id="toolu_01A", name="get_weather"),
        ToolPiece(0, '{"city": "Os'),
        ToolPiece(0, 'lo"}'),
        Finished("tool_calls"),
        Counted(USED),
    ]


def test_a_robust_reader_survives_what_others_have_seen() -> None:
    hidden = {"type": "redacted_thinking", "data": "sealed"}
    odd = (
        START + START + event("ping") + event("something_new", x=1) + b": c\n\n"
        + event("content_block_start", index=7, content_block=hidden)
        + event("content_block_stop", index=7)
        + event("content_block_start", index=8, content_block={"type": "tool_use", "id": "a",
                                                              "name": "f", "input": {}})
        + event("content_block_delta", index=8,
                delta={"type": "input_json_delta", "partial_json": ""})
        + event("content_block_stop", index=8) + end("end_turn") + STOP
    )  # fmt: skip
    assert pieces(odd, []) == [
        HiddenPiece("sealed", "anthropic"),
        ToolBegun(index=0, id="a", name="f"),
        ToolPiece(0, "{}"),
        Finished("tool_calls"),
        Counted(Usage(input_uncached=43, output_visible=7)),
    ]


def test_a_refusal_is_read_with_its_explanation() -> None:
    stream = START + end("refusal", stop_details={"type": "refusal", "explanation": "No."}) + STOP
    assert pieces(stream, [])[:2] == [RefusalPiece("No."), Finished("content_filter")]


def test_a_stream_that_ends_without_a_reason_has_failed() -> None:
    reader = Reader(PLAIN)
    reader.feed(START + TEXT_START + text("half"))
    with pytest.raises(StreamCut):
        reader.end()
