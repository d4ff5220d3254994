"""Streams of OpenAI's dialect, read into pieces and written from them."""

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from billing.usage import Usage
from routing.conversation import (
    Counted,
    Finished,
    HiddenPiece,
    Piece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)
from routing.providers.spec import Quirks
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.openai import pieces
from routing.wire.sides import Envelope

ENVELOPE = Envelope(body_id="chatcmpl-1", model="m", created=1_795_000_000)
CUSTOM = Envelope(
    body_id="chatcmpl-1",
    model="m",
    created=1_795_000_000,
    request={"tools": [{"type": "custom", "custom": {"name": "g"}}, None, {"custom": []}]},
)
USAGE = Usage(input_uncached=10, cache_read=2, output_visible=3, reasoning=4)


def chunk(finish: str | None = None, usage: Any = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    content: dict[str, Any] = {"id": "a", "object": "chat.completion.chunk", "choices": [choice]}
    if usage:
        content["usage"] = usage
    return b"data: %b\n\n" % json.dumps(content).encode()


def part(index: int | None, **fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{**({} if index is None else {"index": index}), **fields}]}


STREAM = b"".join([
    chunk(role="assistant", content=""),
    b": OPENROUTER PROCESSING\n\n",
    chunk(reasoning="hm"),
    chunk(content="Grüße 日本 😀"),
    chunk(**part(0, id="c1", function={"name": "f", "arguments": ""})),
    chunk(**part(0, function={"arguments": '{"a"'})),
    chunk(**part(0, function={"arguments": " : 1}"})),
    chunk(**part(1, id="c2", function={"name": "g", "arguments": "{}"})),
    chunk("tool_calls", usage={"prompt_tokens": 5, "completion_tokens": 3}),
    b"data: [DONE]\n\n",
])  # fmt: skip
PIECES: list[Piece] = [
    ThinkingPiece("hm"),
    TextPiece("Grüße 日本 😀"),
    ToolBegun(index=0, id="c1", name="f"),
    ToolPiece(0, '{"a"'),
    ToolPiece(0, " : 1}"),
    ToolBegun(index=1, id="c2", name="g"),
    ToolPiece(1, "{}"),
    Finished("tool_calls"),
    Counted(Usage(input_uncached=5, output_visible=3)),
]


def read_in(blocks: list[bytes], quirks: Quirks | None = None) -> list[Piece]:
    reader = pieces.Reader(quirks or Quirks())
    read = [piece for block in blocks for piece in reader.feed(block)]
    return read + reader.end()


class TestStreams:
    @given(st.lists(st.integers(min_value=0, max_value=len(STREAM)), max_size=12))
    def test_any_cut_of_a_stream_gives_the_same_pieces(self, cuts: list[int]) -> None:
        borders = [0, *sorted(cuts), len(STREAM)]
        blocks = [STREAM[a:b] for a, b in pairwise(borders)]
        assert read_in(blocks) == PIECES

    def test_calls_without_an_index_are_told_apart_by_their_ids(self) -> None:
        stream = [
            chunk(**part(None, id="c1", function={"name": "f", "arguments": "{}"})),
            chunk(**part(None, id="c2", function={"name": "g", "arguments": "{}"})),
            chunk(""),
        ]
        assert read_in(stream) == [
            ToolBegun(index=0, id="c1", name="f"), ToolPiece(0, "{}"),
            ToolBegun(index=1, id="c2", name="g"), ToolPiece(1, "{}"), Finished("tool_calls"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "bad",
        [
            b'data: {"error": {"message": "x"}}\n\n',
            b'data: {"code": "resource-exhausted", "error": "x"}\n\n',
            b"data: {nonsense\n\n",
            chunk("error"),
        ],
    )
    def test_an_error_in_the_stream_is_raised(self, bad: bytes) -> None:
        with pytest.raises(StreamFailed):
            read_in([chunk(content="x"), bad])

    def test_a_stream_that_breaks_off_is_cut(self) -> None:
        with pytest.raises(StreamCut):
            read_in([chunk(content="x")])

    def test_what_a_caller_gets_is_read_by_the_sdk_and_by_us(self) -> None:
        told: list[Piece] = [
            ThinkingPiece("hm"),
            SignaturePiece("sig", "anthropic"),
            HiddenPiece("d", "anthropic"),
            *PIECES[1:7],
            RefusalPiece("no"),
        ]
        writer = pieces.Writer(ENVELOPE)
        events = [writer.write(piece) for piece in (*told, Finished("tool_calls"))]
        stream = b"".join((*events, writer.close(USAGE, Decimal("0.5"))))
        for event in stream.split(b"\n\n")[:-2]:
            ChatCompletionChunk.model_validate_json(event.removeprefix(b"data: "), strict=True)
        assert read_in([stream]) == [*told, Finished("tool_calls"), Counted(USAGE)]
        assert b'"cost":0.5' in stream

    def test_the_input_of_a_custom_tool_is_streamed_as_its_own_kind(self) -> None:
        writer = pieces.Writer(CUSTOM)
        told: list[Piece] = [
            ToolBegun(index=0, id="a", name="h", kind="custom"),
            ToolPiece(0, "as it "), ToolPiece(0, "comes"),
            ToolBegun(index=1, id="b", name="g"),
            ToolPiece(1, '{"inp'), ToolPiece(1, 'ut":"ls"}'),
            Finished("tool_calls"),
        ]  # fmt: skip
        stream = b"".join((*map(writer.write, told), writer.close(USAGE, None)))
        assert b'"function"' not in stream
        assert read_in([stream]) == [
            *told[:3],
            ToolBegun(index=1, id="b", name="g", kind="custom"),
            ToolPiece(1, "ls"),
            told[-1],
            Counted(USAGE),
        ]

    def test_those_who_do_not_ask_for_usage_get_none(self) -> None:
        silent = Envelope(body_id="chatcmpl-1", model="m", created=1, wants_usage=False)
        writer = pieces.Writer(silent)
        stream = writer.write(TextPiece("x")) + writer.close(USAGE, None)
        assert b"usage" not in stream
        assert stream.endswith(b"data: [DONE]\n\n")
