"""Usage: disjoint buckets that add up, and counts that are counts."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import usage
from billing.usage import BUCKETS, Usage, is_count

COUNTS = st.integers(0, 2**53)
USAGES = st.builds(Usage, **dict.fromkeys(BUCKETS, COUNTS))


def test_the_buckets_are_those_of_the_contract() -> None:
    assert BUCKETS == (
        "input_uncached",
        "cache_read",
        "cache_write_5m",
        "cache_write_1h",
        "output_visible",
        "reasoning",
        "audio_in",
        "audio_out",
        "image_in",
    )


@given(USAGES)
def test_every_token_is_input_or_output_and_not_both(its: Usage) -> None:
    assert its.input_tokens + its.output_tokens == its.total_tokens == sum(its.counts())


@pytest.mark.parametrize("bucket", BUCKETS)
def test_what_comes_out_of_a_model_is_output(bucket: str) -> None:
    its = Usage(**{bucket: 7})
    is_output = bucket in {"output_visible", "reasoning", "audio_out"}

    assert (its.output_tokens, its.input_tokens) == ((7, 0) if is_output else (0, 7))


@given(USAGES, USAGES)
def test_usage_adds_up_bucket_by_bucket(one: Usage, other: Usage) -> None:
    both = one + other

    assert both.counts() == tuple(a + b for a, b in zip(one.counts(), other.counts(), strict=True))
    assert both == other + one
    assert one + Usage() == one


@given(USAGES)
def test_usage_survives_being_written(its: Usage) -> None:
    assert msgspec.json.decode(msgspec.json.encode(its), type=Usage) == its


def test_usage_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Usage().reasoning = 1  # type: ignore[misc]


class Seven(int):
    """Not quite an int."""


@dataclass
class Pretender:
    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize("value", [0, 1, 2**31, 2**53])
def test_a_whole_number_is_a_count(value: int) -> None:
    assert is_count(value)


@pytest.mark.parametrize(
    "value",
    [
        *(-1, 2**53 + 1, 2**63, 10**400, 1.0, 0.0, 1.5, 1e308, float("nan"), float("inf")),
        *("12", "", b"12", True, False, None, [], [1], {}, Decimal(12), Decimal("NaN"), 1j),
        *(Seven(7), Pretender()),
    ],
)
def test_whatever_else_a_provider_may_report_is_no_count(value: Any) -> None:
    assert not is_count(value)


def test_the_largest_count_is_what_every_program_can_hold() -> None:
    assert usage.LARGEST == 2**53
