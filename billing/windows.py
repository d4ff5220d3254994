"""Windows of budgets: from when to when a limit counts. Pure. In UTC, so no day is longer."""

from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

Kind = Literal["day", "week", "month", "total"]
KINDS: tuple[Kind, ...] = ("day", "week", "month", "total")
NEVER = 2**62  # later than every moment in Unix milliseconds


class Window(NamedTuple):
    """Unix milliseconds; the end is the first moment after it."""

    start: int
    end: int

    @property
    def resets_at(self) -> datetime | None:
        """When the next window begins; None for one that never ends."""
        return None if self.end == NEVER else instant(self.end)


def at(kind: str, moment: int, *, since: int) -> Window:
    """The window of this kind that a moment lies in; `since` begins the only one of a total.

    A week begins on Monday.
    """
    if kind == "total":
        return Window(since, NEVER)
    now = instant(moment)
    day = datetime(now.year, now.month, now.day, tzinfo=UTC)
    if kind == "day":
        return Window(milliseconds(day), milliseconds(day + timedelta(days=1)))
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return Window(milliseconds(monday), milliseconds(monday + timedelta(days=7)))
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Window(milliseconds(first), milliseconds(following))


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def instant(moment: int) -> datetime:
    return datetime.fromtimestamp(moment // 1000, tz=UTC) + timedelta(milliseconds=moment % 1000)
