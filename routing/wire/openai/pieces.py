"""Streams between this dialect and the neutral middle: a provider's reader, a caller's writer."""

from decimal import Decimal
from typing import Any

import msgspec

from billing.usage import Usage
from routing.conversation import (
    Counted,
    Finished,
    HiddenPiece,
    Image,
    Json,
    MediaPiece,
    Piece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)
from routing.providers.spec import Quirks
from routing.wire import free_text, sse
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.openai import messages, reply, turns
from routing.wire.openai.translated_reply import custom_names, figures, finish_of, image, texts_of
from routing.wire.sides import Envelope

_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode
_ARGUMENTS = b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}'
_INPUT = b'{"tool_calls":[{"index":%d,"custom":{"input":%b}}]}'


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class _Custom(msgspec.Struct, gc=False):
    name: str | None = None
    input: str | None = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Custom | None = None
    extra_content: Any = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    model: Any = None
    usage: Any = None
    error: Any = None
    code: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class Reader:
    """Reads one provider's stream into pieces."""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._splitter = sse.Splitter()
        self._places: dict[int, int] = {}  # the provider's index of a call → ours
        self._ids: list[str] = []  # of the calls that have begun
        self._has_finished = False
        self.is_done = False
        self.model = ""

    def feed(self, block: bytes) -> list[Piece]:
        pieces: list[Piece] = []
        for event in self._splitter.feed(block).split(b"\n\n"):
            self._read(event, pieces)
        return pieces

    def end(self) -> list[Piece]:
        pieces: list[Piece] = []
        self._read(self._splitter.end(), pieces)
        if not (self.is_done or self._has_finished):
            raise StreamCut("the stream ended early")
        return pieces

    def _read(self, event: bytes, pieces: list[Piece]) -> None:
        if event.startswith(b"data: {") and b"\n" not in event:
            data = event[6:]
        else:
            _, data = sse.fields(event)
        if not data or self.is_done:
            return
        if data == b"[DONE]":
            self.is_done = True
            return
        try:
            chunk = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise StreamFailed("the stream holds an event that cannot be read", data) from None
        if chunk.error or (chunk.code and chunk.choices is None):
            raise StreamFailed("the provider reported an error in the stream", data)
        if not self.model and isinstance(chunk.model, str):
            self.model = chunk.model
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._read_choice(choice, data, pieces)
        if b"usage" in data and (counted := self._counted(chunk, data)):
            pieces.append(counted)

    def _read_choice(self, choice: _Choice, data: bytes, pieces: list[Piece]) -> None:
        delta = choice.delta
        if delta is not None:
            self._read_delta(delta, pieces)
        reason = choice.finish_reason
        if reason == "error":
            raise StreamFailed("the provider reported an error in the stream", data)
        if reason is not None and (reason or self._ids):
            self._has_finished = True
            pieces.append(Finished(finish_of(reason, has_calls=bool(self._ids))))

    def _read_delta(self, delta: _Delta, pieces: list[Piece]) -> None:
        if delta.reasoning_details:
            pieces += _details(delta.reasoning_details)
        elif thoughts := delta.reasoning_content or delta.reasoning:
            pieces.append(ThinkingPiece(str(thoughts)))
        content = delta.content
        if content:
            if isinstance(content, str):
                pieces.append(TextPiece(content))
            else:
                pieces += _parts(content)
        if delta.refusal:
            pieces.append(RefusalPiece(delta.refusal))
        for call in delta.tool_calls or ():
            self._read_call(call, pieces)

    def _read_call(self, call: _Call, pieces: list[Piece]) -> None:
        """A piece of a call. A new id is a new call, even where every index is 0 or missing."""
        place = call.index or 0
        ours = self._places.get(place)
        if ours is None or (call.id and self._ids[ours] != call.id):
            ours = self._places[place] = len(self._ids)
            self._ids.append(call.id or f"call_{ours}")
            tool = call.custom or call.function
            pieces.append(
                ToolBegun(
                    index=ours,
                    id=self._ids[ours],
                    name=(tool.name if tool else None) or "",
                    kind="custom" if call.custom else "function",
                    signature=turns.signature({"extra_content": call.extra_content}),
                )
            )
        written = call.function.arguments if call.function else None
        if call.custom:
            written = call.custom.input
        if written:
            text = written if isinstance(written, str) else turns.arguments(written)
            pieces.append(ToolPiece(ours, text))

    def _counted(self, chunk: _Chunk, data: bytes) -> Counted | None:
        found = chunk.usage
        if not isinstance(found, dict):
            if self._quirks.usage_in == ("usage",):
                return None
            whole = _decode_any(data)
            fields = {name: msgspec.Raw(_encode(value)) for name, value in whole.items()}
            found = reply.read_usage(fields, self._quirks)
            if found is None:
                return None
        return Counted(reply.usage_of(found), reply.reported_cost(found, self._quirks))


def _details(details: Any) -> list[Piece]:
    """OpenRouter's details: texts, signatures, thoughts that are hidden."""
    pieces: list[Piece] = []
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        text = detail.get("text") or detail.get("summary")
        signer = turns.signer_of(detail)
        if isinstance(text, str) and text:
            pieces.append(ThinkingPiece(text))
        if isinstance(detail.get("signature"), str) and detail["signature"]:
            pieces.append(SignaturePiece(detail["signature"], signer))
        if isinstance(detail.get("data"), str):
            pieces.append(HiddenPiece(detail["data"], signer))
    return pieces


def _parts(content: Any) -> list[Piece]:
    text, thoughts = texts_of(content)
    pieces: list[Piece] = []
    if thoughts:
        pieces.append(ThinkingPiece(thoughts))
    if text:
        pieces.append(TextPiece(text))
    return pieces


class Writer:
    """Writes one caller's stream of chunks."""

    def __init__(self, envelope: Envelope) -> None:
        head = _encode(
            {
                "id": envelope.body_id,
                "object": "chat.completion.chunk",
                "created": envelope.created,
                "model": envelope.model,
            }
        )
        self._wants_usage = envelope.wants_usage
        self._head = b"data: %b" % head[:-1]
        self._open = b'%b,"choices":[{"index":0,"delta":' % self._head
        usage = b',"usage":null' if self._wants_usage else b""
        self._shut = b',"logprobs":null,"finish_reason":null}]%b}\n\n' % usage
        self._finish = "stop"
        self._has_begun = False
        self._details = self._images = 0
        self._custom = custom_names(envelope.request)
        self._inputs: set[int] = set()  # calls whose input is free text
        self._wrapped: dict[int, list[str]] = {}  # of them, those that come as JSON, until the end

    def write(self, piece: Piece) -> bytes:
        if type(piece) is TextPiece:
            chunk = self._chunk(b'{"content":%b}' % _encode(piece.text))
        elif type(piece) is ToolPiece:
            chunk = self._arguments(piece)
        elif type(piece) is Finished:
            self._finish = piece.finish
            return self._unwrapped()
        elif type(piece) is Counted:
            return b""
        else:
            chunk = self._chunk(_encode(self._rarer(piece)))
        if not self._has_begun:
            self._has_begun = True
            return self._chunk(b'{"role":"assistant","content":"","refusal":null}') + chunk
        return chunk

    def _rarer(self, piece: Piece) -> Json:
        if isinstance(piece, ThinkingPiece):
            return {"reasoning_content": piece.text}
        if isinstance(piece, ToolBegun):
            return {"tool_calls": [self._begun(piece)]}
        if isinstance(piece, RefusalPiece):
            return {"refusal": piece.text}
        if isinstance(piece, MediaPiece):
            return self._image(piece)
        if isinstance(piece, SignaturePiece):
            detail: Json = {"type": "reasoning.text", "signature": piece.signature}
        elif isinstance(piece, HiddenPiece):
            detail = {"type": "reasoning.encrypted", "data": piece.data}
        else:
            return {}
        detail |= {"index": self._details, "format": messages.format_of(piece.signer)}
        self._details += 1
        return {"reasoning_details": [detail]}

    def _image(self, piece: MediaPiece) -> Json:
        shown = piece.block
        if not isinstance(shown, Image):
            return {}
        self._images += 1
        return {"images": [image(shown, self._images - 1)]}

    def _begun(self, piece: ToolBegun) -> Json:
        call: Json = {"index": piece.index, "id": piece.id, "type": "function"}
        if piece.kind == "custom" or piece.name in self._custom:
            self._inputs.add(piece.index)
            if piece.kind == "function":
                self._wrapped[piece.index] = []
            call |= {"type": "custom", "custom": {"name": piece.name, "input": ""}}
        else:
            call["function"] = {"name": piece.name, "arguments": ""}
        if piece.signature:
            call["extra_content"] = {"google": {"thought_signature": piece.signature}}
        return call

    def _arguments(self, piece: ToolPiece) -> bytes:
        waiting = self._wrapped.get(piece.index)
        if waiting is not None:
            waiting.append(piece.text)
            return b""
        form = _INPUT if piece.index in self._inputs else _ARGUMENTS
        return self._chunk(form % (piece.index, _encode(piece.text)))

    def _unwrapped(self) -> bytes:
        """The inputs that came as JSON, now that they are whole."""
        wrapped, self._wrapped = self._wrapped, {}
        chunks = []
        for index, texts in wrapped.items():
            text = free_text.unwrapped("".join(texts))
            chunks.append(self._chunk(_INPUT % (index, _encode(text))))
        return b"".join(chunks)

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        begin = self._unwrapped() if self._has_begun else self.write(TextPiece(""))
        null = b',"usage":null' if self._wants_usage else b""
        end = b'{},"logprobs":null,"finish_reason":"%b"}]%b}\n\n' % (self._finish.encode(), null)
        chunks = [begin, self._open, end]
        if self._wants_usage:
            shown = _encode(reply.with_cost(figures(usage), cost))
            chunks.append(b'%b,"choices":[],"usage":%b}\n\n' % (self._head, shown))
        chunks.append(b"data: [DONE]\n\n")
        return b"".join(chunks)

    def _chunk(self, delta: bytes) -> bytes:
        return b"".join((self._open, delta, self._shut))
