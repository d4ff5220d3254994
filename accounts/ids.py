"""Time-ordered ids (UUID version 7, RFC 9562), stored as UUID and shown as prefix + base62.

The 22 characters of base62 keep the order of the number they stand for.
"""

import os
import struct
import time
from uuid import UUID

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 22

_PAIRS = [a + b for a in ALPHABET for b in ALPHABET]
_VALUES = {int.from_bytes(pair.encode()): value for value, pair in enumerate(_PAIRS)}
_ELEVEN_PAIRS = struct.Struct(">11H")
_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_RANDOM_62 = (1 << 62) - 1


# Random numbers are drawn a thousand at a time: one by one they cost a system call each.
_DRAWN = struct.Struct(">1024Q")
_random: list[int] = []


def _refill() -> None:
    _random.extend(_DRAWN.unpack(os.urandom(_DRAWN.size)))


os.register_at_fork(after_in_child=_random.clear)


class InvalidId(ValueError):
    """The text is not an id of the kind that was asked for."""


def fresh() -> int:
    """A new id as a number of 128 bits.

    48 bits of Unix milliseconds, then 12 bits of the fraction of that millisecond, so that ids of
    one process keep their order within it, then 62 random bits.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    try:
        random = _random.pop()
    except IndexError:
        _refill()
        random = _random.pop()
    return milliseconds << 80 | _VERSION_AND_VARIANT | fraction << 64 | random & _RANDOM_62


def new() -> UUID:
    return UUID(int=fresh())


def encode(number: int) -> str:
    """22 characters of base62, most significant first."""
    pairs = []
    for _ in range(LENGTH // 2):
        number, pair = divmod(number, 3844)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)


def decode(text: str) -> UUID:
    """The id behind 22 characters of base62. Raises InvalidId."""
    number = 0
    try:
        for pair in _ELEVEN_PAIRS.unpack(text.encode()):
            number = number * 3844 + _VALUES[pair]
    except (UnicodeEncodeError, struct.error, KeyError):
        raise InvalidId(text) from None
    if number >> 128:
        raise InvalidId(text)
    return UUID(int=number)


def show(prefix: str, value: UUID) -> str:
    """The id as people and programs see it, for example `call_` + 22 characters."""
    return f"{prefix}_{encode(value.int)}"


def read(prefix: str, text: str) -> UUID:
    """The inverse of `show`. Raises InvalidId for another prefix, too."""
    head, separator, body = text.rpartition("_")
    if not separator or head != prefix:
        raise InvalidId(text)
    return decode(body)


def made_at(number: int) -> int:
    """When an id was made, in Unix milliseconds."""
    return number >> 80


def first_after(milliseconds: int) -> UUID:
    """The least id that can have been made at or after this Unix time: bounds ranges of ids."""
    return UUID(int=max(0, milliseconds) << 80)
