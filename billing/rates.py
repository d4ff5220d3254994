"""Limits on requests and tokens per minute and on calls at a time, per gateway key.

With Redis the counters are shared by all processes (`shared_rates`); without, or while it is away,
each process keeps its own and allows its share. A limit is never the reason that a call fails.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import msgspec

from billing.errors import RateLimited

MINUTE = 60.0
MOST_SUBJECTS = 10_000  # remembered at a time
REQUESTS, TOKENS, PARALLEL = "requests per minute", "tokens per minute", "calls at a time"


class Limits(msgspec.Struct, frozen=True, gc=False):
    """What a key may do. `subject` is what is counted: a key's lineage, so that a roll is none."""

    subject: UUID
    requests: int | None = None
    tokens: int | None = None
    parallel: int | None = None

    def share(self, processes: int) -> "Limits":
        """The part of one of several processes that do not know of each other."""
        return Limits(self.subject, *(_part(n, processes) for n in self.of_each()))

    def of_each(self) -> tuple[int | None, int | None, int | None]:
        return self.requests, self.tokens, self.parallel


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Where a key stands; seconds until the first request, or all tokens, count no more."""

    limits: Limits
    requests_left: int = 0
    requests_reset_s: float = 0.0
    tokens_left: int = 0
    tokens_reset_s: float = 0.0

    def headers(self) -> dict[str, str]:
        """As OpenAI's API tells it."""
        told: dict[str, str] = {}
        if self.limits.requests is not None:
            told["x-ratelimit-limit-requests"] = str(self.limits.requests)
            told["x-ratelimit-remaining-requests"] = str(max(0, self.requests_left))
            told["x-ratelimit-reset-requests"] = f"{self.requests_reset_s:.3f}s"
        if self.limits.tokens is not None:
            told["x-ratelimit-limit-tokens"] = str(self.limits.tokens)
            told["x-ratelimit-remaining-tokens"] = str(max(0, self.tokens_left))
            told["x-ratelimit-reset-tokens"] = f"{self.tokens_reset_s:.3f}s"
        return told


class Refused(msgspec.Struct, frozen=True, gc=False):
    what: str
    wait_s: float


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What counting a call came to."""

    standing: Standing
    refused: Refused | None = None


class Shared(Protocol):
    """Counters that several processes share. Both raise SharedAway."""

    async def count(
        self, limits: Limits, call: str, *, tokens: int, expires_s: float
    ) -> Answer: ...

    def correct(self, limits: Limits, call: str, *, tokens: int) -> None:
        """The call is over, and used so many tokens more than were counted."""

    async def close(self) -> None: ...


class SharedAway(Exception):
    """The shared counters cannot be asked now; perhaps they have counted all the same."""

    def __init__(self, *, may_have_counted: bool = False) -> None:
        self.may_have_counted = may_have_counted


class Permit:
    """A call that was counted. `end` it once."""

    __slots__ = ("_counted", "_end", "standing")

    def __init__(self, standing: Standing, counted: int, end: Callable[[int], None]) -> None:
        self.standing, self._counted, self._end = standing, counted, end

    def end(self, tokens: int) -> None:
        """The call is over and used so many tokens."""
        self._end(tokens - self._counted)


class _Counter:
    """What one key did in the last minute, in this process."""

    __slots__ = ("before", "current", "minute", "open", "requests")

    def __init__(self) -> None:
        self.requests: deque[float] = deque()
        self.minute, self.current, self.before = 0, 0, 0
        self.open = 0

    def look(self, limits: Limits, now: float, tokens: int) -> Answer:
        """Where the key stands, and whether a call more would be one too many."""
        while self.requests and self.requests[0] <= now - MINUTE:
            self.requests.popleft()
        used, share = self._tokens(now)
        standing = Standing(
            limits,
            (limits.requests or 0) - len(self.requests),
            self.requests[0] + MINUTE - now if self.requests else 0.0,
            (limits.tokens or 0) - math.ceil(used),
            2 * MINUTE - share * MINUTE if self.current else MINUTE - share * MINUTE,
        )
        if limits.requests is not None and standing.requests_left <= 0:
            return Answer(standing, Refused(REQUESTS, standing.requests_reset_s))
        if limits.tokens is not None and used + tokens > limits.tokens and used:
            wait = wait_for_tokens(limits.tokens, tokens, self.current, self.before, share)
            return Answer(standing, Refused(TOKENS, wait))
        if limits.parallel is not None and self.open >= limits.parallel:
            return Answer(standing, Refused(PARALLEL, 1.0))
        return Answer(standing)

    def add(self, now: float, tokens: int) -> None:
        self.requests.append(now)
        self._tokens(now)
        self.current += tokens
        self.open += 1

    def _tokens(self, now: float) -> tuple[float, float]:
        """Tokens of the last minute, and what part of the current minute is over."""
        minute, share = divmod(now / MINUTE, 1)
        if minute != self.minute:
            self.before = self.current if minute == self.minute + 1 else 0
            self.minute, self.current = int(minute), 0
        return self.before * (1 - share) + self.current, share


class Rates:
    """The rates of this process. Use from one loop."""

    def __init__(
        self,
        *,
        processes: int = 1,
        shared: Shared | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes, self._shared, self._clock = processes, shared, clock
        self._counters: dict[UUID, _Counter] = {}

    async def admit(self, limits: Limits, call: str, *, tokens: int, expires_s: float) -> Permit:
        """Count a call that is expected to use so many tokens. Raises RateLimited."""
        shared = self._shared
        if shared is None:
            return self._admit_here(limits, tokens, lambda _: None)
        try:
            answer = await shared.count(limits, call, tokens=tokens, expires_s=expires_s)
        except SharedAway as away:
            return self._admit_unsure(limits, call if away.may_have_counted else "", tokens)
        except asyncio.CancelledError:  # the caller left, and may have been counted
            shared.correct(limits, call, tokens=0)
            raise
        self._check(limits, answer)
        # Counted here, too: should Redis go away, this process knows what it has let in.
        self._counter(limits.subject).add(self._clock(), tokens)

        def correct(more: int) -> None:
            shared.correct(limits, call, tokens=more)

        return Permit(answer.standing, tokens, self._ending(limits, correct))

    async def close(self) -> None:
        if self._shared:
            await self._shared.close()

    def _admit_unsure(self, limits: Limits, call: str, tokens: int) -> Permit:
        """Admit a call here that may have its place among the shared ones, too: it is given up."""

        def give_up(_: int) -> None:
            if call and self._shared:
                self._shared.correct(limits, call, tokens=0)  # of its tokens nothing is certain

        try:
            return self._admit_here(limits, tokens, give_up)
        except RateLimited:
            give_up(0)
            raise

    def _admit_here(self, limits: Limits, tokens: int, then: Callable[[int], None]) -> Permit:
        its, now = self._counter(limits.subject), self._clock()
        mine = limits.share(self._processes)
        self._check(limits, its.look(mine, now, tokens))
        its.add(now, tokens)
        standing = its.look(mine, now, 0).standing
        told = msgspec.structs.replace(standing, limits=limits)
        return Permit(told, tokens, self._ending(limits, then))

    def _ending(self, limits: Limits, then: Callable[[int], None]) -> Callable[[int], None]:
        def end(more: int) -> None:
            its = self._counter(limits.subject)
            its.current = max(0, its.current + more)
            its.open = max(0, its.open - 1)
            then(more)

        return end

    def _check(self, limits: Limits, answer: Answer) -> None:
        refused = answer.refused
        if refused:
            limit = dict(zip((REQUESTS, TOKENS, PARALLEL), limits.of_each(), strict=True))
            told = msgspec.structs.replace(answer.standing, limits=limits).headers()
            raise RateLimited(
                what=refused.what,
                limit=limit[refused.what] or 0,
                wait_s=refused.wait_s,
                told=told,
            )

    def _counter(self, subject: UUID) -> _Counter:
        found = self._counters.get(subject)
        if found is None:
            if len(self._counters) >= MOST_SUBJECTS:
                self._forget_idle()
            found = self._counters[subject] = _Counter()
        return found

    def _forget_idle(self) -> None:
        since = self._clock() - 2 * MINUTE
        for subject, its in list(self._counters.items()):
            if not its.open and not (its.requests and its.requests[-1] > since):
                del self._counters[subject]


def wait_for_tokens(limit: int, more: int, current: int, before: int, share: float) -> float:
    """Seconds until so many tokens more fit, if nobody uses any meanwhile.

    Of the minute before the part counts that the last sixty seconds still touch.
    """
    left = limit - current - more
    if left >= 0 and before:
        return max(0.0, 1 - left / before - share) * MINUTE
    rest = (1 - share) * MINUTE
    if not current or limit <= more:
        return rest + (MINUTE if current else 0)
    return rest + max(0.0, 1 - (limit - more) / current) * MINUTE


def _part(limit: int | None, processes: int) -> int | None:
    return None if limit is None else math.ceil(limit / processes)
