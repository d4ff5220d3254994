"""Reads a stream of Anthropic's into pieces."""

from collections.abc import Callable
from typing import Any

import msgspec

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
)  # fmt: skip
from routing.providers.spec import Quirks
from routing.wire import free_text, sse
from routing.wire.anthropic import names, reply, usage
from routing.wire.anthropic.blocks import SIGNER
from routing.wire.anthropic.fields import Json
from routing.wire.failed import StreamCut, StreamFailed


class _Block(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class _Delta(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class _Event(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: Any = None
    usage: Any = None


class _Call:
    """A call that is being written. The JSON answer's call is none: its arguments are the text."""

    __slots__ = ("buffer", "has_pieces", "index", "is_answer", "is_free_text")

    def __init__(self, index: int, *, is_answer: bool, is_free_text: bool) -> None:
        self.index, self.is_answer, self.is_free_text = index, is_answer, is_free_text
        self.has_pieces = False
        self.buffer: list[str] = []


_decode = msgspec.json.Decoder(_Event).decode
_NO_DELTA = _Delta()


class Reader:
    """One stream. Indices of blocks may start anywhere; calls are counted from 0."""

    def __init__(self, quirks: Quirks) -> None:
        self._splitter = sse.Splitter()
        self._calls: dict[int, _Call] = {}  # by the index of the block
        self._count = 0  # of calls
        self._figures: Json = {}
        self._has_finished = False
        self.is_done = False
        self.model = ""
        self._readers: dict[str, Callable[[_Event], list[Piece]]] = {
            "content_block_delta": self._content,
            "content_block_start": self._begin,
            "content_block_stop": self._stop,
            "message_start": self._start,
            "message_delta": self._finish,
            "message_stop": self._end,
        }

    def feed(self, block: bytes) -> list[Piece]:
        """The pieces of a block, perhaps none. Raises StreamFailed, EventTooLong."""
        return self._read(self._splitter.feed(block))

    def end(self) -> list[Piece]:
        """The provider closed the stream: what is left. Raises StreamCut if it broke off."""
        pieces = self._read(self._splitter.end())
        if not (self.is_done or self._has_finished):
            raise StreamCut("the stream ended early")
        return pieces

    def _read(self, events: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        for event in events.split(b"\n\n"):
            if not event or self.is_done:
                continue
            data = data_of(event)
            if not data:
                continue
            try:
                found = _decode(data)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                raise StreamFailed("the stream holds an event that is none") from None
            reader = self._readers.get(found.type)
            if reader:
                pieces += reader(found)
            elif found.type == "error":
                raise StreamFailed("the provider reported an error in the stream", data)
        return pieces

    def _content(self, event: _Event) -> list[Piece]:
        delta = event.delta or _NO_DELTA
        kind = delta.type
        if kind == "text_delta":
            return [TextPiece(delta.text)] if delta.text else []
        if kind == "input_json_delta":
            return self._arguments(event.index, delta.partial_json)
        if kind == "thinking_delta":
            return [ThinkingPiece(delta.thinking)] if delta.thinking else []
        if kind == "signature_delta" and delta.signature:
            return [SignaturePiece(delta.signature, SIGNER)]
        return []

    def _arguments(self, index: int, text: str) -> list[Piece]:
        call = self._calls.get(index)
        if call is None or not text:
            return []
        call.has_pieces = True
        if call.is_answer:
            return [TextPiece(text)]
        if call.is_free_text:
            call.buffer.append(text)
            return []
        return [ToolPiece(call.index, text)]

    def _begin(self, event: _Event) -> list[Piece]:
        block = event.content_block
        if block is None:
            return []
        if block.type == "tool_use":
            return self._begin_call(event.index, block)
        if block.type == "redacted_thinking":
            return [HiddenPiece(block.data or "", SIGNER)]
        pieces: list[Piece] = []
        if block.text:
            pieces.append(TextPiece(block.text))
        if block.thinking:
            pieces.append(ThinkingPiece(block.thinking))
        if block.signature:
            pieces.append(SignaturePiece(block.signature, SIGNER))
        return pieces

    def _begin_call(self, index: int, block: _Block) -> list[Piece]:
        name, kind = names.from_wire(block.name or "")
        is_answer = block.name == names.JSON_TOOL
        call = _Call(self._count, is_answer=is_answer, is_free_text=kind == "custom")
        self._calls[index] = call
        pieces: list[Piece] = []
        if not is_answer:
            self._count += 1
            pieces.append(ToolBegun(index=call.index, id=block.id or "", name=name, kind=kind))
        given = bytes(block.input).strip()
        if given.startswith(b"{") and given[1:-1].strip():  # whole at once, as some proxies do
            pieces += self._arguments(index, given.decode())
        return pieces

    def _stop(self, event: _Event) -> list[Piece]:
        call = self._calls.pop(event.index, None)
        if call is None:
            return []
        if call.is_free_text:
            return [ToolPiece(call.index, free_text.unwrapped("".join(call.buffer) or "{}"))]
        if call.has_pieces:
            return []
        return [TextPiece("{}") if call.is_answer else ToolPiece(call.index, "{}")]

    def _start(self, event: _Event) -> list[Piece]:
        message = event.message
        if isinstance(message, dict) and not self._figures:
            self._figures = usage.merged({}, message.get("usage"))
            self.model = message["model"] if isinstance(message.get("model"), str) else ""
        return []

    def _finish(self, event: _Event) -> list[Piece]:
        pieces: list[Piece] = []
        delta = event.delta or _NO_DELTA
        if delta.stop_reason:
            self._has_finished = True
            if delta.stop_reason == "refusal":
                pieces.append(RefusalPiece(reply.explanation_of(delta.stop_details)))
            finish = reply.finish_of(delta.stop_reason, calls=self._count > 0)
            pieces.append(Finished(finish, delta.stop_sequence))
        if event.usage is not None:
            self._figures = usage.merged(self._figures, event.usage)
            pieces.append(Counted(usage.usage_of(self._figures)))
        return pieces

    def _end(self, event: _Event) -> list[Piece]:
        self.is_done = True
        return []


def data_of(event: bytes) -> bytes:
    """The data of an event; nearly always the one line after its name."""
    start = event.find(b"\ndata: ")
    if start > 0 and event.startswith(b"event: ") and b"\n" not in event[start + 7 :]:
        return event[start + 7 :]
    return sse.fields(event)[1]
