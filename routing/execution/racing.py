"""Several attempts beside each other: a race from the start, or a hedge when the first is silent.

The first that says something wins; the others are called off at once and stay on the books with
what they may have cost.
"""

import asyncio
from typing import TYPE_CHECKING, Generic

from accounts.errors import Unavailable
from billing.errors import BudgetExceeded, LedgerUnavailable
from billing.facts import Role
from routing.errors import TooExpensive
from routing.execution.asking import EMPTY, A
from routing.plan.candidates import Candidate
from routing.upstream.failures import Failure

if TYPE_CHECKING:
    from routing.execution.fallback import Chain

MOST_MORE = 2  # racers that may replace those that failed
# Why an attempt cannot be made beside others; it may be when they have ended.
NOT_NOW = (BudgetExceeded, TooExpensive, Unavailable, LedgerUnavailable)
FAREWELL_SECONDS = 1.0  # for attempts that are called off to close their books


class Heat(Generic[A]):
    """Attempts that run now."""

    def __init__(self) -> None:
        self._lanes: dict[asyncio.Task[A | Failure], Candidate] = {}
        self.started = 0

    def __len__(self) -> int:
        return len(self._lanes)

    async def start(self, chain: "Chain[A]", role: Role) -> bool:
        """Ask the chain's next candidate, too.

        False if there is none that can be paid and put on the books, or if one of those that run
        has ended meanwhile. Raises GatewayError where that is so of the first one.
        """
        try:
            taken = await chain.take(role, self._has_news)
        except NOT_NOW:
            if not self.started:
                raise
            return False
        if taken is None:
            return False
        candidate, asking = taken
        self._lanes[asyncio.ensure_future(asking)] = candidate
        self.started += 1
        return True

    def _has_news(self) -> bool:
        return any(task.done() for task in self._lanes)

    @property
    def running(self) -> list[Candidate]:
        return list(self._lanes.values())

    async def finished(self, timeout_s: float | None) -> list[tuple[Candidate, A | Failure]]:
        """Who has ended first, perhaps several; nobody after so many seconds of silence."""
        done, _ = await asyncio.wait(
            self._lanes, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        found = [
            (task, task.result()) for task in done
        ]  # or raise, and all are there to be stopped
        return [(self._lanes.pop(task), result) for task, result in found]

    async def stop(self) -> None:
        """Call off whoever still runs; their connections are closed and their costs booked."""
        running = []
        for task in self._lanes:
            if task.done():
                _leave(task)
            elif task.cancel():
                running.append(task)
        if running:
            await asyncio.wait(running, timeout=FAREWELL_SECONDS)


def _leave(task: "asyncio.Task[A | Failure]") -> None:
    """A lane has ended, and nobody takes what it has brought."""
    if task.cancelled() or task.exception() is not None:
        return
    found = task.result()
    if not isinstance(found, Failure):
        found.left()


async def first(chain: "Chain[A]") -> A | None:
    """The first answer of a race or a hedged attempt; None if the chain has to go on in turn."""
    plan = chain.plan
    if chain.story.books.opened.purpose != "user":
        return None
    width = plan.race_width
    heat: Heat[A] = Heat()
    found: A | None = None
    try:
        try:
            found = await (_race(heat, chain, width) if width > 1 else _hedge(heat, chain))
        finally:
            await heat.stop()
    except BaseException:
        if found is not None:  # the caller left while the others were called off
            found.left()
        raise
    return found


async def _race(heat: Heat[A], chain: "Chain[A]", width: int) -> A | None:
    """All at once; those that fail while the others are silent are replaced, twice at most."""
    empty: A | None = None
    most = width + MOST_MORE
    while True:
        while len(heat) < width and heat.started < most:
            if not await heat.start(chain, "race" if heat.started else "primary"):
                break
        chain.story.is_raced = chain.story.is_raced or len(heat) > 1
        if not heat:
            return empty if not chain.left else None
        for candidate, found in await heat.finished(None):
            if isinstance(found, Failure):
                chain.fell(candidate, found)
            elif found.is_empty:
                empty = found
                chain.fell(candidate, EMPTY)
            else:
                return found


async def _hedge(heat: Heat[A], chain: "Chain[A]") -> A | None:
    """The second only when the first has been silent for long enough."""
    empty: A | None = None
    chain.story.health.earn_hedge(chain.plan.hedge_budget)
    if not await heat.start(chain, "primary"):
        return None
    wait: float | None = _patience(chain, heat.running[0])
    while heat:
        done = await heat.finished(wait)
        if not done:
            wait = None
            if _may_hedge(chain):
                await heat.start(chain, "hedge")
        for candidate, found in done:
            wait = None  # the chain moves on by itself
            if isinstance(found, Failure):
                chain.fell(candidate, found)
            elif found.is_empty:
                empty = found
                chain.fell(candidate, EMPTY)
            else:
                return found
    return empty if not chain.left else None


def _patience(chain: "Chain[A]", running: Candidate) -> float | None:
    """Seconds of silence until a second one is asked; None if there is nobody else."""
    after = chain.plan.hedge_after_ms
    if not chain.left or after is None:
        return None
    if after != "p95":
        return after / 1000
    story, candidates = chain.story, chain.plan.candidates
    quickest = min(candidates, key=lambda one: story.health.seconds(one, story.chat, None))
    return story.health.hedge_after(running, chain.left[0], story.chat, quickest=quickest)


def _may_hedge(chain: "Chain[A]") -> bool:
    """Whether the tenant's budget of hedges holds another; what a request asks for is not in it."""
    return chain.story.options.hedge_ms is not None or chain.story.health.take_hedge()
