"""Ends of calls that the journal could not take: they wait in memory for either store.

A full disk or a broken one is no reason to forget what a call cost. The request path puts its facts
here; the shipper books them into the database, or the journal takes them once it can be written.
"""

import logging
import threading
from collections import deque

from billing.facts import Fact

log = logging.getLogger(__name__)

MOST = 10_000  # ends; no call is opened meanwhile, so there are hardly more than calls in flight


class End:
    """The facts of one call, from its opening to its settlement."""

    __slots__ = ("facts", "is_kept")

    def __init__(self, facts: tuple[Fact, ...]) -> None:
        self.facts, self.is_kept = facts, False


class Unwritten:
    """What waits. Used from the loop's thread and the shipper's."""

    def __init__(self) -> None:
        self._ends: deque[End] = deque()
        self._lock = threading.Lock()
        self.lost = 0

    def __len__(self) -> int:
        return len(self._ends)

    def put(self, end: End) -> None:
        with self._lock:
            if len(self._ends) >= MOST:
                self._ends.popleft()
                self.lost += 1
                log.error("the end of a call is lost: neither journal nor database takes it")
            self._ends.append(end)

    def take(self) -> list[End]:
        """All that waits; whoever takes it keeps it or gives it back."""
        with self._lock:
            taken = list(self._ends)
            self._ends.clear()
        return taken

    def give_back(self, ends: list[End]) -> None:
        with self._lock:
            self._ends.extendleft(reversed(ends))


def kept(ends: list[End]) -> None:
    """They are in one of the stores: whoever waits for that may go on."""
    for end in ends:
        end.is_kept = True
