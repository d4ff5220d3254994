"""What the split shows of two arms: cost per call, time to first token, time in all. Pure.

Ratios and differences with percentile bootstrap intervals, resampled by session: 95 %, for one
look at the end, not for peeking.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

RESAMPLES = 2000
LEAST_UNITS = 20  # of each arm
MOST_CALLS = 20_000  # the newest; a bootstrap of more says the same


class Measured(NamedTuple):
    """A call of an arm; None where it is not known."""

    unit: str  # its session, or itself
    cost: float | None  # USD
    first_token_ms: int | None
    latency_ms: int | None


@dataclass(frozen=True)
class Delta:
    """B against A, with the 95 % interval."""

    value: float
    low: float
    high: float


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share lies; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def cost_ratio(
    a: Sequence[Measured], b: Sequence[Measured], *, seed: int, resamples: int = RESAMPLES
) -> Delta | None:
    """Mean cost of a call of B over that of A; unpriced calls are left out."""
    costs = [_by_unit(arm, lambda call: call.cost) for arm in (a, b)]
    sums = [[(sum(values), len(values)) for values in units] for units in costs]
    if min(map(len, sums)) < LEAST_UNITS:
        return None
    rng = random.Random(seed)  # noqa: S311  repeatable, no secret
    ratios = []
    for _ in range(resamples):
        means = [_mean(rng.choices(units, k=len(units))) for units in sums]
        if means[0]:
            ratios.append(means[1] / means[0])
    plain = [_mean(units) for units in sums]
    return _delta(plain[1] / plain[0], ratios) if plain[0] and ratios else None


def quantile_difference(
    a: Sequence[Measured],
    b: Sequence[Measured],
    *,
    of: Callable[[Measured], float | None],
    share: float,
    seed: int,
    resamples: int = RESAMPLES,
) -> Delta | None:
    """A quantile of B minus that of A, in milliseconds."""
    units = [_by_unit(arm, of) for arm in (a, b)]
    if min(map(len, units)) < LEAST_UNITS:
        return None
    rng = random.Random(seed)  # noqa: S311
    differences = []
    for _ in range(resamples):
        first, second = (quantile(_flat(rng.choices(arm, k=len(arm))), share) for arm in units)
        differences.append((second or 0.0) - (first or 0.0))
    first, second = (quantile(_flat(arm), share) for arm in units)
    return _delta((second or 0.0) - (first or 0.0), differences)


def _by_unit(
    calls: Sequence[Measured], of: Callable[[Measured], float | None]
) -> list[list[float]]:
    found: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        if (value := of(call)) is not None:
            found[call.unit].append(value)
    return list(found.values())


def _flat(units: Sequence[Sequence[float]]) -> list[float]:
    return [value for unit in units for value in unit]


def _mean(sums: Sequence[tuple[float, int]]) -> float:
    count = sum(n for _, n in sums)
    return sum(total for total, _ in sums) / count if count else 0.0


def _delta(value: float, drawn: list[float]) -> Delta:
    drawn.sort()
    last = len(drawn) - 1
    return Delta(value, drawn[int(0.025 * last)], drawn[int(0.975 * last)])
