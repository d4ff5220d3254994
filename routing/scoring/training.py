"""Trains the difficulty of prompts on pairs of outcomes: plain Python, seconds, same result. Pure.

Ridge regression of (strong - weak) on the standardised features.
"""

import gzip
import hashlib
import math
from collections.abc import Sequence
from operator import mul
from pathlib import Path
from typing import NamedTuple

import msgspec

from routing.scoring import features
from routing.scoring.constants import CLIP_FEATURE, RIDGE
from routing.scoring.difficulty import Difficulty, Shipped

DIGITS = 6  # significant ones that are kept: the same file on every machine

Column = list[float]


class NoPairs(Exception):
    """There is nothing to learn from."""


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A prompt and whether the weak and the strong model got it right: 1 or 0."""

    prompt: str
    task: str
    domain: str
    weak: float
    strong: float


class Example(NamedTuple):
    features: list[float]
    gain: float  # strong - weak


def read(path: Path) -> list[Pair]:
    lines = gzip.decompress(path.read_bytes()).splitlines()
    decoder = msgspec.json.Decoder(Pair)
    return [decoder.decode(line) for line in lines]


def train(path: Path) -> Shipped:
    """The file of weights that follows from a file of pairs. Raises NoPairs."""
    pairs = read(path)
    if not pairs:
        raise NoPairs("it holds no pairs")
    difficulty = fit([example(pair) for pair in pairs])
    return Shipped(
        trained_on=hashlib.sha256(path.read_bytes()).hexdigest(),
        prompts=len(pairs),
        difficulty=_rounded(difficulty),
    )


def example(pair: Pair) -> Example:
    seen = features.window(pair.prompt)
    return Example(features.features(seen), pair.strong - pair.weak)


def fit(examples: Sequence[Example]) -> Difficulty:
    columns = [list(column) for column in zip(*(one.features for one in examples), strict=True)]
    means = [_mean(column) for column in columns]
    scales = [_deviation(column, mean) for column, mean in zip(columns, means, strict=True)]
    standard = [
        _standardised(column, mean, scale)
        for column, mean, scale in zip(columns, means, scales, strict=True)
    ]
    usual = _mean([one.gain for one in examples])
    gains = [one.gain - usual for one in examples]
    matrix = [[_product(one, other) for other in standard] for one in standard]
    for i, row in enumerate(matrix):
        row[i] += RIDGE
    weights = _solved(matrix, [_product(column, gains) for column in standard])
    predicted = [_product(weights, row) for row in zip(*standard, strict=True)]
    mean = _mean(predicted)
    return Difficulty(
        means=tuple(means),
        scales=tuple(scales),
        weights=tuple(weights),
        mean=mean,
        scale=_deviation(predicted, mean),
    )


def _standardised(column: Column, mean: float, scale: float) -> Column:
    return [max(-CLIP_FEATURE, min(CLIP_FEATURE, (value - mean) / scale)) for value in column]


def _mean(values: Column) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Column, mean: float) -> float:
    """The standard deviation; 1 where nothing differs, so that one can divide by it."""
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)) or 1.0


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(map(mul, one, other))


def _solved(matrix: list[Column], right: Column) -> Column:
    """Gauss's elimination. The ridge keeps every pivot away from zero."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for i, pivot in enumerate(rows):
        for other in rows[i + 1 :]:
            factor = other[i] / pivot[i]
            for j in range(i, size + 1):
                other[j] -= factor * pivot[j]
    solution = [0.0] * size
    for i in reversed(range(size)):
        known = _product(rows[i][i + 1 : size], solution[i + 1 :])
        solution[i] = (rows[i][size] - known) / rows[i][i]
    return solution


def _rounded(made: Difficulty) -> Difficulty:
    def short(value: float) -> float:
        return float(f"{value:.{DIGITS}g}")

    return Difficulty(
        means=tuple(map(short, made.means)),
        scales=tuple(map(short, made.scales)),
        weights=tuple(map(short, made.weights)),
        mean=short(made.mean),
        scale=short(made.scale),
    )
