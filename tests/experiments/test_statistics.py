"""Simulated streams of pairs: how often a verdict is wrong, and how long a right one takes.

Somebody looks after every pair and stops at the first verdict. With FLO2_TEST_FULL=1 there are as
many runs as stand behind the figures in the documentation.
"""

import math
import os
import random
from collections.abc import Callable
from functools import cache
from statistics import median

import pytest

from routing.judging import prompts, results, standings, verdict_format
from routing.judging.prompts import Pair
from routing.judging.standings import Tally
from routing.judging.verdict_format import Choice
from routing.models import Arm, Judgement
from routing.sandbox.writing import judge

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
RUNS = 2000 if FULL else 300
PAIRS = 1000 if FULL else 600

Draw = Callable[[random.Random, int], int]  # half points of B in the nth pair


def coin(rng: random.Random, _: int) -> int:
    return 2 * (rng.random() < 0.5)


def with_ties(share: float) -> Draw:
    return lambda rng, n: 1 if rng.random() < share else coin(rng, n)


def drifting_ties(rng: random.Random, n: int) -> int:
    return 1 if rng.random() < 0.5 + 0.45 * math.sin(n / 60) else coin(rng, n)


def winning(rate: float, ties: float = 0.0) -> Draw:
    """B wins this share of pairs; a tie counts as half of one."""
    decided = (rate - ties / 2) / (1 - ties)
    return lambda rng, _: 1 if rng.random() < ties else 2 * (rng.random() < decided)


@cache
def verdict(wins: int, ties: int, losses: int) -> str:
    return standings.verdict(Tally(wins, ties, losses))


def first_winner(rng: random.Random, draw: Draw, pairs: int) -> tuple[str, int]:
    """The first of a_better and b_better that was ever said, and after how many pairs."""
    counts = [0, 0, 0]
    for n in range(1, pairs + 1):
        counts[draw(rng, n)] += 1
        if n >= standings.LEAST_PAIRS:
            said = verdict(counts[2], counts[1], counts[0])
            if said in {"a_better", "b_better"}:
                return said, n
    return "", pairs


def wilson_excludes_half(rng: random.Random, pairs: int) -> bool:
    wins = 0
    for n in range(1, pairs + 1):
        wins += rng.random() < 0.5
        low, high = standings.wilson(wins, n)
        if n >= standings.LEAST_PAIRS and not low <= 0.5 <= high:
            return True
    return False


@pytest.mark.parametrize(
    "draw",
    [coin, with_ties(0.2), with_ties(0.6), with_ties(0.9), drifting_ties],
    ids=["coin", "20 % ties", "60 % ties", "90 % ties", "drifting ties"],
)
def test_looking_after_every_pair_names_a_false_winner_in_at_most_three_of_a_hundred_runs(
    draw: Draw,
) -> None:
    rng = random.Random(20261120)

    false = sum(bool(first_winner(rng, draw, PAIRS)[0]) for _ in range(RUNS))

    print(f"false winners: {false / RUNS:g}")
    assert false / RUNS <= 0.03


def test_an_interval_for_one_look_would_be_wrong_many_times_as_often() -> None:
    rng = random.Random(20261120)

    false = sum(wilson_excludes_half(rng, PAIRS) for _ in range(RUNS))

    print(f"Wilson's, peeked at: {false / RUNS:g}")
    assert false / RUNS >= 0.25


@pytest.mark.parametrize(
    ("rate", "ties", "expected"),
    [(0.60, 0.0, 249), (0.65, 0.0, 109), (0.70, 0.0, 56), (0.60, 0.3, 156), (0.65, 0.3, 67)],
)
def test_a_winner_is_found_within_the_number_of_pairs_that_is_promised(
    rate: float, ties: float, expected: int
) -> None:
    rng = random.Random(7)
    found = [first_winner(rng, winning(rate, ties), 4000) for _ in range(RUNS)]

    middle = median(pairs for _, pairs in found)
    wrong = sum(said == "a_better" for said, _ in found) / RUNS

    print(f"pairs: {middle:g}")
    print(f"wrong side: {wrong:g}")
    assert abs(middle - expected) <= 0.15 * expected
    assert wrong <= 0.01


@pytest.mark.parametrize("units", [2000 if not FULL else 5000])
def test_a_planned_split_raises_no_alarm_and_a_skewed_one_does(units: int) -> None:
    rng = random.Random(3)
    runs = 300 if not FULL else 2000

    def alarms(true_share: float, most: int) -> bool:
        b = 0
        for n in range(1, most + 1):
            b += rng.random() < true_share
            if n % 10 == 0 and standings.is_mismatched(n - b, b, 0.5):
                return True
        return False

    assert sum(alarms(0.5, units) for _ in range(runs)) / runs <= 0.001 + 1 / runs
    assert sum(alarms(0.55, 5000) for _ in range(60)) / 60 >= 0.95


def test_a_judge_that_takes_whatever_comes_first_ends_in_a_tie_that_nobody_believes() -> None:
    """As the worker judges each pair: in both orders, whatever the answers are."""
    arms = [Arm(name="A", number=0), Arm(name="B", number=1)]
    rows = []
    for number in range(60):
        pair = Pair(
            f"[user]\nQuestion {number}?", "A short answer.", f"Question {number}: a long one."
        )
        said = [judged(one, "first") for one in (pair, pair.swapped)]
        rows.append(
            Judgement(
                challenger="B", kind="pair", style=[0, 0, 0, 0],
                half_points=round(2 * verdict_format.score(*said)),
                is_consistent=verdict_format.is_consistent(*said),
            )
        )  # fmt: skip

    (found,) = results.of(rows, arms, {})

    assert (found.tally.wins, found.tally.ties, found.tally.losses) == (0, 60, 0)
    assert found.tally.win_rate == 0.5
    assert (found.verdict, found.withheld) == ("not_yet", ("judge_unreliable",))


def judged(pair: Pair, behaviour: str) -> Choice:
    asked = prompts.messages(pair, criteria=f"sandbox judge: {behaviour}", mark="0123456789abcdef")
    return verdict_format.read(judge.said(asked[1]["content"]) or "").choice
