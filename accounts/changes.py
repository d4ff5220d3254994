"""The change feed that keeps in-process caches fresh.

Whoever changes a key, a tenant or a price writes a `Change` row in the same transaction. Each
process that caches such rows runs a `Feed`: every 250 ms it reads the rows since its last good look
and of half a minute before that, in database time, and hands those it has not seen to the caches.
Rows are found by time and not by number, because numbers of a sequence commit out of order.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import close_old_connections, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.models import Change

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
LOOK_BACK = timedelta(seconds=30)  # the longest from a change to the end of its transaction
KEPT = timedelta(hours=1)
FRESH_SECONDS = 1.0  # entries serve while the last good poll began at most this long ago
CUT_OFF_SECONDS = 60.0  # and this long when the database cannot be reached

# (tenant id, id of what changed); without either, anything of this kind may have changed
Listener = Callable[[UUID | None, UUID | None], None]
_listeners: dict[str, list[Listener]] = {}


def record(kind: str, *, tenant: UUID | None, subject: UUID | None = None) -> None:
    """Note a change, in the caller's transaction."""
    Change.objects.create(kind=kind, tenant=tenant, subject=subject)


def listen(kind: str, listener: Listener) -> None:
    """Have a cache told of each change of this kind."""
    _listeners.setdefault(kind, []).append(listener)


def announce(kind: str, tenant: UUID | None, subject: UUID | None) -> None:
    """Tell the caches of this process, each of them, though another may fail."""
    for listener in _listeners.get(kind, ()):
        try:
            listener(tenant, subject)
        except Exception:
            log.exception("change feed: a cache could not be told", extra={"kind": kind})


def announce_all() -> None:
    """Tell the caches of this process that anything may have changed."""
    for kind in list(_listeners):
        announce(kind, None, None)


def forget_old() -> int:
    """Delete rows that feeds have read; the number of rows deleted."""
    return Change.objects.filter(created_at__lt=Now() - KEPT).delete()[0]


class Feed:
    """Polls in a thread of its own. `age` and `generation` are read by any thread."""

    def __init__(self) -> None:
        self.generation = 0  # rises with every change that was announced
        self._good_at = time.monotonic()
        self._good_wall = time.time()  # runs on while the machine sleeps
        self._seen: deque[int] = deque(maxlen=10_000)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def age(self) -> float:
        """Seconds since the last good poll began."""
        return time.monotonic() - self._good_at

    def start(self) -> None:
        self._seen.extend(row for row, *_ in self._recent(timedelta()))
        self._good_at, self._good_wall = time.monotonic(), time.time()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="change-feed", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=5)

    def poll(self) -> None:
        """Read what is new and tell the caches. Raises DatabaseError."""
        began, began_wall = time.monotonic(), time.time()
        gap = timedelta(seconds=max(began - self._good_at, began_wall - self._good_wall))
        if gap > KEPT - LOOK_BACK:  # what changed meanwhile may be forgotten already
            self.generation += 1
            announce_all()
        rows = list(self._recent(min(gap, KEPT)))
        seen = set(self._seen) if rows else set()
        for row, kind, tenant, subject in rows:
            if row in seen:
                continue
            self._seen.append(row)
            self.generation += 1
            announce(kind, tenant, subject)
        self._good_at, self._good_wall = began, began_wall

    def _recent(
        self, gap: timedelta
    ) -> QuerySet[Change, tuple[int, str, UUID | None, UUID | None]]:
        """What is new since a look so long ago, and what was committed late."""
        rows = Change.objects.filter(created_at__gte=Now() - LOOK_BACK - gap).order_by("id")
        return rows.values_list("id", "kind", "tenant", "subject")

    def _run(self) -> None:
        failing = False
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.poll()
                failing = False
            except Exception:  # the thread's edge: without a feed all caches grow stale
                if not failing:
                    log.warning("change feed: the database cannot be read", exc_info=True)
                failing = True
                close_old_connections()
        connection.close()


feed = Feed()
