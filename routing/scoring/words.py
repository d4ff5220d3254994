"""What a tenant's own labels say about the words of its prompts: sparse weights, learned online.

AdaGrad, one pass, as labels arrive. Pure. The weights count only while they help: from 200 labels
on, and while they predicted the last 200 labels, each before it was learnt, better than without.
"""

import math
from collections import deque

from routing.scoring.constants import WORDS_FROM, WORDS_LIMIT, WORDS_RATE
from routing.scoring.features import Hashed


def shift(weights: dict[int, float], hashed: Hashed) -> float:
    """How far a prompt's words move the gap between models, at most 0.3 either way."""
    return max(-WORDS_LIMIT, min(WORDS_LIMIT, _product(weights, hashed)))


def _product(weights: dict[int, float], hashed: Hashed) -> float:
    return sum(weights.get(bucket, 0.0) * share for bucket, share in hashed)


class Words:
    def __init__(self) -> None:
        self.weights: dict[int, float] = {}
        self._slopes: dict[int, float] = {}  # sums of squared gradients
        self._gained: deque[float] = deque(maxlen=WORDS_FROM)  # squared error saved, per label

    @property
    def helps(self) -> bool:
        return len(self._gained) == WORDS_FROM and math.fsum(self._gained) > 0

    def learn(self, hashed: Hashed, *, expected: float, part: float, seen: float) -> None:
        """One label: the gap `expected` without the words, and the one `seen`, from -1 to 1.

        `part` is the gap of the two models in parts of the largest one.
        """
        missed = expected - seen
        error = missed + part * _product(self.weights, hashed)
        self._gained.append(missed**2 - error**2)
        for bucket, share in hashed:
            gradient = error * part * share
            slope = self._slopes.get(bucket, 0.0) + gradient**2
            self._slopes[bucket] = slope
            step = WORDS_RATE * gradient / (math.sqrt(slope) + WORDS_RATE)
            self.weights[bucket] = self.weights.get(bucket, 0.0) - step
