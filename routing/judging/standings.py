"""Who leads, and how sure that is, however often somebody looks. Pure.

A pair counts x = 1 where the challenger B won in both orders, 0 where A did, 0.5 for anything else.
The interval is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas
(arXiv 2103.06476, Theorem 2.2), the e-value a beta mixture against a fair coin (Robbins 1970): both
hold at every moment at once, so that looking after each pair and stopping at will is allowed. A
verdict asks for both.
"""

import math
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["b_better", "a_better", "practically_equal", "not_yet"]

ALPHA = 0.05
LEAST_PAIRS = 50  # fewer prove nothing: the interval is asymptotic
LEAST_VARIANCE = 0.01
LEAST_E = 20.0  # 1 / ALPHA
EQUAL = (0.45, 0.55)  # an interval within is practically equal
LARGEST_LOG_E = 700.0
TUNED_FOR = 50  # pairs at which the interval is narrowest
SRM_ALARM = 1000.0
ERROR_MARGIN = 0.02  # B is not better while it fails so much more often than A

RHO2 = (-2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA)) + 1) / TUNED_FOR


@dataclass(frozen=True)
class Tally:
    """Judged pairs of one challenger B against A."""

    wins: int = 0  # B's
    ties: int = 0
    losses: int = 0

    @property
    def n(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def win_rate(self) -> float | None:
        """The mean of x; None without pairs."""
        return (self.wins + self.ties / 2) / self.n if self.n else None

    @property
    def variance(self) -> float:
        """The sample variance of x, at least LEAST_VARIANCE."""
        n = self.n
        if n < 2:
            return LEAST_VARIANCE
        mean = (self.wins + self.ties / 2) / n
        squares = self.wins + self.ties / 4 - n * mean * mean
        return max(squares / (n - 1), LEAST_VARIANCE)

    @property
    def mirrored(self) -> "Tally":
        return Tally(self.losses, self.ties, self.wins)


def half_width(n: int, variance: float, *, alpha: float = ALPHA) -> float:
    """Half of the interval's width at n pairs."""
    spread = n * variance * RHO2 + 1
    return math.sqrt(spread / (n * n * RHO2) * math.log(spread / (alpha * alpha)))


def interval(tally: Tally, *, challengers: int = 1) -> tuple[float, float] | None:
    """Where the true win rate lies, at every moment at once; None below LEAST_PAIRS."""
    if tally.n < LEAST_PAIRS or tally.win_rate is None:
        return None
    half = half_width(tally.n, tally.variance, alpha=ALPHA / challengers)
    return max(0.0, tally.win_rate - half), min(1.0, tally.win_rate + half)


def e_value(tally: Tally) -> float:
    """The evidence against equally good arms; ties say nothing. 1 is none, 20 is much."""
    w, l = tally.wins, tally.losses  # noqa: E741  the formula's names
    log_e = (w + l) * math.log(2) + _log_beta(w + 0.5, l + 0.5) - _log_beta(0.5, 0.5)
    return math.exp(min(log_e, LARGEST_LOG_E))


def verdict(tally: Tally, *, challengers: int = 1) -> Verdict:
    """What the pairs allow to be said now."""
    found = interval(tally, challengers=challengers)
    if found is None:
        return "not_yet"
    low, high = found
    is_sure = e_value(tally) >= LEAST_E * challengers
    if low > 0.5 and is_sure:
        return "b_better"
    if high < 0.5 and is_sure:
        return "a_better"
    if low > EQUAL[0] and high < EQUAL[1]:
        return "practically_equal"
    return "not_yet"


def split_e_value(a: int, b: int, share: float) -> float:
    """The evidence that units do not fall to B at its planned share: a sample-ratio mismatch."""
    log_e = _log_beta(a + 0.5, b + 0.5) - _log_beta(0.5, 0.5)
    log_e -= a * math.log1p(-share) + b * math.log(share)
    return math.exp(min(log_e, LARGEST_LOG_E))


def is_mismatched(a: int, b: int, share: float) -> bool:
    return split_e_value(a, b, share) >= SRM_ALARM


def excess_of_errors(failed_a: int, n_a: int, failed_b: int, n_b: int) -> float:
    """How much more often B fails than A at the least: Newcombe's 95 % bound, as a share.

    Newcombe 1998, method 10, from Wilson's intervals of both shares; not for peeking.
    """
    if not (n_a and n_b):
        return 0.0
    p_a, p_b = failed_a / n_a, failed_b / n_b
    high_a = wilson(failed_a, n_a)[1]
    low_b = wilson(failed_b, n_b)[0]
    return p_b - p_a - math.sqrt((p_b - low_b) ** 2 + (high_a - p_a) ** 2)


def wilson(hits: float, n: int, *, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % score interval of a share, good for one look at a number of pairs fixed before."""
    if not n:
        return 0.0, 1.0
    p = hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def visible_edge(pairs: int, *, challengers: int = 1) -> float | None:
    """The win rate from which so many pairs without ties likely show a winner; None if too few.

    Where the lower end of the interval comes to lie on one half: half of such runs end sooner.
    """
    if pairs < LEAST_PAIRS:
        return None
    edge = 0.5
    for _ in range(20):  # the variance shrinks with the edge
        variance = max(edge * (1 - edge), LEAST_VARIANCE)
        edge = 0.5 + half_width(pairs, variance, alpha=ALPHA / challengers)
    return edge if edge < 1 else None


def pairs_needed(tally: Tally, *, challengers: int = 1, most: int = 100_000) -> int | None:
    """About how many pairs a verdict takes if things go on like this; None if it is too many."""
    if not tally.n:
        return None
    share = 1 / tally.n
    low, high = LEAST_PAIRS, most
    if not _decides(tally, most * share, challengers):
        return None
    while low < high:
        middle = (low + high) // 2
        if _decides(tally, middle * share, challengers):
            high = middle
        else:
            low = middle + 1
    return low


def _decides(tally: Tally, times: float, challengers: int) -> bool:
    grown = Tally(*(round(part * times) for part in (tally.wins, tally.ties, tally.losses)))
    return verdict(grown, challengers=challengers) != "not_yet"


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
