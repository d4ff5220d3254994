"""Writes a stream for a caller of Anthropic's dialect: named events, one block after the other."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from billing.usage import Usage
from routing.conversation import (
    Finish,
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
from routing.wire.anthropic import reply
from routing.wire.anthropic import usage as figures
from routing.wire.anthropic.blocks import SIGNER
from routing.wire.anthropic.extent import Extent
from routing.wire.anthropic.fields import Json
from routing.wire.sides import Envelope

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_TEXT, _THINKING = "text", "thinking"
_TEXT_DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%b}}\n\n'
)
_DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_BLOCK_START = (
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
)
_BLOCK_STOP = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
)  # fmt: skip
_NEW_TEXT = b'{"type":"text","text":""}'
_NEW_THINKING = b'{"type":"thinking","thinking":"","signature":""}'

_encode = msgspec.json.Encoder().encode


class _Call:
    """A call: what of its arguments came so far, and how much of that was written."""

    __slots__ = ("_extent", "_measured", "begun", "pieces", "written")

    def __init__(self, begun: ToolBegun) -> None:
        self.begun = begun
        self.pieces: list[str] = []
        self.written = 0  # pieces
        self._extent = Extent()
        self._measured = 0  # pieces

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are complete: no JSON object begins with another one."""
        for piece in self.pieces[self._measured :]:
            self._extent.feed(piece)
        self._measured = len(self.pieces)
        return self._extent.is_whole


class Writer:
    """One stream.

    Blocks of Anthropic's stand one after the other, while providers may write several calls at
    once. So one call is written as it comes; what begins before its arguments are whole waits.
    """

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._started = False
        self._open: str | _Call | None = None  # the block that is being written
        self._number = -1  # of the last block
        self._waiting: deque[_Call | Piece] = deque()  # what came while a call was not whole
        self._calls: dict[int, _Call] = {}
        self._finish: Finish = "stop"
        self._stop_sequence: str | None = None
        self._refusals: list[str] = []
        self._writers: dict[type, Callable[[Any], bytes]] = {
            TextPiece: self._text,
            ThinkingPiece: self._thinking,
            ToolBegun: self._begin_tool,
            SignaturePiece: self._signature,
            HiddenPiece: self._hidden,
            RefusalPiece: self._refusal,
        }

    def write(self, piece: Piece) -> bytes:
        """The events that a piece makes, perhaps none; `Finished`, `Counted` wait for the end."""
        if type(piece) is TextPiece and self._open is _TEXT:  # nearly all of a stream
            return _TEXT_DELTA % (self._number, _encode(piece.text)) if piece.text else b""
        if isinstance(piece, Finished):
            self._finish, self._stop_sequence = piece.finish, piece.stop_sequence
            return b""
        if isinstance(piece, ToolPiece):
            return self._arguments(piece)
        content = self._content(piece)
        if self._started or not content:
            return content
        return self._start() + content

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        """The last events: why it stopped, the figures with our cost, the end."""
        out = [] if self._started else [self._start()]
        while self._open or self._waiting:
            out.append(self._close_block())
            out.append(self._flush())
        delta = reply.ending(
            self._finish, self._stop_sequence, self._refusals, calls=bool(self._calls)
        )
        told = figures.with_cost(figures.shown(usage), cost)
        out.append(event("message_delta", delta=delta, usage=told))
        return b"".join((*out, STOP))

    def _start(self) -> bytes:
        """The message before its content. Its usage is an estimate: clients divide by it."""
        self._started = True
        told = figures.shown(Usage(input_uncached=max(1, self._envelope.input_tokens)))
        del told["output_tokens_details"]
        message: Json = {
            "id": self._envelope.body_id,
            "type": "message",
            "role": "assistant",
            "model": self._envelope.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
            "usage": {**told, "output_tokens": 1},
        }
        return event("message_start", message=message) + PING

    def _content(self, piece: Piece) -> bytes:
        """What a piece makes if nothing is before it; else it waits for its turn."""
        if isinstance(self._open, _Call):
            if not self._open.is_whole:
                self._wait(piece)
                return b""
            return self._close_block() + self._flush() + self._content(piece)
        writer = self._writers.get(type(piece))
        return writer(piece) if writer else b""

    def _wait(self, piece: Piece) -> None:
        if isinstance(piece, ToolBegun):
            call = self._calls[piece.index] = _Call(piece)
            self._waiting.append(call)
        else:
            self._waiting.append(piece)

    def _flush(self) -> bytes:
        """What waited, up to the next call that is not whole."""
        out = []
        while self._waiting:
            if isinstance(self._open, _Call):
                if not self._open.is_whole:
                    break
                out.append(self._close_block())
            piece = self._waiting.popleft()
            if isinstance(piece, _Call):
                out.append(self._begin_call(piece))
            else:
                out.append(self._content(piece))
        return b"".join(out)

    def _text(self, piece: TextPiece) -> bytes:
        return self._in(_TEXT, b"text_delta", b"text", piece.text)

    def _refusal(self, piece: RefusalPiece) -> bytes:
        self._refusals.append(piece.text)
        return self._in(_TEXT, b"text_delta", b"text", piece.text)

    def _thinking(self, piece: ThinkingPiece) -> bytes:
        return self._in(_THINKING, b"thinking_delta", b"thinking", piece.text)

    def _signature(self, piece: SignaturePiece) -> bytes:
        """What others signed gets no signature: Anthropic would refuse it in the next turn.

        A signature ends its thoughts; what is thought after it is another block.
        """
        if piece.signer != SIGNER or not piece.signature:
            return b""
        signed = self._in(_THINKING, b"signature_delta", b"signature", piece.signature)
        return signed + self._close_block()

    def _in(self, kind: str, delta: bytes, field: bytes, text: str) -> bytes:
        """A piece of a block of text or thoughts, which is opened if it is not."""
        if not text:
            return b""
        opening = b""
        if self._open != kind:
            new = _NEW_TEXT if kind is _TEXT else _NEW_THINKING
            opening = self._close_block() + self._begin(new)
            self._open = kind
        return opening + _DELTA % (self._number, delta, field, _encode(text))

    def _hidden(self, piece: HiddenPiece) -> bytes:
        if piece.signer != SIGNER:
            return b""
        block = _encode({"type": "redacted_thinking", "data": piece.data})
        return self._close_block() + self._begin(block) + _BLOCK_STOP % self._number

    def _begin_tool(self, piece: ToolBegun) -> bytes:
        return self._begin_call(_Call(piece))

    def _begin_call(self, call: _Call) -> bytes:
        begun = call.begun
        self._calls[begun.index] = call
        block = {"type": "tool_use", "id": begun.id, "name": begun.name, "input": {}}
        started = self._close_block() + self._begin(_encode(block))
        self._open = call
        return started + self._written(call)

    def _arguments(self, piece: ToolPiece) -> bytes:
        call = self._calls.get(piece.index)
        if call is None:
            return b""
        if not piece.text:
            return b""
        call.pieces.append(piece.text)
        if call is not self._open:
            return b""
        written = self._written(call)
        if self._waiting and call.is_whole:
            return written + self._close_block() + self._flush()
        return written

    def _written(self, call: _Call) -> bytes:
        """The arguments that came since the last time, exactly as they came."""
        text = "".join(call.pieces[call.written :])
        call.written = len(call.pieces)
        if not text:
            return b""
        return _DELTA % (self._number, b"input_json_delta", b"partial_json", _encode(text))

    def _begin(self, block: bytes) -> bytes:
        self._number += 1
        return _BLOCK_START % (self._number, block)

    def _close_block(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return _BLOCK_STOP % self._number


def event(kind: str, **data: Any) -> bytes:
    """One event with its name."""
    body: Json = {"type": kind, **data}
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(body))
