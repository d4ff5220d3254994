"""A streamed answer, put together again while it passes. Pure."""

from decimal import Decimal

import msgspec

from billing.usage import Usage
from routing.conversation import (
    Answer,
    Block,
    Finish,
    Finished,
    HiddenPiece,
    HiddenThinking,
    MediaPiece,
    Piece,
    Refusal,
    RefusalPiece,
    SignaturePiece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
)
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.sides import Reader, Relay
from routing.wire.sse import EventTooLong


class Recorder:
    """Pieces → answer."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._texts: list[list[str]] = []  # of each block, in pieces
        self._calls: dict[int, int] = {}  # index of a call → its place
        self._finished: Finished | None = None

    def see(self, piece: Piece) -> None:
        if isinstance(piece, TextPiece):
            self._more(Text(""), piece.text)
        elif isinstance(piece, ThinkingPiece):
            self._more(Thinking(text=""), piece.text)
        elif isinstance(piece, RefusalPiece):
            self._more(Refusal(""), piece.text)
        elif isinstance(piece, SignaturePiece):
            self._sign(piece)
        elif isinstance(piece, HiddenPiece):
            self._add(HiddenThinking(data=piece.data, signer=piece.signer))
        elif isinstance(piece, MediaPiece):
            self._add(piece.block)
        elif isinstance(piece, ToolBegun):
            self._calls[piece.index] = len(self._blocks)
            self._add(_call(piece))
        elif isinstance(piece, ToolPiece):
            self._texts[self._calls[piece.index]].append(piece.text)
        elif isinstance(piece, Finished):
            self._finished = piece

    def answer(self, *, model: str, usage: Usage | None) -> Answer | None:
        """The whole answer; None if the stream never said that it was one."""
        if self._finished is None:
            return None
        finish: Finish = self._finished.finish
        return Answer(
            blocks=tuple(_filled(*one) for one in zip(self._blocks, self._texts, strict=True)),
            finish=finish,
            stop_sequence=self._finished.stop_sequence,
            model=model,
            usage=usage,
        )

    def _add(self, block: Block) -> None:
        self._blocks.append(block)
        self._texts.append([])

    def _more(self, begun: Block, text: str) -> None:
        """Text goes on in the block before, if that is of its kind and not signed off."""
        last = self._blocks[-1] if self._blocks else None
        if type(last) is not type(begun) or (isinstance(last, Thinking) and last.signature):
            self._add(begun)
        self._texts[-1].append(text)

    def _sign(self, piece: SignaturePiece) -> None:
        if not self._blocks or not isinstance(self._blocks[-1], Thinking):
            self._add(Thinking(text=""))
        self._blocks[-1] = Thinking(text="", signature=piece.signature, signer=piece.signer)


def _call(piece: ToolBegun) -> ToolCall:
    return ToolCall(
        id=piece.id, name=piece.name, arguments="", kind=piece.kind, signature=piece.signature
    )


def _filled(block: Block, texts: list[str]) -> Block:
    if isinstance(block, ToolCall):
        return msgspec.structs.replace(block, arguments="".join(texts))
    if isinstance(block, Text | Thinking | Refusal):
        return msgspec.structs.replace(block, text="".join(texts))
    return block


class Recorded:
    """A `Relay` that also remembers what it passes on. What it cannot read, it does not keep."""

    def __init__(self, relay: Relay, reader: Reader) -> None:
        self._relay, self._reader = relay, reader
        self._recorder: Recorder | None = Recorder()

    @property
    def has_content(self) -> bool:
        return self._relay.has_content

    @property
    def finish_reason(self) -> str:
        return self._relay.finish_reason

    @property
    def usage(self) -> Usage | None:
        return self._relay.usage

    @property
    def reported_cost(self) -> Decimal | None:
        return self._relay.reported_cost

    @property
    def is_done(self) -> bool:
        return self._relay.is_done

    @property
    def model(self) -> str:
        return self._relay.model

    @property
    def output_bytes(self) -> int:
        return self._relay.output_bytes

    def feed(self, block: bytes) -> bytes:
        passed = self._relay.feed(block)
        self._record(block)
        return passed

    def end(self) -> bytes:
        passed = self._relay.end()
        self._record(None)
        return passed

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        return self._relay.close(usage, cost)

    def answer(self) -> Answer | None:
        """What was said in all; None where that is not known for sure."""
        if self._recorder is None:
            return None
        return self._recorder.answer(model=self._relay.model, usage=self._relay.usage)

    def _record(self, block: bytes | None) -> None:
        if self._recorder is None:
            return
        try:
            for piece in self._reader.end() if block is None else self._reader.feed(block):
                self._recorder.see(piece)
        except (StreamCut, StreamFailed, EventTooLong, KeyError):
            self._recorder = None
