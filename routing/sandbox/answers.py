"""What an endpoint answers: a whole body, or the frames of a stream. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

JSON = "application/json"
EVENTS = "text/event-stream"

Headers = tuple[tuple[str, str], ...]


class Kind(Enum):
    """Which part of a stream a frame is; a fault cuts between them."""

    OPENING = "opening"  # before the model has written anything
    CONTENT = "content"
    CLOSING = "closing"  # why it ended, what it used, that it is over


class Frame(NamedTuple):
    """One event, or one comment, of a stream."""

    data: bytes
    kind: Kind = Kind.CONTENT
    tokens: int = 0  # that the model has written for it


@dataclass(frozen=True, slots=True)
class Spent:
    """What a provider would charge for."""

    model: str
    input_tokens: int
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An answer in one piece. `spent` is None where nothing is charged."""

    body: bytes
    status: int = 200
    media: str = JSON
    headers: Headers = ()
    spent: Spent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer in frames; its `spent` counts the output as all frames together."""

    frames: Iterable[Frame]
    spent: Spent
    media: str = EVENTS
    headers: Headers = field(default=())


Answer = Whole | Stream
