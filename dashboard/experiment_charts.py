"""Drawings of an experiment: the win rate and its shrinking interval, cost and quality. Pure.

Like `charts`: stretched SVG of lines and areas; words and figures beside them are HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from routing.judging import standings
from routing.judging.results import PairResult, tally_of

WIDTH, HEIGHT = 1000, 240
MOST_POINTS = 100


@dataclass(frozen=True)
class Row:
    """The standing after so many pairs, for the table beside the drawing."""

    n: int
    win_rate: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Course:
    """The win rate after each pair: a line, and the interval around it once it is shown."""

    line: str  # points of a polyline
    band: str  # points of a polygon; empty before there is an interval
    rows: tuple[Row, ...]  # the newest first
    pairs: int
    width: int = WIDTH
    height: int = HEIGHT
    middle: int = HEIGHT // 2


@dataclass(frozen=True)
class Dot:
    """An arm by its cost per call and its win rate, in percent from the left and from above."""

    name: str
    x: float
    y: float
    cost: Decimal
    win_rate: float

    @property
    def is_right(self) -> bool:
        """Its words have more room to the left."""
        return self.x > 50


def course(pair: PairResult, *, challengers: int) -> Course | None:
    """How the win rate came to be; None without pairs."""
    count = len(pair.points)
    if not count:
        return None
    rows = [_row(pair.points[:n], challengers) for n in _stops(count)]
    with_band = [row for row in rows if row.low is not None and row.high is not None]
    upper = [_point(row.n, row.high or 0.0, count) for row in with_band]
    lower = [_point(row.n, row.low or 0.0, count) for row in reversed(with_band)]
    return Course(
        line=" ".join(_point(row.n, row.win_rate, count) for row in rows),
        band=" ".join([*upper, *lower]) if len(with_band) > 1 else "",
        rows=tuple(reversed(rows)),
        pairs=count,
    )


def dots(costs: Sequence[tuple[str, Decimal | None, float | None]]) -> list[Dot]:
    """The arms of which both cost and quality are known."""
    known = [
        (name, cost, rate) for name, cost, rate in costs if cost is not None and rate is not None
    ]
    top = max((cost for _, cost, _ in known), default=Decimal(0)) * Decimal("1.15")
    if not top or len(known) < 2:
        return []
    return [
        Dot(name, round(float(cost / top) * 100, 1), round((1 - rate) * 100, 1), cost, rate)
        for name, cost, rate in known
    ]


def _stops(count: int) -> list[int]:
    """Numbers of pairs at which the course is drawn: all, or evenly chosen ones."""
    step = max(1, count // MOST_POINTS)
    return [*range(step, count, step), count]


def _row(points: Sequence[int], challengers: int) -> Row:
    tally = tally_of(points)
    found = standings.interval(tally, challengers=challengers)
    low, high = found or (None, None)
    return Row(tally.n, tally.win_rate or 0.0, low, high)


def _point(n: int, rate: float, count: int) -> str:
    return f"{n / count * WIDTH:.1f},{(1 - rate) * HEIGHT:.1f}"
