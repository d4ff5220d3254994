"""What a tenant's own labels teach: a quality per task and model, shrunk to the priors. Pure.

A judged pair is an unbiased sample of the difference of two models' qualities (exact where answers
are right or wrong); a user's score says a little about one. Labels fade with a half-life; a new
version of a model has another name and begins anew. What is learned is plain data (`Knowledge`), so
that whoever gathers labels can hand it to the processes that route.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from routing.plan.ranking import Measured
from routing.scoring import features, rates
from routing.scoring.constants import (
    HALF_LIFE_DAYS,
    HARD,
    HARD_WEIGHT,
    LEAST_FACTOR,
    PER_DIFFICULTY,
    RATING_WEIGHT,
    USES_DIFFICULTY,
)
from routing.scoring.difficulty import Difficulty, shipped
from routing.scoring.features import Window
from routing.scoring.shrinkage import Sums, solved
from routing.scoring.words import Words

HALF_LIFE = timedelta(days=HALF_LIFE_DAYS)
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Qualities = dict[str, float]  # by model, as `priors.name_of` writes it
Prior = Callable[[str], float]
Key = TypeVar("Key")


class Judged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Pairs of answers: `score` is 1 where b's was better, 0 where a's was, 0.5 for a tie.

    Only of reliable judges; never a canary. `count` of them came out alike on a day.
    """

    a: str
    b: str
    score: float
    task: str
    at: datetime
    count: int = 1


class Rated(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Users' scores of a model's answers, from -1 to 1: `count` of them, and their mean.

    The task is empty where it is not known: then they teach of all tasks together.
    """

    model: str
    score: float
    task: str
    at: datetime
    count: int = 1


class Knowledge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that a scorer needs of a tenant."""

    overall: Qualities = {}
    by_task: dict[str, Qualities] = {}
    labels: dict[str, float] = {}  # by task, faded
    words: dict[int, float] = {}  # empty unless they help
    measured: dict[str, dict[str, Measured]] = {}  # by task, by model

    def quality(self, task: str, model: str) -> float | None:
        """None where nothing was learned of the model."""
        of_task = self.by_task.get(task)
        if of_task is not None and (known := of_task.get(model)) is not None:
            return known
        return self.overall.get(model)

    def factor(self, task: str, seen: Callable[[], Window], difficulty: Difficulty) -> float:
        """How much further apart models are than usual: by the task, and by the prompt."""
        labels = self.labels.get(task, 0.0)
        by_task = (labels + HARD_WEIGHT * HARD[task]) / (labels + HARD_WEIGHT)
        if task not in USES_DIFFICULTY:
            return by_task
        harder = difficulty.of(features.features(seen()))
        return by_task * max(LEAST_FACTOR, 1 + PER_DIFFICULTY * harder)


NOTHING = Knowledge()


class Learner:
    """Takes a tenant's labels in any order and says what follows from them."""

    def __init__(self, prior: Prior, difficulty: Difficulty | None = None) -> None:
        self._prior = prior
        self._difficulty = difficulty or shipped()
        self._pairs: dict[str, dict[tuple[str, str], _Faded]] = defaultdict(dict)
        self._lost: dict[str, dict[tuple[str, str], _Faded]] = defaultdict(dict)
        self._ratings: dict[str, dict[str, _Faded]] = defaultdict(dict)
        self._every_rating = _Faded()
        self.words = Words()
        self.known = NOTHING  # as of the last solution

    def judged(self, label: Judged, text: str = "") -> None:
        """Count a pair. With the text of the prompt, which is not kept, its words teach too."""
        if label.a == label.b:
            return
        gain = 2 * label.score - 1
        low, high, oriented = (
            (label.a, label.b, gain) if label.a < label.b else (label.b, label.a, -gain)
        )
        cell = self._pairs[label.task].setdefault((low, high), _Faded())
        cell.add(label.count, label.count * oriented, label.at)
        for model, rival, lost in (
            (label.a, label.b, label.score == 1), (label.b, label.a, label.score == 0),
        ):  # fmt: skip
            cell = self._lost[label.task].setdefault((model, rival), _Faded())
            cell.add(label.count, label.count * lost, label.at)
        if text:
            self._learn_words(label, features.window(text))

    def rated(self, label: Rated) -> None:
        cell = self._ratings[label.task].setdefault(label.model, _Faded())
        weight = RATING_WEIGHT * label.count
        for one in (cell, self._every_rating):
            one.add(weight, weight * label.score, label.at)

    def solve(self, now: datetime) -> Knowledge:
        """What is known now. Pairs × sweeps steps: beside the request path."""
        pairs = {task: _faded(cells, now) for task, cells in self._pairs.items()}
        ratings = {task: _faded(cells, now) for task, cells in self._ratings.items()}
        weight, total = self._every_rating.at_time(now)
        usual = total / weight if weight else 0.0
        overall = solved(_sums(pairs.values()), _sums(ratings.values()), self._prior, usual)
        by_task = {
            task: solved(
                pairs.get(task, {}),
                ratings.get(task, {}),
                lambda name: overall[name],
                usual,
            )
            for task in pairs.keys() | ratings.keys()
        }
        counts = {task: sum(n for n, _ in cells.values()) for task, cells in pairs.items()}
        words = dict(self.words.weights) if self.words.helps else {}
        measured = {
            task: rates.measured(_faded(cells, now), by_task[task])
            for task, cells in self._lost.items()
        }
        self.known = Knowledge(
            overall=overall, by_task=by_task, labels=counts, words=words, measured=measured
        )
        return self.known

    def _learn_words(self, label: Judged, seen: Window) -> None:
        """The pair the way the table holds it: from the worse model to the better."""

        def quality(model: str) -> float:
            learned = self.known.quality(label.task, model)
            return self._prior(model) if learned is None else learned

        gap = quality(label.b) - quality(label.a)
        gain = 2 * label.score - 1
        if gap < 0:
            gap, gain = -gap, -gain
        pool = [quality(model) for pair in self._pairs[label.task] for model in pair]
        largest = max(pool) - min(pool)
        if largest > 0:
            expected = gap * self.known.factor(label.task, lambda: seen, self._difficulty)
            part = gap / largest
            self.words.learn(features.hashed(seen), expected=expected, part=part, seen=gain)


class _Faded:
    """A weight and a sum that halve every sixty days."""

    __slots__ = ("_at", "_total", "_weight")

    def __init__(self) -> None:
        self._weight = self._total = 0.0
        self._at = _EPOCH

    def add(self, weight: float, total: float, at: datetime) -> None:
        """In any order: what is older than the rest counts as much less."""
        if at > self._at:
            self._weight, self._total = self.at_time(at)
            self._at = at
        share = _share(self._at - at)
        self._weight += weight * share
        self._total += total * share

    def at_time(self, now: datetime) -> tuple[float, float]:
        share = _share(now - self._at)
        return self._weight * share, self._total * share


def _share(age: timedelta) -> float:
    return math.exp2(-(age / HALF_LIFE))


def _faded(cells: Mapping[Key, _Faded], now: datetime) -> dict[Key, Sums]:
    return {key: cell.at_time(now) for key, cell in cells.items()}


def _sums(several: Iterable[Mapping[Key, Sums]]) -> dict[Key, Sums]:
    added: dict[Key, Sums] = {}
    for cells in several:
        for key, (weight, total) in cells.items():
            before = added.get(key, (0.0, 0.0))
            added[key] = (before[0] + weight, before[1] + total)
    return added
