"""Faults that a request may ask for by its header `x-sandbox-fault`. Pure."""

import re
from dataclasses import dataclass
from enum import Enum

from routing.sandbox.names import listed

HEADER = "x-sandbox-fault"

# Answered by an error of the provider. `refused`, `timeout` and `nokey` never come this far.
STATUSES = listed("400 400credit 401 402 403 404 408 413 422 429 429quota 498 500 502 503 529")

_NUMBERED = re.compile(r"^(cut|slow)@([0-9]{1,6})$")


class Effect(Enum):
    """What a fault does to an answer."""

    NONE = "none"
    STATUS = "status"  # an error instead of it
    RESET = "reset"  # the connection is reset before its first byte
    STALL = "stall"  # its head comes, and then nothing
    EMPTY = "empty"  # it is well-formed and says nothing
    GARBAGE = "garbage"  # it is not of the dialect
    CUT = "cut"  # it breaks off after so many chunks of content
    SLOW = "slow"  # its first byte comes so many milliseconds later


class UnknownFault(ValueError):
    """There is no such fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: its effect, and the number or the name of an error that it comes with."""

    effect: Effect = Effect.NONE
    number: int = 0
    problem: str = ""

    @classmethod
    def read(cls, text: str) -> "Fault":
        """Raises UnknownFault."""
        if not text:
            return cls()
        if text in STATUSES:
            return cls(Effect.STATUS, problem=text)
        if found := _NUMBERED.match(text):
            return cls(Effect(found[1]), number=int(found[2]))
        if text in {"reset", "stall", "empty", "garbage"}:
            return cls(Effect(text))
        raise UnknownFault(f"{text[:40]!r} is not a fault")
