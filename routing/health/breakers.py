"""Breakers and rests: who is not to be asked for a while, and who may be the one that finds out.

A breaker counts failures that are the provider's own; it opens after five in a row or when half of
the last half minute failed, and lets one real call probe. A rest is what one refusal means for one
key: a rate limit, an empty account, a rejected secret. Times are seconds on an injected clock.
"""

import math
from collections import deque
from collections.abc import Hashable
from random import Random
from typing import NamedTuple

import msgspec

from routing.upstream.failures import Failure, FailureKind

IN_A_ROW = 5
WINDOW_SECONDS = 30.0
WINDOW_LEAST = 20  # calls, before a share of failures means anything
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
PROBE_SECONDS = 30.0  # after which a probe that said nothing no longer holds others back
LONGEST_RATE_LIMIT = 60.0
HOUR = 3600.0

# What a refusal means for this key and this model: seconds, and the code of the exclusion. Where
# no seconds stand, the failure itself says how long.
RESTS: dict[FailureKind, tuple[float | None, str]] = {
    FailureKind.AUTH: (math.inf, "key_invalid"),
    FailureKind.BILLING: (HOUR, "key_no_credit"),
    FailureKind.PERMISSION: (HOUR, "breaker_open"),
    FailureKind.MODEL_MISSING: (HOUR, "breaker_open"),
    FailureKind.RATE_LIMIT: (None, "breaker_open"),
}
# What says something about the provider and nothing about the key or the caller.
COUNTED = frozenset(
    {
        FailureKind.OVERLOADED, FailureKind.SERVER, FailureKind.TIMEOUT, FailureKind.NETWORK, "cut",
    }
)  # fmt: skip


class Pause(NamedTuple):
    """Seconds until somebody may be asked again (0: now), and the code of the exclusion."""

    seconds: float
    code: str = "breaker_open"


WELL = Pause(0.0, "")


class Breaker(msgspec.Struct, eq=False):
    """Counts what a provider did; open until `until`, then half open until a probe has ended."""

    streak: int = 0
    until: float = 0.0  # 0: closed
    opened_at: float = 0.0
    pause: float = 0.0
    probing_since: float | None = None
    recent: deque[tuple[float, bool]] = msgspec.field(default_factory=deque)  # (when, failed)

    def wait(self, now: float) -> float:
        """Seconds until a call may go there."""
        if not self.until:
            return 0.0
        if now < self.until:
            return self.until - now
        since = self.probing_since
        return 0.0 if since is None else max(0.0, since + PROBE_SECONDS - now)

    @property
    def is_idle(self) -> bool:
        """Whether it may be forgotten: closed, and no failure in its window."""
        return not (self.until or self.streak or any(failed for _, failed in self.recent))

    def claim(self, now: float) -> bool:
        """Whether this call may go there; of several that would probe, one."""
        if self.wait(now) > 0:
            return False
        if self.until:
            self.probing_since = now
        return True

    def release(self) -> None:
        """A probe ended without saying anything."""
        self.probing_since = None

    def failed(self, now: float, *, began: float) -> bool:
        """Count a failure of a call that began then; True if that opens the breaker."""
        if self.until:
            if began < self.opened_at:
                return False  # it was on its way before: known already
            self._open(now, min(self.pause * 2, LONGEST_PAUSE))
            return True
        self.streak += 1
        self._note(now, failed=True)
        bad = sum(failed for _, failed in self.recent)
        is_share = len(self.recent) >= WINDOW_LEAST and 2 * bad >= len(self.recent)
        if self.streak < IN_A_ROW and not is_share:
            return False
        self._open(now, FIRST_PAUSE)
        return True

    def answered(self, now: float, *, began: float) -> bool:
        """Count an answer; True if that closes the breaker."""
        if not self.until:
            self.streak = 0
            self._note(now, failed=False)
            return False
        if began < self.opened_at:
            return False
        self.close()
        return True

    def close(self) -> None:
        self.streak, self.until, self.pause, self.probing_since = 0, 0.0, 0.0, None
        self.recent.clear()

    def opened_elsewhere(self, now: float, *, wait: float, pause: float) -> None:
        """Another process opened its breaker: the later end wins."""
        if now + wait > self.until:
            self.until, self.opened_at, self.pause = now + wait, now, pause

    def _open(self, now: float, pause: float) -> None:
        self.until, self.opened_at, self.pause, self.probing_since = now + pause, now, pause, None

    def _note(self, now: float, *, failed: bool) -> None:
        recent = self.recent
        recent.append((now, failed))
        while recent and (now - recent[0][0] > WINDOW_SECONDS or len(recent) > 500):
            recent.popleft()


class Rest(msgspec.Struct, eq=False):
    """A key that was refused, for one model."""

    until: float
    code: str
    key_state: Hashable | None  # when it was refused: a changed key may try again; None: any
    count: int = 1  # rate limits in a row

    def wait(self, now: float, key_state: Hashable) -> Pause:
        if now >= self.until or self.key_state not in {None, key_state}:
            return WELL
        return Pause(self.until - now, self.code)


def rest_after(
    failure: Failure,
    before: Rest | None,
    *,
    key_state: Hashable,
    reset_s: float | None,
    now: float,
    rng: Random,
) -> Rest | None:
    """The rest that a failure begins, if it begins one.

    `reset_s` is when the provider's last answer promised a new allowance.
    """
    rule = RESTS.get(failure.kind)
    if rule is None:
        return None
    seconds, code = rule
    count = 1
    if seconds is None:
        count = before.count + 1 if before else 1
        seconds = failure.retry_after_s if failure.retry_after_s is not None else reset_s
        if seconds is None:
            seconds = rng.uniform(0, min(2.0**count, LONGEST_RATE_LIMIT))
        seconds = min(seconds, LONGEST_RATE_LIMIT)
    until = now + seconds
    if before and before.key_state in {None, key_state} and before.until > until:
        until, code = before.until, before.code  # the later of two wins
    return Rest(until, code, key_state, count)
