"""Gemini's streams, read: the same pieces in any cut, and an end that is told from a break."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing.conversation import (
    Counted,
    Finished,
    Piece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)
from routing.execution import streaming
from routing.providers.spec import Quirks
from routing.upstream.failures import FailureKind
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.gemini.stream import Reader


def event(*parts: Any, reason: str = "", line: str = "\r\n", **top: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    content = {"candidates": [candidate], "modelVersion": "gemini-3.7-flash", **top}
    return f"data: {json.dumps(content, ensure_ascii=False)}{line}{line}".encode()


def usage(visible: int, thoughts: int) -> dict[str, Any]:
    figures = {"promptTokenCount": 9, "candidatesTokenCount": visible}
    return {"usageMetadata": {**figures, "thoughtsTokenCount": thoughts}}


CALL = {"functionCall": {"id": "a", "name": "f", "args": {"x": "é\n\ndata: {"}}}
STREAM = b"".join([
    event({"text": "I th", "thought": True}, **usage(0, 2)),
    event({"text": "ink…", "thought": True}, **usage(0, 4), line="\n"),
    b": a comment\n\n",
    event({"text": "Let us see: "}, **usage(3, 4)),
    event({**CALL, "thoughtSignature": "SIGN"}, {"functionCall": {"id": "b", "name": "g"}}),
    event({"text": ""}, reason="STOP", **usage(20, 4)),
])  # fmt: skip
PIECES = [
    ThinkingPiece("I th"),
    Counted(Usage(input_uncached=9, reasoning=2)),
    ThinkingPiece("ink…"),
    Counted(Usage(input_uncached=9, reasoning=4)),
    TextPiece("Let us see: "),
    Counted(Usage(input_uncached=9, output_visible=3, reasoning=4)),
    ToolBegun(index=0, id="a", name="f", signature="SIGN"),
    ToolPiece(0, '{"x":"é\\n\\ndata: {"}'),
    ToolBegun(index=1, id="b", name="g"),
    ToolPiece(1, "{}"),
    Finished("tool_calls"),
    Counted(Usage(input_uncached=9, output_visible=20, reasoning=4)),
]


def read(stream: bytes, cuts: list[int] | None = None) -> list[Piece]:
    """The pieces of a stream that comes in parts cut at these places."""
    reader = Reader(Quirks())
    places = {cut % (len(stream) + 1) for cut in cuts or ()}
    borders = sorted({0, len(stream), *places})
    found = [piece for a, b in pairwise(borders) for piece in reader.feed(stream[a:b])]
    return found + reader.end()


def test_a_stream_becomes_pieces_in_their_order() -> None:
    assert read(STREAM) == PIECES


@given(cuts=st.lists(st.integers(min_value=0, max_value=5000), max_size=40))
def test_any_cut_of_a_stream_gives_the_same_pieces(cuts: list[int]) -> None:
    assert read(STREAM, cuts) == PIECES


def test_every_single_byte_may_come_alone() -> None:
    assert read(STREAM, list(range(len(STREAM)))) == PIECES


def test_the_model_is_known_with_the_first_event_and_the_end_only_at_the_end() -> None:
    reader = Reader(Quirks())
    reader.feed(STREAM)
    assert reader.model == "gemini-3.7-flash"
    assert not reader.is_done
    reader.end()
    assert reader.is_done


def test_an_event_without_its_blank_line_is_read_at_the_end() -> None:
    assert read(STREAM.rstrip()) == PIECES


def test_a_signature_at_the_end_signs_the_thoughts() -> None:
    last = event({"text": "", "thoughtSignature": "SIGN"}, reason="STOP")
    assert read(event({"text": "a"}) + last) == [
        TextPiece("a"),
        SignaturePiece("SIGN", "gemini"),
        Finished("stop"),
    ]


def test_a_stream_that_ends_without_a_reason_was_cut() -> None:
    reader = Reader(Quirks())
    reader.feed(event({"text": "half"}))
    with pytest.raises(StreamCut):
        reader.end()


def test_a_stream_without_anything_was_cut() -> None:
    with pytest.raises(StreamCut):
        Reader(Quirks()).end()


def test_a_blocked_prompt_and_a_withheld_answer_are_refusals() -> None:
    blocked = b'data: {"promptFeedback": {"blockReason": "SAFETY"}}\n\n'
    refused, finished = read(blocked)
    assert isinstance(refused, RefusalPiece)
    assert "SAFETY" in refused.text
    assert finished == Finished("content_filter")

    refused, finished = read(event(reason="RECITATION"))
    assert isinstance(refused, RefusalPiece)
    assert finished == Finished("content_filter")
    assert read(event({"text": "half"}, reason="SAFETY")) == [
        TextPiece("half"),
        Finished("content_filter"),
    ]


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (b'data: {"error": {"code": 503, "status": "UNAVAILABLE"}}\n\n', FailureKind.OVERLOADED),
        (b'data: {"error": {"code": 429, "message": "quota"}}\n\n', FailureKind.RATE_LIMIT),
        (event(reason="MALFORMED_FUNCTION_CALL"), FailureKind.SERVER),
        (event({"text": "x"}, reason="UNEXPECTED_TOOL_CALL"), FailureKind.SERVER),
        (b"data: {not json}\n\n", FailureKind.SERVER),
        (b'data: {"candidates": 3}\n\n', FailureKind.SERVER),
        (b"data: []\n\n", FailureKind.SERVER),
    ],
)
def test_what_fails_within_a_stream_is_raised_as_what_it_is(bad: bytes, kind: FailureKind) -> None:
    reader = Reader(Quirks())
    assert reader.feed(event({"text": "a"})) == [TextPiece("a")]
    with pytest.raises(StreamFailed) as failed:
        reader.feed(bad)
    failure = streaming.of_problem(failed.value)
    assert failure.kind is kind


def test_a_failure_of_the_model_names_its_reason() -> None:
    with pytest.raises(StreamFailed) as failed:
        Reader(Quirks()).feed(event(reason="MALFORMED_FUNCTION_CALL"))
    assert json.loads(failed.value.data)["error"]["status"] == "MALFORMED_FUNCTION_CALL"


def test_calls_without_ids_get_different_ones() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    found = read(event(call) + event(call, reason="STOP"))
    begun = [piece for piece in found if isinstance(piece, ToolBegun)]
    assert [piece.index for piece in begun] == [0, 1]
    assert len({piece.id for piece in begun} - {""}) == 2
