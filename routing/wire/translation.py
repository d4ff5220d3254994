"""A stream between two dialects: a provider's reader and a caller's writer, joined. Pure."""

from collections.abc import Callable
from decimal import Decimal

from billing.usage import Usage
from routing.conversation import (
    Counted,
    Finished,
    HiddenPiece,
    MediaPiece,
    Piece,
    RefusalPiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)
from routing.wire.sides import Reader, Writer

_WITH_TEXT = (TextPiece, ThinkingPiece, ToolPiece, RefusalPiece)
_CONTENT = (*_WITH_TEXT, ToolBegun, HiddenPiece, MediaPiece)


class Translation:
    """A `Relay` whose two ends speak different dialects. `see` is told of every piece."""

    def __init__(
        self, reader: Reader, writer: Writer, see: Callable[[Piece], None] | None = None
    ) -> None:
        self._reader, self._writer, self._see = reader, writer, see
        self.has_content = False
        self.finish_reason = ""
        self.usage: Usage | None = None
        self.reported_cost: Decimal | None = None
        self.output_bytes = 0

    @property
    def is_done(self) -> bool:
        return self._reader.is_done

    @property
    def model(self) -> str:
        return self._reader.model

    def feed(self, block: bytes) -> bytes:
        return self._translate(self._reader.feed(block))

    def end(self) -> bytes:
        return self._translate(self._reader.end())

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        return self._writer.close(usage, cost)

    def _translate(self, pieces: list[Piece]) -> bytes:
        written = []
        for piece in pieces:
            self._learn(piece)
            written.append(self._writer.write(piece))
        return b"".join(written)

    def _learn(self, piece: Piece) -> None:
        if self._see and not isinstance(piece, TextPiece):
            self._see(piece)
        if isinstance(piece, _WITH_TEXT):
            self.has_content = self.has_content or bool(piece.text)
            self.output_bytes += len(piece.text)
        elif isinstance(piece, _CONTENT):
            self.has_content = True
        elif isinstance(piece, Finished):
            self.finish_reason = piece.finish
        elif isinstance(piece, Counted):
            self.usage = piece.usage or self.usage
            self.reported_cost = piece.reported_cost
