"""The timetable's clock: Celery's scheduler, which a clock that is set back must not stop."""

from datetime import timedelta
from typing import Any

from celery.beat import PersistentScheduler

# Celery plans by the wall clock. Set back by a day, it would wake nothing for a day.
TOLERANCE = timedelta(seconds=1)


class Scheduler(PersistentScheduler):  # type: ignore[misc]
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
