"""Walk the plan until a candidate answers."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic

from billing.facts import AttemptStarted, Role
from routing import key_flags
from routing.errors import TooExpensive
from routing.execution import attempt, racing
from routing.execution.asking import EMPTY, A, Run
from routing.execution.exhausted import AllFailed, NoHealthyProvider
from routing.execution.story import Story
from routing.health.breakers import COUNTED
from routing.plan import worst_case
from routing.plan.candidates import ALL_OPEN, Candidate
from routing.plan.plan import MOST_ATTEMPTS, Plan
from routing.upstream import refused
from routing.upstream.failures import Blame, Failure, FailureKind

REJECTED = Failure(FailureKind.AUTH, code="key_rejected", message="the key was rejected before")
RETRY_SECONDS = (0.1, 1.0)  # full jitter
LONGEST_WAIT_SECONDS = 2.0  # for a rate limit, when there is nobody else to ask


class Chain(Generic[A]):
    """What is left of a plan while it is walked, and what went wrong."""

    def __init__(self, story: Story, plan: Plan, run: Run[A]) -> None:
        self.story, self.plan = story, plan
        self.left = list(plan.candidates)
        self.failed: list[tuple[str, Failure]] = []
        self.last: tuple[Candidate, Failure] | None = None  # that failed
        self._run = run
        self._number = 0
        self._running: list[Candidate] = []

    async def take(
        self, role: Role, is_needless: Callable[[], bool] = lambda: False
    ) -> tuple[Candidate, Coroutine[Any, Any, A | Failure]] | None:
        """The next candidate, and the asking of it; None if there is no next one.

        `is_needless` is asked when the money is reserved, which may take a moment: then there is
        none either. Raises what `racing.NOT_NOW` lists where it cannot be paid for or put on the
        books: it is not made, and may be later.
        """
        while self.left and self._number < MOST_ATTEMPTS:
            candidate, is_probe = self._next()
            try:
                if not self.story.health.admits_rejected(candidate):
                    self.failed.append((candidate.target, REJECTED))
                    continue
                if not await self._begin(candidate, role, is_needless):
                    return None
            except TooExpensive:
                if not self._running and (self.left or self.failed):
                    continue  # what is spent does not come back: it is left out for good
                self.left.insert(0, candidate)
                raise
            except BaseException:
                self.left.insert(0, candidate)
                raise
            finally:
                if is_probe and candidate not in self._running:
                    self.story.health.release(candidate)
            return candidate, self._run(self.story, candidate, self._number, role)
        return None

    async def _begin(
        self, candidate: Candidate, role: Role, is_needless: Callable[[], bool]
    ) -> bool:
        """Pay for an attempt and put it on the books; False if nobody needs it any more."""
        # The first one is paid for, and on the books, since the call was opened.
        if self._number or candidate is not self.plan.candidates[0]:
            await self._cover(candidate)
        if is_needless():
            self.left.insert(0, candidate)
            return False
        if self._number:
            _announce(self.story, candidate, self._number + 1, role)
        self._number += 1
        self._running.append(candidate)
        return True

    def _next(self) -> tuple[Candidate, bool]:
        """Take the next one that may be asked now; if there is none, the first all the same.

        And whether it has claimed the probe of a breaker.
        """
        story = self.story
        for place, candidate in enumerate(self.left):
            if attempt.is_telling(story, candidate):
                may_go = story.health.admits(candidate)
            else:  # it will prove nothing, so it must not keep another one from trying
                may_go = story.health.pause(candidate.offer, candidate.key).seconds <= 0
            if may_go:
                del self.left[: place + 1]
                return candidate, attempt.is_telling(story, candidate)
        return self.left.pop(0), False

    @property
    def is_hopeless(self) -> bool:
        """Whether one has failed as all would: that is what the caller is told."""
        return any(not failure.rule.next for _, failure in self.failed)

    def fell(self, candidate: Candidate, failure: Failure) -> None:
        """A candidate has failed: who is still worth asking?"""
        self.failed.append((candidate.target, failure))
        self.last = candidate, failure
        self._running.remove(candidate)
        if candidate.key:
            key_flags.note(self.story.caller.tenant_id, candidate.key, failure)
        self.left = _still_worth(self.left, candidate, failure)
        if self._may_leave_out(candidate, failure):
            self.left.insert(0, candidate)

    def _may_leave_out(self, candidate: Candidate, failure: Failure) -> bool:
        """Whether the same one is to be asked again without the parameter that it refused."""
        story = self.story
        if failure.kind is not FailureKind.PARAM or story.options.require_parameters:
            return False
        return refused.memory.learn(story.caller, candidate.target, failure)

    async def _cover(self, candidate: Candidate) -> None:
        """Reserve what an attempt may cost at most, beside those that run now.

        Raises TooExpensive where that is more than the request allows, BudgetExceeded, Unavailable.
        """
        story = self.story
        ceiling, is_limited = story.options.max_cost, story.books.is_limited
        if candidate.price is None or (ceiling is None and not is_limited):
            return
        need = sum(
            worst_case.cost(one.price, story.chat, one.offer)
            for one in (*self._running, candidate)
            if one.price is not None
        )
        if not worst_case.fits(story.books.spent + need, ceiling):
            raise TooExpensive(model=story.chat.model, limit="x-flo2-max-cost")
        if is_limited:
            await story.books.cover(need)


async def walk(story: Story, plan: Plan, run: Run[A], *, rng: random.Random) -> A:
    """The first answer that says something. Raises AllFailed with every failure in order.

    A well-formed answer without text or call is passed on when nobody has a better one.
    """
    story.health.decided(story.chat)
    chain = Chain(story, plan, run)
    if plan.race_width > 1 or plan.hedge_after_ms is not None:
        found = await racing.first(chain)
        if found is not None:
            return found
    return await _in_turn(chain, rng)


async def _in_turn(chain: Chain[A], rng: random.Random) -> A:
    """One after the other."""
    story, retries = chain.story, chain.plan.retries
    empty: A | None = None
    role: Role = "fallback" if chain.failed else "primary"
    while True:
        if chain.last and not chain.left and retries and not chain.is_hopeless:
            if not await _worth_waiting(story, *chain.last, rng):
                break
            retries -= 1
            chain.left, role = [chain.last[0]], "retry"
        if (taken := await chain.take(role)) is None:
            break
        candidate, asking = taken
        found = await asking
        if not isinstance(found, Failure):
            if not found.is_empty or not chain.left:
                return found
            empty, found = found, EMPTY
        else:
            empty = None
        chain.fell(candidate, found)
        role = "retry" if chain.left and chain.left[0] is candidate else "fallback"
        if story.seconds_left < 1:
            break
    if empty is not None:  # the others are not asked after all
        return empty
    raise _exhausted(chain.plan, chain.failed)


def _exhausted(plan: Plan, failed: list[tuple[str, Failure]]) -> AllFailed:
    if plan.reason == ALL_OPEN and failed[-1][1].kind in COUNTED:
        return NoHealthyProvider(failed, plan.excluded)
    return AllFailed(failed)


def _announce(story: Story, candidate: Candidate, number: int, role: Role) -> None:
    """Put an attempt on the books that the intent to call does not cover."""
    story.books.attempt_started(
        AttemptStarted(
            call=story.books.opened.call,
            number=number,
            target=candidate.target,
            started_ms=story.milliseconds(time.monotonic()),
            role=role,
            expected_cost=candidate.expected_amount,
        )
    )


def _still_worth(left: list[Candidate], failed: Candidate, failure: Failure) -> list[Candidate]:
    """Who may still answer after this failure, and in which order."""
    if not failure.rule.next:
        return []
    if failure.kind is FailureKind.CONTEXT:
        window = failed.offer.model.context if failed.offer.model else None
        return [c for c in left if window is None or _window(c) > window]
    if failure.rule.blame is Blame.PROVIDER:  # somebody else is likelier to be well
        return sorted(left, key=lambda candidate: candidate.provider == failed.provider)
    if failure.kind is FailureKind.MODEL_MISSING:
        return [c for c in left if c.target != failed.target]
    return left


def _window(candidate: Candidate) -> float:
    model = candidate.offer.model
    return float("inf") if model is None or model.context is None else model.context


async def _worth_waiting(
    story: Story, candidate: Candidate, failure: Failure, rng: random.Random
) -> bool:
    """Wait before the last candidate is asked once more; False if that is of no use."""
    if failure.kind is FailureKind.RATE_LIMIT:
        wait = failure.retry_after_s
        if wait is None or wait > min(LONGEST_WAIT_SECONDS, story.seconds_left / 4):
            return False
    elif failure.rule.retry_same:
        wait = rng.uniform(*RETRY_SECONDS)
    else:
        return False
    if not story.health.may_retry(candidate.provider):
        return False
    await asyncio.sleep(wait)
    return True
