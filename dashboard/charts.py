"""Charts as data for server-drawn SVG. Pure.

Drawings are stretched to the width of the page (`preserveAspectRatio="none"`), so they hold only
bars and lines; every word and figure beside them is HTML. Each chart has a table with the same
figures.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.money import ZERO
from billing.provider_health import HealthHour
from dashboard import figures
from dashboard.marks import TINTS

WIDTH, HEIGHT = 1000, 240
TICKS = 4
AIR = 0.22  # the share of a day's room that stays free beside its bar
OTHER = "everything else"
_STEPS = tuple(map(Decimal, ("1", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")))

Amounts = Mapping[tuple[date, str], Decimal]


@dataclass(frozen=True)
class Series:
    name: str
    tint: int | str  # index into the palette, or "other"
    total: Decimal


@dataclass(frozen=True)
class Bar:
    tint: int | str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Column:
    """One day: its bars from the bottom up, and what it says when pointed at."""

    day: date
    x: float
    width: float
    bars: tuple[Bar, ...]
    total: Decimal
    parts: tuple[tuple[Series, Decimal], ...]


@dataclass(frozen=True)
class TableRow:
    """One day in words: an amount for each series, in their order."""

    day: date
    amounts: tuple[Decimal, ...]
    total: Decimal


@dataclass(frozen=True)
class Stacked:
    columns: tuple[Column, ...]
    series: tuple[Series, ...]
    ticks: tuple[str, ...]  # from the top down, evenly spaced, the last one is zero
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def lines(self) -> list[int]:
        """Where the ticks' lines lie."""
        return [HEIGHT * step // TICKS for step in range(TICKS + 1)]

    @property
    def table(self) -> list[TableRow]:
        """The days on which anything was spent, the newest first."""
        rows = []
        for column in reversed(self.columns):
            amounts = dict(column.parts)
            if amounts:
                cells = tuple(amounts.get(series, ZERO) for series in self.series)
                rows.append(TableRow(column.day, cells, column.total))
        return rows

    @property
    def marked_days(self) -> list[date]:
        """The days that the axis names: first, middle and last."""
        days = [column.day for column in self.columns]
        return days if len(days) < 3 else [days[0], days[len(days) // 2], days[-1]]


def stacked(days: Sequence[date], amounts: Amounts, tints: Mapping[str, int]) -> Stacked | None:
    """Amounts by day and name as stacked bars; None when nothing was spent.

    The dearest names get a colour of their own, the one in `tints` where it is free; the rest is
    one bar.
    """
    series = _series(amounts, tints)
    if not series:
        return None
    shown = {one.name: one for one in series}
    by_day: defaultdict[date, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for (day, name), amount in amounts.items():
        by_day[day][name if name in shown else OTHER] += amount
    top = scale(max(sum(parts.values(), start=ZERO) for parts in by_day.values()))
    slot = WIDTH / len(days)
    columns = tuple(
        _column(day, place * slot, slot, [(one, by_day[day][one.name]) for one in series], top)
        for place, day in enumerate(days)
    )
    ticks = tuple(figures.usd(top * step / TICKS) for step in range(TICKS, -1, -1))
    return Stacked(columns, series, ticks)


def scale(largest: Decimal) -> Decimal:
    """The round amount that the axis ends with: four even steps that hold the largest value.

    >>> scale(Decimal("3.2")), scale(Decimal("0.0021"))
    (Decimal('4'), Decimal('0.004'))
    """
    if largest <= 0:
        return Decimal(1)
    unit = Decimal(1).scaleb((largest / TICKS).adjusted())
    step = next(step for step in _STEPS if step * unit * TICKS >= largest)
    top = step * unit * TICKS
    return top.normalize() if top.adjusted() < 0 else Decimal(f"{top.normalize():f}")


def _series(amounts: Amounts, tints: Mapping[str, int]) -> tuple[Series, ...]:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (_, name), amount in amounts.items():
        totals[name] += amount
    spent = sorted(
        ((name, total) for name, total in totals.items() if total),
        key=lambda item: (-item[1], item[0]),
    )
    free = list(range(TINTS))
    series: list[Series] = []
    for name, total in spent[:TINTS]:
        tint = tints.get(name, free[0])
        tint = tint if tint in free else free[0]
        free.remove(tint)
        series.append(Series(name, tint, total))
    if rest := sum((total for _, total in spent[TINTS:]), start=ZERO):
        series.append(Series(OTHER, "other", rest))
    return tuple(series)


def _column(
    day: date, x: float, slot: float, parts: list[tuple[Series, Decimal]], top: Decimal
) -> Column:
    used = tuple((series, amount) for series, amount in parts if amount)
    total = sum((amount for _, amount in used), start=ZERO)
    return Column(day, round(x, 2), round(slot, 2), _bars(used, x, slot, top), total, used)


def _bars(
    parts: tuple[tuple[Series, Decimal], ...], x: float, slot: float, top: Decimal
) -> tuple[Bar, ...]:
    """The parts of a day on top of each other, from the axis up."""
    left, width = round(x + slot * AIR / 2, 2), round(slot * (1 - AIR), 2)
    bars: list[Bar] = []
    y = float(HEIGHT)
    for series, amount in parts:
        height = float(amount / top) * HEIGHT
        y -= height
        bars.append(Bar(series.tint, left, round(y, 2), width, round(height, 2)))
    return tuple(bars)


# How good an hour was: the least share of attempts that succeeded, its name, its height. Height
# says the same as colour does.
_MOODS = ((0.99, "good", 20), (0.9, "fair", 14), (0.0, "poor", 8))


@dataclass(frozen=True)
class Cell:
    """An hour of a provider, on a drawing of 240 × 20."""

    x: float
    y: int
    height: int
    mood: str
    says: str


def strip(hours: Sequence[HealthHour]) -> list[Cell]:
    """One cell for each hour, the oldest at the left."""
    return [_cell(place, hour) for place, hour in enumerate(hours)]


def _cell(place: int, hour: HealthHour) -> Cell:
    x = place * 10 + 0.7
    begins = f"{hour.start:%H:%M} UTC"
    if hour.share is None:
        return Cell(x, 17, 3, "idle", f"{begins}: not asked")
    mood, height = next((name, size) for least, name, size in _MOODS if hour.share >= least)
    says = f"{begins}: {figures.percent(hour.share)} of {hour.attempts} attempts good"
    return Cell(x, 20 - height, height, mood, says)


@dataclass(frozen=True)
class Span:
    """An attempt on the time line of its call, in thousandths of its width."""

    x: float
    width: float
    first_token: float | None


def span(started: int, first_token: int | None, ended: int, *, total: int) -> Span:
    """Where an attempt lies on a line of `total` milliseconds; at least a sliver is drawn."""
    unit = WIDTH / max(total, 1)
    width = max((ended - started) * unit, 4.0)
    x = min(started * unit, WIDTH - width)
    mark = None if first_token is None else round(min(first_token * unit, WIDTH - 2.0), 2)
    return Span(round(x, 2), round(width, 2), mark)
