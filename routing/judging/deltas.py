"""What the split shows of two arms: cost per call, time to first token, time in all. Pure.

Ratios and differences with percentile bootstrap intervals, resampled by session: 95 %, for one
look at the end, not for peeking. A resample weighs each session by how often it is drawn, which is
Poisson distributed with mean 1 (Chamandy et al. 2012, "Estimating uncertainty for massive data
streams"): the same intervals as by drawing sessions one by one, at a tenth of the work.
"""

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter, mul
from typing import NamedTuple

RESAMPLES = 2000
LEAST_UNITS = 20  # of each arm
MOST_UNITS = 2000  # of each arm; of more, so many are taken by chance
MOST_CALLS = 20_000  # the newest; a bootstrap of more says the same

# A random byte → how often a unit is drawn: 0 to 5 times, 94, 94, 47, 16, 4 and 1 of 256.
_DRAWN = bytes(times for times, bytes_ in enumerate((94, 94, 47, 16, 4, 1)) for _ in range(bytes_))

Units = list[list[float]]


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
    units: int  # sessions, or calls, of both arms that it rests on


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
    arms = _of_arms(a, b, lambda call: call.cost, seed)
    if arms is None:
        return None
    sums = [([sum(unit) for unit in units], [len(unit) for unit in units]) for units in arms]
    rng = random.Random(seed)  # noqa: S311  repeatable, no secret
    ratios = []
    for _ in range(resamples):
        first, second = (_mean(*one, weights=_weights(rng, len(one[0]))) for one in sums)
        if first:
            ratios.append(second / first)
    plain = [sum(totals) / sum(counts) for totals, counts in sums]
    return _delta(plain[1] / plain[0], ratios, arms) if plain[0] and ratios else None


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
    arms = _of_arms(a, b, of, seed)
    if arms is None:
        return None
    rng = random.Random(seed)  # noqa: S311
    ordered = [_Ordered(units) for units in arms]
    differences = []
    for _ in range(resamples):
        first, second = (one.quantile(share, _weights(rng, one.units)) for one in ordered)
        differences.append(second - first)
    first, second = (one.quantile(share, bytes([1]) * one.units) for one in ordered)
    return _delta(second - first, differences, arms)


class _Ordered:
    """The values of an arm in their order, each with the place of its unit."""

    def __init__(self, units: Units) -> None:
        found = sorted((value, place) for place, unit in enumerate(units) for value in unit)
        self.units = len(units)
        self._values = [value for value, _ in found]
        self._weigh = itemgetter(*(place for _, place in found))

    def quantile(self, share: float, weights: bytes) -> float:
        """Where each value counts as often as its unit was drawn."""
        reached = list(accumulate(self._weigh(weights)))
        return self._values[min(bisect_right(reached, share * reached[-1]), len(reached) - 1)]


def _of_arms(
    a: Sequence[Measured], b: Sequence[Measured], of: Callable[[Measured], float | None], seed: int
) -> tuple[Units, Units] | None:
    """The values of both arms by unit; None where there are too few."""
    rng = random.Random(seed)  # noqa: S311
    first, second = (_by_unit(arm, of) for arm in (a, b))
    if min(len(first), len(second)) < LEAST_UNITS:
        return None
    return _some(first, rng), _some(second, rng)


def _some(units: Units, rng: random.Random) -> Units:
    return rng.sample(units, MOST_UNITS) if len(units) > MOST_UNITS else units


def _weights(rng: random.Random, units: int) -> bytes:
    """How often each unit is drawn."""
    return rng.randbytes(units).translate(_DRAWN)


def _by_unit(calls: Sequence[Measured], of: Callable[[Measured], float | None]) -> Units:
    found: dict[str, list[float]] = defaultdict(list)
    for call in calls:
        if (value := of(call)) is not None:
            found[call.unit].append(value)
    return list(found.values())


def _mean(totals: Sequence[float], counts: Sequence[int], *, weights: bytes) -> float:
    count = sum(map(mul, weights, counts))
    return sum(map(mul, weights, totals)) / count if count else 0.0


def _delta(value: float, drawn: list[float], arms: tuple[Units, Units]) -> Delta:
    drawn.sort()
    last = len(drawn) - 1
    low, high = drawn[int(0.025 * last)], drawn[int(0.975 * last)]
    return Delta(value, low, high, units=sum(map(len, arms)))
