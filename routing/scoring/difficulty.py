"""How much more a strong model helps with a prompt than usual, by its features. Pure.

A linear model, trained by `manage.py train_scorer` on questions that a weak and a strong model got
right or wrong. It knows multiple choice and school maths in English; for open chat it is not asked.
"""

from functools import lru_cache
from pathlib import Path

import msgspec

from routing.scoring.constants import CLIP_FEATURE, LEAST_DIFFICULTY, MOST_DIFFICULTY

FILE = Path(__file__).parent / "weights.json"


class Difficulty(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    means: tuple[float, ...]  # of the features
    scales: tuple[float, ...]  # their standard deviations
    weights: tuple[float, ...]
    mean: float  # of what is predicted for the prompts it was trained on
    scale: float

    def of(self, features: list[float]) -> float:
        """Standard deviations above the usual help of a strong model, from -2 to 2.5."""
        total = 0.0
        for value, mean, scale, weight in zip(
            features, self.means, self.scales, self.weights, strict=True
        ):
            away = (value - mean) / scale
            total += weight * max(-CLIP_FEATURE, min(CLIP_FEATURE, away))
        return max(LEAST_DIFFICULTY, min(MOST_DIFFICULTY, (total - self.mean) / self.scale))


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """The file of weights: what it was made from, and the model."""

    trained_on: str  # SHA-256 of the data
    prompts: int
    difficulty: Difficulty


@lru_cache(maxsize=1)
def shipped() -> Difficulty:
    return read(FILE.read_bytes()).difficulty


def read(raw: bytes) -> Shipped:
    return msgspec.json.decode(raw, type=Shipped)


def written(made: Shipped) -> bytes:
    return msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
