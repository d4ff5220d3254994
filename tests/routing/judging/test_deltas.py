"""What two arms differ by: intervals by session, quick for many calls, and worked out once."""

import random
import time
from itertools import chain

import pytest

from routing.judging import deltas, style
from routing.judging.deltas import MOST_UNITS, Measured


def measured(rng: random.Random, cost: float, latency: int) -> list[Measured]:
    return [
        Measured(
            f"s{i % 60}", cost * rng.uniform(0.5, 1.5), 50, round(latency * rng.uniform(0.8, 1.2))
        )
        for i in range(600)
    ]


def test_the_difference_of_two_arms_lies_in_its_interval() -> None:
    rng = random.Random(5)
    a, b = measured(rng, 0.001, 900), measured(rng, 0.002, 600)

    ratio = deltas.cost_ratio(a, b, seed=1, resamples=300)
    slower = deltas.quantile_difference(
        a, b, of=lambda call: call.latency_ms, share=0.5, seed=1, resamples=300
    )

    assert ratio is not None
    assert slower is not None
    assert ratio.low < 2.0 < ratio.high
    assert slower.low < -300 < slower.high < 0
    assert ratio == deltas.cost_ratio(a, b, seed=1, resamples=300)


def test_a_few_sessions_show_no_difference_and_unpriced_calls_are_left_out() -> None:
    few = [Measured("one", 0.1, 1, 1)] * 500
    unpriced = [Measured(str(i), None, 1, 1) for i in range(500)]

    assert deltas.cost_ratio(few, few, seed=1) is None
    assert deltas.cost_ratio(unpriced, unpriced, seed=1) is None


def naive(a: list[Measured], b: list[Measured], share: float) -> tuple[float, float]:
    """The same interval by drawing whole sessions one by one."""
    rng, drawn = random.Random(3), []
    units = [
        [[c.latency_ms or 0 for c in arm if c.unit == unit] for unit in {c.unit for c in arm}]
        for arm in (a, b)
    ]
    for _ in range(600):
        first, second = (
            deltas.quantile(list(chain(*rng.choices(arm, k=len(arm)))), share) for arm in units
        )
        drawn.append((second or 0) - (first or 0))
    drawn.sort()
    return drawn[15], drawn[585]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_sessions_that_are_weighed_give_the_interval_of_sessions_that_are_drawn(
    share: float,
) -> None:
    rng = random.Random(8)
    arms = [
        [
            Measured(f"s{unit}", None, None, round(rng.gauss(base + pace, 40)))
            for unit in range(120)
            for pace in [rng.gauss(0, 150)]
            for _ in range(rng.randint(1, 8))
        ]
        for base in (900, 800)
    ]

    found = deltas.quantile_difference(
        arms[0], arms[1], of=lambda call: call.latency_ms, share=share, seed=1, resamples=2000
    )

    assert found is not None
    low, high = naive(arms[0], arms[1], share)
    width = high - low
    assert found.low == pytest.approx(low, abs=0.15 * width)
    assert found.high == pytest.approx(high, abs=0.15 * width)


def test_many_calls_take_no_longer_than_some_and_the_result_says_how_many_count() -> None:
    rng = random.Random(5)
    many = [Measured(str(n), rng.random(), 50, rng.randrange(2000)) for n in range(10_000)]
    began = time.process_time()

    ratio = deltas.cost_ratio(many, many, seed=1)
    slower = deltas.quantile_difference(
        many, many, of=lambda call: call.latency_ms, share=0.5, seed=1
    )

    assert time.process_time() - began < 4  # of a processor; 18 s with every call in every resample
    assert ratio is not None
    assert slower is not None
    assert ratio.units == slower.units == 2 * MOST_UNITS
    assert ratio.low < 1 < ratio.high


def test_the_style_of_the_last_pairs_stands_for_that_of_very_many() -> None:
    rng = random.Random(2)
    differences = [(rng.uniform(-1, 1), 0.0, 0.0, 0.0) for _ in range(style.MOST_PAIRS)]
    outcomes = [float(rng.random() < 0.7) for _ in differences]

    assert style.controlled_win_rate(
        [0.0] * 9000 + outcomes, differences[:1] * 9000 + differences
    ) == (style.controlled_win_rate(outcomes, differences))
