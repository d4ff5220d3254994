"""Requests and tokens per minute, calls at a time: in one process, in several, with Redis."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from accounts import ids
from billing import shared_rates
from billing.errors import RateLimited
from billing.rates import MINUTE, Limits, Permit, Rates, wait_for_tokens
from billing.shared_rates import RedisRates

REDIS_URL = os.environ.get("REDIS_URL", "")
with_redis = pytest.mark.skipif(not REDIS_URL, reason="REDIS_URL is not set")
NOWHERE = "redis://127.0.0.1:1/0"


class Clock:
    """Time as the test tells it."""

    def __init__(self) -> None:
        self.now = 6000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(**wanted: int) -> Limits:
    return Limits(ids.new(), **wanted)


async def count(rates: Rates, its: Limits, *, tokens: int = 10) -> Permit:
    return await rates.admit(its, ids.encode(ids.fresh()), tokens=tokens, expires_s=900)


def admitted(rates: Rates, its: Limits, tries: int, *, tokens: int = 10) -> int:
    """How many of so many calls at the same moment get in."""

    async def ask() -> list[object]:
        each = (count(rates, its, tokens=tokens) for _ in range(tries))
        return await asyncio.gather(*each, return_exceptions=True)

    answers = asyncio.run(ask())
    assert all(isinstance(one, Permit | RateLimited) for one in answers), answers
    return sum(isinstance(one, Permit) for one in answers)


@given(
    limit=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_in_no_sixty_seconds_more_requests_get_in_than_the_limit(
    limit: int, pauses: list[float]
) -> None:
    clock, got_in = Clock(), []
    rates, its = Rates(clock=clock), limits(requests=limit)
    for pause in pauses:
        clock.now += pause
        if admitted(rates, its, 1):
            got_in.append(clock.now)

    for first in got_in:
        assert sum(first <= at < first + MINUTE for at in got_in) <= limit
    assert len(got_in) >= min(limit, len(pauses))


def test_a_request_that_is_refused_says_when_the_next_one_fits(clock: Clock) -> None:
    rates, its = Rates(clock=clock), limits(requests=2)
    asyncio.run(count(rates, its))
    clock.now += 20
    asyncio.run(count(rates, its))
    with pytest.raises(RateLimited) as refused:
        asyncio.run(count(rates, its))

    assert refused.value.wait_s == pytest.approx(40)
    assert refused.value.headers["x-ratelimit-remaining-requests"] == "0"
    clock.now += 39.9
    assert admitted(rates, its, 1) == 0
    clock.now += 0.2
    assert admitted(rates, its, 1) == 1


def test_tokens_are_counted_by_estimate_and_corrected_at_the_end(clock: Clock) -> None:
    rates, its = Rates(clock=clock), limits(tokens=100)
    first = asyncio.run(count(rates, its, tokens=60))
    assert first.standing.tokens_left == 40
    assert admitted(rates, its, 1, tokens=60) == 0
    first.end(20)
    assert admitted(rates, its, 1, tokens=60) == 1


def test_one_request_larger_than_the_limit_gets_in_alone(clock: Clock) -> None:
    rates, its = Rates(clock=clock), limits(tokens=100)
    assert admitted(rates, its, 2, tokens=500) == 1


@given(
    limit=st.integers(1, 10_000),
    more=st.integers(1, 10_000),
    current=st.integers(0, 10_000),
    before=st.integers(0, 10_000),
    share=st.floats(0, 0.999),
)
def test_after_the_wait_for_tokens_they_fit(
    limit: int, more: int, current: int, before: int, share: float
) -> None:
    more = min(more, limit)
    wait = wait_for_tokens(limit, more, current, before, share) / MINUTE + 1e-9
    assert wait >= 0
    passed = share + wait
    if passed < 1:
        used = before * (1 - passed) + current
    elif passed < 2:
        used = current * (2 - passed)
    else:
        used = 0
    assert used + more <= limit + 1e-3


def test_of_calls_at_a_time_each_end_makes_room(clock: Clock) -> None:
    rates, its = Rates(clock=clock), limits(parallel=3)
    permit = asyncio.run(count(rates, its))
    assert admitted(rates, its, 5) == 2
    permit.end(10)
    assert admitted(rates, its, 5) == 1


def test_processes_that_do_not_know_of_each_other_allow_their_share(clock: Clock) -> None:
    its = limits(requests=10, parallel=10)
    processes = [Rates(processes=4, clock=clock) for _ in range(4)]

    assert [admitted(one, its, 20) for one in processes] == [3, 3, 3, 3]


def test_a_key_without_a_limit_of_a_kind_is_not_told_of_it(clock: Clock) -> None:
    permit = asyncio.run(count(Rates(clock=clock), limits(tokens=50)))

    assert permit.standing.headers() == {
        "x-ratelimit-limit-tokens": "50",
        "x-ratelimit-remaining-tokens": "40",
        "x-ratelimit-reset-tokens": "120.000s",
    }


def test_keys_that_are_idle_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    from billing import rates as module

    monkeypatch.setattr(module, "MOST_SUBJECTS", 3)
    rates = Rates(clock=clock)
    for _ in range(3):
        permit = asyncio.run(count(rates, limits(requests=5)))
        permit.end(10)
    clock.now += 3 * MINUTE
    busy = limits(requests=5)
    asyncio.run(count(rates, busy))

    assert list(rates._counters) == [busy.subject]


def test_while_redis_is_away_no_call_fails_and_the_share_holds(clock: Clock) -> None:
    rates = Rates(processes=2, shared=RedisRates(NOWHERE), clock=clock)

    assert admitted(rates, limits(requests=10), 20) == 5


def of_redis(work: Callable[[list[Rates], Limits], object], its: Limits) -> object:
    """Four processes at one Redis."""

    async def run() -> object:
        processes = [Rates(processes=4, shared=RedisRates(REDIS_URL)) for _ in range(4)]
        for one in processes:
            shared = one._shared
            assert isinstance(shared, RedisRates)
            shared.deadline = 5.0  # of this machine nothing is promised
        try:
            return await work(processes, its)  # type: ignore[misc]
        finally:
            for one in processes:
                await one.close()

    return asyncio.run(run())


@with_redis
def test_processes_at_one_redis_share_a_limit_exactly() -> None:
    async def crowd(processes: list[Rates], its: Limits) -> int:
        each = (count(processes[n % 4], its) for n in range(200))
        answers = await asyncio.gather(*each, return_exceptions=True)
        return sum(isinstance(one, Permit) for one in answers)

    assert of_redis(crowd, limits(requests=60)) == 60


def busy(seconds: float) -> None:
    """The loop does something else, without a pause."""
    time.sleep(seconds)


@with_redis
def test_a_process_that_is_slow_itself_does_not_take_redis_for_away() -> None:
    async def story() -> None:
        its, shared = limits(requests=10), RedisRates(REDIS_URL)
        await shared.count(its, "a", tokens=1, expires_s=60)  # and connects
        for turns, call in enumerate("bcdefgh"):
            counting = asyncio.ensure_future(shared.count(its, call, tokens=1, expires_s=60))
            for _ in range(turns):  # it asks, or waits for the answer
                await asyncio.sleep(0)
            busy(2 * shared_rates.DEADLINE_SECONDS)
            await counting
        answer = await shared.count(its, "i", tokens=1, expires_s=60)
        assert answer.standing.requests_left == 1
        await shared.close()

    asyncio.run(story())


@with_redis
def test_at_redis_places_are_freed_and_tokens_corrected() -> None:
    async def story(processes: list[Rates], its: Limits) -> None:
        one, other = processes[:2]
        first = await count(one, its, tokens=60)
        with pytest.raises(RateLimited) as refused:
            await count(other, its, tokens=60)
        assert refused.value.what == "tokens per minute"
        assert 0 < refused.value.wait_s <= 120
        first.end(10)
        await one.close()  # waits for what is under way
        second = await count(other, its, tokens=60)
        assert second.standing.tokens_left == 30

    of_redis(story, limits(tokens=100, parallel=1))


@with_redis
def test_at_redis_a_dead_process_gives_its_place_up_with_the_deadline() -> None:
    async def story(processes: list[Rates], its: Limits) -> None:
        one, other = processes[:2]
        await one.admit(its, "a", tokens=1, expires_s=0.2)
        with pytest.raises(RateLimited):
            await other.admit(its, "b", tokens=1, expires_s=0.2)
        await asyncio.sleep(0.3)
        await other.admit(its, "c", tokens=1, expires_s=0.2)

    of_redis(story, limits(parallel=1))


class Slow:
    """A way to Redis on which answers are held back when a test says so."""

    def __init__(self) -> None:
        self.may_pass = asyncio.Event()
        self.may_pass.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Future[Any]] = []

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        port = self._server.sockets[0].getsockname()[1]
        return f"redis://127.0.0.1:{port}{urlsplit(REDIS_URL).path}"

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = urlsplit(REDIS_URL)
        there, here = await asyncio.open_connection(place.hostname, place.port or 6379)
        self._writers += [writer, here]
        work = asyncio.gather(self._pipe(reader, here), self._pipe(there, writer, held=True))
        self._tasks.append(work)

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, held: bool = False
    ) -> None:
        while data := await reader.read(65536):
            if held:
                await self.may_pass.wait()
            writer.write(data)
        writer.close()


@with_redis
@pytest.mark.parametrize("how", ["admitted", "refused", "left"])
def test_a_place_that_redis_took_after_its_answer_was_given_up_is_given_back(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, how: str
) -> None:
    monkeypatch.setattr(shared_rates, "CORRECTION_PAUSES", (0.0, 0.05, 0.05, 0.05))
    its = limits(parallel=2)
    place = f"{shared_rates.PREFIX}{its.subject.hex}:p"

    async def story() -> list[int]:
        way, seen = Slow(), list[int]()
        shared = RedisRates(await way.start(), clock=clock)
        rates, redis = Rates(shared=shared, clock=clock), Redis.from_url(REDIS_URL)
        shared.deadline = 5.0
        first = await count(rates, its)
        seen.append(await redis.zcard(place))
        if how == "refused":  # this process alone has let in as many as it may
            rates._counter(its.subject).open = 2
        way.may_pass.clear()
        shared.deadline = 0.05 if how != "left" else 5.0
        second = asyncio.ensure_future(count(rates, its))
        while await redis.zcard(place) < 2:  # noqa: ASYNC110  Redis tells nobody
            await asyncio.sleep(0.001)
        if how == "left":
            second.cancel()
        clock.now += 1  # Redis may be asked again at once
        (permit,) = await asyncio.gather(second, return_exceptions=True)
        way.may_pass.set()
        clock.now += 2
        if isinstance(permit, Permit):
            permit.end(0)
        seen.append(type(permit) is Permit)
        while shared._tasks:
            clock.now += 2
            await asyncio.sleep(0.01)
        seen.append(await redis.zcard(place))
        first.end(10)
        await rates.close()
        await redis.aclose()
        await way.stop()
        return seen

    assert asyncio.run(asyncio.wait_for(story(), 10)) == [1, how == "admitted", 1]


def test_a_roll_is_no_second_allowance(clock: Clock) -> None:
    lineage: UUID = ids.new()
    rates = Rates(clock=clock)
    assert admitted(rates, Limits(lineage, requests=3), 2) == 2
    assert admitted(rates, Limits(lineage, requests=3), 2) == 1
