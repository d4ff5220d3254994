"""Usage: what a call consumed, in disjoint buckets of tokens. Pure.

Each token is in exactly one bucket, so a cost is a sum of products and the buckets of a call add
up to the provider's own totals. `wire` brings each provider's figures into this form.
"""

from typing import Self

import msgspec

LARGEST = 2**53


class Usage(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Token counts, each from 0 to 2⁵³."""

    input_uncached: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output_visible: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0

    @property
    def input_tokens(self) -> int:
        return (
            self.input_uncached
            + self.cache_read
            + self.cache_write_5m
            + self.cache_write_1h
            + self.audio_in
            + self.image_in
        )

    @property
    def output_tokens(self) -> int:
        return self.output_visible + self.reasoning + self.audio_out

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Self) -> Self:
        return type(self)(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def counts(self) -> tuple[int, ...]:
        """The buckets in the order of BUCKETS."""
        return msgspec.structs.astuple(self)


BUCKETS: tuple[str, ...] = Usage.__struct_fields__


def is_count(value: object) -> bool:
    """Whether a reported figure may be booked: a whole number from 0 to 2⁵³, not a bool."""
    return type(value) is int and 0 <= value <= LARGEST
