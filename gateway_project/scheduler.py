"""The timetable's clock: Celery's scheduler, which a clock that is set back must not stop."""

import dbm.dumb
import shelve
from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler

# Celery plans by the wall clock. Set back by a day, it would wake nothing for a day.
TOLERANCE = timedelta(seconds=1)


class _PlainFiles:
    """Where it notes what ran when.

    Berkeley DB, which some Pythons take for it, waits for ever for the maker of a file that a full
    disk or a kill left half made, and fails where two share one (seen with 5.3, 2026-11-20).
    """

    @staticmethod
    def open(filename: str, *, writeback: bool) -> shelve.Shelf[Any]:
        file: Any = dbm.dumb.open(filename)  # noqa: SIM115  whoever opens the shelf closes it
        return shelve.Shelf(file, writeback=writeback)


class Scheduler(PersistentScheduler):  # type: ignore[misc]
    persistence = _PlainFiles

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if self._forget_the_future():
            self._heap = None  # planned anew
        wait: float = super().tick(*args, **kwargs)
        return wait

    def _forget_the_future(self) -> bool:
        """What ran later than now ran just now; whether there was any."""
        entries = self.schedule.values()
        ahead = [one for one in entries if one.last_run_at > one.default_now() + TOLERANCE]
        for one in ahead:
            one.last_run_at = one.default_now()
        return bool(ahead)
