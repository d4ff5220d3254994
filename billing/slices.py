"""A process's part of one window of a hard budget, in memory."""

import asyncio
import threading

from billing import money, windows
from billing.known_budgets import Terms
from billing.lease_rows import Granted, WindowKey


class Slice:
    """This process's part of one window. Amounts are pico-dollars."""

    def __init__(self, terms: Terms, key: WindowKey, end: int) -> None:
        self.terms, self.key, self.end = terms, key, end
        self.free = 0
        self.reserved = 0
        self.waiting = 0  # calls that reserved here and are not booked yet
        self.used_at = 0.0
        self.stands: Granted | None = None  # as the window stood when it was asked last
        self.asked_at = 0.0
        self.low = 0
        self.refused: tuple[float, int] = (0.0, 0)  # until when, from which need on
        self.failed_at = float("-inf")  # when the database was asked last and did not answer
        self.is_called_back = False
        self.doubts = 0  # how often the budget may have changed
        self.is_doubted = False  # so nothing is spent before the window was asked
        self.raised_until = windows.NEVER  # Unix ms: then the limit falls
        self.is_topping_up = False
        self.gate = asyncio.Lock()  # one at a time asks for more
        self.moving = threading.Lock()  # held while the lease's row is changed

    def refuses(self, need: int, now: float) -> bool:
        until, least = self.refused
        return now < until and need >= least

    def has(self, need: int) -> bool:
        """Whether it pays for so much: money of a limit that has fallen pays for nothing.

        What costs nothing needs no money.
        """
        return not need or (self.free >= need and not self.is_doubted)

    def doubt(self) -> None:
        self.doubts += 1
        self.is_doubted = True

    @property
    def room(self) -> int:
        """What its window had left for others when it was asked last."""
        return self.stands.room if self.stands else 0

    @property
    def is_in_plenty(self) -> bool:
        """Whether half of the limit is nobody's: then nobody misses what lies idle here."""
        return self.stands is not None and 2 * self.room >= money.to_pico(self.stands.limit)
