"""How often the same candidate may be tried again: a share of a tenant's calls to a provider. Pure.

Retries of a provider that is down are what keeps it down, so they are paid from a budget that
calls fill. Moving on to another candidate costs nothing.
"""

import msgspec

AT_START, MOST = 10.0, 20.0
PER_CALL, PER_SECOND = 0.2, 0.3


class RetryBudget(msgspec.Struct, eq=False):
    """What one tenant has left for one provider. Times are seconds on any clock."""

    at: float
    left: float = AT_START

    def called(self, now: float) -> None:
        self._fill(now)
        self.left = min(MOST, self.left + PER_CALL)

    def take(self, now: float) -> bool:
        """Pay for one retry; False if there is nothing left to pay with."""
        self._fill(now)
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def _fill(self, now: float) -> None:
        self.left = min(MOST, self.left + max(0.0, now - self.at) * PER_SECOND)
        self.at = now
