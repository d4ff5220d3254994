"""A caller who leaves ends the work only if nobody else waits for its answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.conf import settings

from accounts import vault
from accounts.tenant_settings import Known, Settings
from billing.usage import Usage
from routing.cache import passing
from routing.cache.entries import Entry
from routing.cache.keeping import Cache, Keep
from routing.cache.stores import Memory
from routing.conversation import Answer, Text
from tests.routing.plan.builders import TENANT, caller


def keep_in(cache: Cache, number: int = 1) -> Keep:
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    sealed = vault.new_data_key(tenant=TENANT, masters=masters)
    known = Known(TENANT, Settings(cache_enabled=True), sealed)
    keep = Keep(cache, known, (TENANT, bytes([number]) * 32), ttl_s=60, caller=caller(), policy="")
    keep.lead(60)
    return keep


async def leave(work: Callable[[], Awaitable[Any]], keep: Keep) -> None:
    """Begin a call and cancel it, as the door does when its client is gone."""
    call = asyncio.ensure_future(passing.see_through(keep, _coroutine(work)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def _coroutine(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def test_the_work_goes_on_for_those_who_wait() -> None:
    async def story() -> str:
        cache, may_end, ended = Cache(Memory()), asyncio.Event(), asyncio.Event()
        keep = keep_in(cache)
        flight = cache.flights[keep.place]
        flight.followers = 1

        async def work() -> None:
            await may_end.wait()
            ended.set()

        await leave(work, keep)
        assert not ended.is_set()
        may_end.set()
        await asyncio.wait_for(ended.wait(), 5)
        return "ended"

    assert asyncio.run(story()) == "ended"


def test_the_work_ends_with_its_caller_where_nobody_waits() -> None:
    async def story() -> list[str]:
        cache, told = Cache(Memory()), list[str]()
        keep = keep_in(cache)

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told.append("cancelled")
                raise

        await leave(work, keep)
        return told

    assert asyncio.run(story()) == ["cancelled"]


def test_what_the_work_brings_is_gone_on_with() -> None:
    async def story() -> list[str]:
        cache, poured, may_end = Cache(Memory()), list[str](), asyncio.Event()
        keep = keep_in(cache)
        cache.flights[keep.place].followers = 1

        async def work() -> str:
            await may_end.wait()
            return "a stream"

        async def pour(found: str) -> None:
            poured.append(found)

        call = asyncio.ensure_future(passing.see_through(keep, work(), pour))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        may_end.set()
        await cache.close()
        return poured

    assert asyncio.run(story()) == ["a stream"]


@pytest.mark.parametrize("turns", range(4))
def test_what_the_work_had_brought_when_its_caller_left_is_ended(turns: int) -> None:
    async def story() -> list[str]:
        cache, ended = Cache(Memory()), list[str]()
        keep, may_end = keep_in(cache), asyncio.Event()

        async def work() -> str:
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                ended.append("a stream")
                raise
            return "a stream"

        async def leave(found: str) -> None:
            ended.append(found)

        call = asyncio.ensure_future(passing.see_through(keep, work(), leave=leave))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        may_end.set()
        for _ in range(turns):  # the work has ended, and its caller does not know it yet
            await asyncio.sleep(0)
        is_late = call.done() or not call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            assert not is_late
        else:
            ended.append("taken")
        return ended

    assert asyncio.run(story()) in (["a stream"], ["taken"])


async def test_nobody_waits_for_a_flight_whose_call_is_long_over() -> None:
    cache = Cache(Memory())
    keep = keep_in(cache)
    lost = cache.flights[keep.place]
    assert not lost.is_overdue
    lost._overdue_at = 0.0

    assert lost.is_overdue


def test_a_flight_that_lands_empty_sends_each_on_alone_and_frees_its_place() -> None:
    async def story() -> tuple[Entry | None, int]:
        cache = Cache(Memory())
        keep = keep_in(cache)
        flight = cache.flights[keep.place]
        keep.answered(
            Answer(blocks=(Text("half"),), finish="length"), Usage(), by=("p", "m"), reason="length"
        )
        await cache.close()
        return flight.landed.result(), len(cache.flights)

    assert asyncio.run(story()) == (None, 0)
