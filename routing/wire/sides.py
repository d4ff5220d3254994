"""What a dialect does at either end of a call: its reader of streams, its writer of streams. Pure.

A folder of `wire` has `request`, `reply`, `stream` and `errors`; `routing.dialects` joins them.
"""

from decimal import Decimal
from typing import Protocol

import msgspec

from billing.usage import Usage
from routing.conversation import Piece


class Written(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request for a provider. `path` follows its base URL."""

    path: bytes
    body: bytes
    adapted: tuple[str, ...] = ()  # parameters of the caller that were changed or left out
    headers: tuple[tuple[bytes, bytes], ...] = ()  # beside the provider's own


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an answer for a caller says beside what the model said."""

    body_id: str  # of the answer, in the caller's dialect
    model: str  # that answers: the provider's own id
    created: int  # Unix seconds
    wants_usage: bool = True  # of a stream
    input_tokens: int = 0  # estimated, for a stream that has to name them at its start
    request: dict[str, object] = {}  # the caller's own body, where answers repeat parts of it


class Relay(Protocol):
    """A stream on its way: what comes of the provider goes in, what goes to the caller comes out.

    Between two ends of one dialect it is the dialect's own; between others `routing.dialects`
    makes it of a reader and a writer.
    """

    has_content: bool  # text, thoughts, a refusal or a call has come
    finish_reason: str  # in the provider's own words; empty until it is known
    usage: Usage | None
    reported_cost: Decimal | None

    @property
    def is_done(self) -> bool:
        """Whether the provider has said that the stream is over."""

    @property
    def model(self) -> str:
        """The provider's own word for what answers; empty until it is known."""

    @property
    def output_bytes(self) -> int:
        """About how many bytes the model has written."""

    def feed(self, block: bytes) -> bytes:
        """What may be passed on of a block, perhaps nothing. Raises StreamFailed, EventTooLong."""

    def end(self) -> bytes:
        """The provider closed the stream: what is left. Raises StreamCut if it broke off."""

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        """The last bytes for the caller."""


class Reader(Protocol):
    """Reads one stream of a provider."""

    @property
    def is_done(self) -> bool:
        """Whether the provider has said that the stream is over."""

    @property
    def model(self) -> str:
        """The provider's own word for what answers; empty until it is known."""

    def feed(self, block: bytes) -> list[Piece]:
        """The pieces of a block, perhaps none. Raises StreamFailed, EventTooLong."""

    def end(self) -> list[Piece]:
        """The provider closed the stream: what is left. Raises StreamCut if it broke off."""


class Writer(Protocol):
    """Writes one stream for a caller, whole events at a time."""

    def write(self, piece: Piece) -> bytes:
        """The events that a piece makes, perhaps none; `Finished`, `Counted` wait for the end."""

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        """The last events: why it stopped, the figures with our cost, the end."""
