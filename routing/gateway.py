"""The whole story of a call: open it, ask, settle, answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec

from accounts.errors import GatewayError
from billing.facts import CallSettled
from billing.rates import Standing
from routing import collecting, dialects, opening, relaying, runtime, sampling, settlement
from routing.cache import passing
from routing.execution import fallback, streaming, whole
from routing.execution.story import Story
from routing.execution.streaming import OpenStream
from routing.opening import Asked
from routing.plan.plan import Plan
from routing.relaying import Nobody, Outlet
from routing.replaying import Replay

COMMIT_SECONDS = 15.0  # a stream begins by then, with or without content


class Told(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What the headers of an answer say of its call."""

    provider: str = "none"
    model: str = "none"
    attempts: int = 0
    strategy: str = "none"
    reason: str = "none"
    overhead_s: float = 0.0
    adapted: tuple[str, ...] = ()
    cache: str = "OFF"
    settled: CallSettled | None = None
    rates: Standing | None = None  # of the caller's key, if it has limits


Pour = Callable[[Outlet], Awaitable[None]]


class WholeAnswer(msgspec.Struct, frozen=True, eq=False, gc=False):
    body: bytes
    told: Told


async def _nothing() -> None:
    """What there is to do about a stream that is no call of its own."""


class StreamedAnswer(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A stream that has begun: it is poured, or left, once."""

    pour: Pour  # writes the stream, to its end
    told: Told
    leave: Callable[[], Awaitable[None]] = _nothing  # ends it unheard: its caller is gone
    story: Story | None = None  # None: the answer was there before the stream began

    @property
    def is_whole(self) -> bool:
        """Whether the stream, once poured, was an answer to its end: settled, and not cut."""
        return self.story is None or self.story.is_told


class FailedAnswer(msgspec.Struct, frozen=True, eq=False, gc=False):
    error: GatewayError
    told: Told


Answer = WholeAnswer | StreamedAnswer | FailedAnswer


async def chat(asked: Asked) -> Answer:
    """Answer a chat request; the call is on the books whatever the answer is."""
    its = runtime.current()
    try:
        begun = await opening.begin(asked, its)
    except GatewayError as error:
        return FailedAnswer(error, Told())
    if isinstance(begun, Replay):
        return _replayed(begun)
    story, plan = begun
    work = _stream(story, plan) if asked.chat.stream else _whole(asked, story, plan)
    if story.keep is None:
        return await work
    return await passing.see_through(story.keep, work, _to_nobody, _left)


async def _whole(asked: Asked, story: Story, plan: Plan) -> Answer:
    try:
        found = await fallback.walk(story, plan, whole.run, rng=runtime.current().rng)
    except GatewayError as error:
        return FailedAnswer(error, _told_at_end(story, settlement.end_with(story, error)))
    except BaseException as error:
        settlement.end_with(story, error)
        raise
    answered, finish_reason = found.ended, found.reply.finish_reason
    settled = settlement.succeed(story, answered, finish_reason=finish_reason)
    passing.keep_whole(story.keep, found.reply, found.candidate.offer, settled)
    await story.books.durable()
    body = dialects.write_reply(
        asked.chat,
        found.reply,
        body_id=story.body_id,
        model=answered.model,
        usage=answered.usage,
        cost=settled.cost,
    )
    sampling.keep_whole(story, body)
    collecting.keep_whole(story, body)
    return WholeAnswer(body, _told_at_end(story, settled))


async def _stream(story: Story, plan: Plan) -> Answer:
    """Wait for the first content, but begin the answer within 15 s."""
    walk = asyncio.ensure_future(
        fallback.walk(story, plan, streaming.run, rng=runtime.current().rng)
    )
    try:
        await asyncio.wait({walk}, timeout=COMMIT_SECONDS)
        if not walk.done():
            pour = partial(relaying.pending, story, walk)
            leave = partial(relaying.leave_pending, story, walk)
            return StreamedAnswer(_listened(story, pour), _told_too_early(story), leave, story)
        opened = walk.result()
    except GatewayError as error:
        return FailedAnswer(error, _told_at_end(story, settlement.end_with(story, error)))
    except BaseException as error:
        await relaying.call_off(walk)
        settlement.end_with(story, error)
        raise
    pour = partial(relaying.relay, story, opened)
    leave = partial(relaying.leave, story, opened)
    return StreamedAnswer(_listened(story, pour), _told_at_start(story, opened), leave, story)


def _listened(story: Story, pour: Pour) -> Pour:
    """The same stream, seen through for those who wait for its answer, and listened to."""
    poured = passing.seen_through(story.keep, pour)
    return collecting.listening(story, sampling.listening(story, poured))


def _replayed(found: Replay) -> Answer:
    told = Told(
        provider=found.settled.provider,
        model=found.settled.model,
        strategy=found.settled.strategy,
        reason=found.settled.reason,
        cache="HIT",
        overhead_s=found.settled.overhead_us / 1e6,
        rates=found.rates,
        settled=found.settled,
    )
    if found.chat.stream:
        return StreamedAnswer(found.pour, msgspec.structs.replace(told, settled=None))
    return WholeAnswer(found.body(), told)


async def _to_nobody(answer: Answer) -> None:
    """Go on with a stream whose caller has left."""
    if isinstance(answer, StreamedAnswer):
        await answer.pour(Nobody())


async def _left(answer: Answer) -> None:
    """End an answer whose caller has left, and that nobody else waits for."""
    if isinstance(answer, StreamedAnswer):
        await answer.leave()


def _cache(story: Story) -> str:
    return "MISS" if story.keep else "OFF"


def _told_at_end(story: Story, settled: CallSettled) -> Told:
    return Told(
        provider=settled.provider,
        model=settled.model,
        attempts=len(story.books.attempts),
        strategy=settled.strategy,
        reason=settled.reason,
        cache=_cache(story),
        overhead_s=settled.overhead_us / 1e6,
        adapted=(*story.options.adapted, *story.adapted),
        rates=story.books.rates,
        settled=settled,
    )


def _told_at_start(story: Story, opened: OpenStream) -> Told:
    now = time.monotonic()
    attempt = opened.attempt
    is_running = opened.ended is None
    return Told(
        provider=attempt.candidate.provider,
        model=attempt.candidate.model,
        attempts=len(story.books.attempts) + is_running,
        strategy=story.strategy,
        reason=settlement.reason_of(story, attempt.role),
        cache=_cache(story),
        overhead_s=max(0.0, now - story.began - story.upstream_s - (now - attempt.started)),
        adapted=(*story.options.adapted, *story.adapted),
        rates=story.books.rates,
    )


def _told_too_early(story: Story) -> Told:
    return Told(
        provider="pending",
        model="pending",
        attempts=len(story.books.attempts) + 1,
        strategy=story.strategy,
        reason="pending",
        cache=_cache(story),
        rates=story.books.rates,
    )
