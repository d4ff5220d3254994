"""Periods of whole UTC days. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from accounts import ids

LONGEST_DAYS = 400
FIRST_YEAR, LAST_YEAR = 1970, 9998
EARLIEST = date(FIRST_YEAR, 1, 1)
_ID_MARGIN = timedelta(hours=1)


class BadPeriod(ValueError):
    """Not a period: an end before its start, too long, or not a date."""


@dataclass(frozen=True)
class Period:
    """Whole days of UTC, both ends included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first.year < FIRST_YEAR or self.last.year > LAST_YEAR:
            raise BadPeriod(f"dates lie between {FIRST_YEAR} and {LAST_YEAR}")
        if self.last < self.first:
            raise BadPeriod("the period ends before it starts")
        if (self.last - self.first).days >= LONGEST_DAYS:
            raise BadPeriod(f"a period has at most {LONGEST_DAYS} days")

    @property
    def start(self) -> datetime:
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The instant after the last day."""
        return datetime(self.last.year, self.last.month, self.last.day, tzinfo=UTC) + timedelta(1)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def __iter__(self) -> Iterator[date]:
        for number in range(self.days):
            yield self.first + timedelta(days=number)


def last_days(count: int, now: datetime) -> Period:
    """The last so many days, today included."""
    today = now.astimezone(UTC).date()
    return Period(today - timedelta(days=count - 1), today)


def read(first: str, last: str, *, now: datetime, default_days: int = 30) -> Period:
    """A period from two ISO dates, either of which may be empty. Raises BadPeriod."""
    try:
        end = date.fromisoformat(last[:10]) if last else now.astimezone(UTC).date()
        start = date.fromisoformat(first[:10]) if first else end - timedelta(default_days - 1)
    except (ValueError, OverflowError):
        raise BadPeriod("dates are written 2026-11-20") from None
    return Period(start, end)


def first_id(start: datetime) -> UUID:
    """No call that was opened from then on has an id below this one.

    A call is opened when its id is made; the margin is for rows in which it counts from when the
    body was read. Whoever wants an exact period has to look at `created_at`, too.
    """
    return _id_at(start - _ID_MARGIN)


def id_after(end: datetime) -> UUID:
    """All calls that were opened before then have ids below this one."""
    return _id_at(end + _ID_MARGIN)


def _id_at(at: datetime) -> UUID:
    return ids.first_after(int(at.timestamp() * 1000))
