"""Discounted statistics: what counts less the older it is, in calls and in time. Pure.

A cell holds a count, a sum and a sum of squares, which fade by half every hundred decisions and
every ten minutes. Fading multiplies and merging adds, so that they may be done in any order.
"""

import math
from array import array

import msgspec

HALF_CALLS = 100.0
HALF_SECONDS = 600.0
PRIOR_COUNT = 1.0
PRIOR_SPREAD = 0.15
LEAST_SPREAD, MOST_SPREAD = 0.02, 0.30
SURE_COUNT = 5.0  # observations of others, before they count as a prior


class Sums(msgspec.Struct, eq=False, gc=False):
    """Count, sum and sum of squares of observations, faded up to a decision and a moment."""

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    calls: float = 0.0
    at: float = 0.0

    def fade(self, calls: float, at: float) -> None:
        """Let time pass, up to the decision of this number and this moment."""
        passed = max(0.0, calls - self.calls) / HALF_CALLS + max(0.0, at - self.at) / HALF_SECONDS
        if passed and self.n:
            weight = 2.0**-passed
            self.n *= weight
            self.total *= weight
            self.squares *= weight
        self.calls, self.at = calls, max(at, self.at)

    def add(self, value: float) -> None:
        self.merge(1.0, value, value * value)

    def merge(self, n: float, total: float, squares: float) -> None:
        """Add what was observed elsewhere since."""
        self.n += n
        self.total += total
        self.squares += squares


class Belief(msgspec.Struct, frozen=True, gc=False):
    """What is believed of the logarithm of a duration: its middle, spread, and how surely."""

    mean: float
    variance: float
    n: float

    @property
    def middle(self) -> float:
        """The mean on the linear scale, logarithmic: sick tails count."""
        return self.mean + self.variance / 2

    @property
    def doubt(self) -> float:
        """Standard deviation of what `middle` may really be."""
        return math.sqrt(self.variance / (self.n + PRIOR_COUNT))


def belief(sums: Sums, prior: float) -> Belief:
    """From faded sums and a prior mean that weighs like one observation."""
    n = sums.n
    mean = (sums.total + PRIOR_COUNT * prior) / (n + PRIOR_COUNT)
    scatter = sums.squares - sums.total * sums.total / n if n > 1e-9 else 0.0
    variance = (scatter + PRIOR_SPREAD * PRIOR_COUNT) / (n + PRIOR_COUNT)
    return Belief(mean, min(max(variance, LEAST_SPREAD), MOST_SPREAD), n)


def censored(seconds: float, known: Belief) -> float:
    """The logarithm to record where all that is known is that it took longer than this.

    The mean of a normal distribution above a point: recording the point itself makes those that
    were given up look fast.
    """
    spread = math.sqrt(known.variance)
    h = (math.log(seconds) - known.mean) / spread
    beyond = math.erfc(h / math.sqrt(2)) / 2
    if beyond < 1e-6:
        return known.mean + spread * (h + 1 / h)
    density = math.exp(-h * h / 2) / math.sqrt(2 * math.pi)
    return known.mean + spread * density / beyond


BINS = 110
GROWTH = math.log(1.1)
SHORTEST = 0.01  # seconds, the lower edge of the first bin
HALF_SAMPLES = 200.0
_STEP = 2.0 ** (1 / HALF_SAMPLES)
_TOO_HEAVY = 1e9


class Histogram:
    """How long it took, in bins that grow by a tenth; halved every two hundred samples."""

    __slots__ = ("_weight", "bins")

    def __init__(self) -> None:
        self.bins = array("d", bytes(8 * BINS))
        self._weight = 1.0  # of the next sample: later ones weigh more instead of earlier ones less

    def add(self, seconds: float) -> None:
        self.bins[bin_of(seconds)] += self._weight
        self._weight *= _STEP
        if self._weight > _TOO_HEAVY:
            for place in range(BINS):
                self.bins[place] /= self._weight
            self._weight = 1.0

    @property
    def count(self) -> float:
        """Samples, faded."""
        return sum(self.bins) / self._weight

    def quantile(self, share: float) -> float:
        """The seconds that this share took at most; 0 where nothing is known."""
        wanted, seen = share * sum(self.bins), 0.0
        for place, weight in enumerate(self.bins):
            if weight and seen + weight >= wanted:
                return edge(place + (wanted - seen) / weight)
            seen += weight
        return 0.0

    def beyond(self, seconds: float) -> tuple[float, float]:
        """How many samples took longer than this, and how much longer on average."""
        first = bin_of(seconds) + 1
        count = more = 0.0
        for place in range(first, BINS):
            if weight := self.bins[place]:
                count += weight
                more += weight * (edge(place + 0.5) - seconds)
        return count / self._weight, more / count if count else 0.0


def bin_of(seconds: float) -> int:
    if seconds <= SHORTEST:
        return 0
    return min(BINS - 1, int(math.log(seconds / SHORTEST) / GROWTH))


def edge(place: float) -> float:
    """The seconds at a place on the scale of bins."""
    return SHORTEST * math.exp(GROWTH * place)
