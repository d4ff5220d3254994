"""Processes that tell each other what they learned; none of them needs the others."""

import asyncio
import os

import pytest

from routing.health.outbox import News
from routing.health.shared import STREAM, Sharing
from routing.upstream.failures import Failure, FailureKind
from tests.routing.health.seeing import STREAMED, TENANT, World, candidate

ONE, TWO = candidate("groq"), candidate("cerebras")
WALL = 1_795_000_000.0


def told(world: World) -> News:
    news = world.state.outbox.take("a", at=WALL)
    assert news
    return news


def sharing_world() -> World:
    world = World()
    world.state.outbox.is_on = True
    return world


def test_what_one_process_saw_another_one_reckons_with() -> None:
    here, there, alone = sharing_world(), World(), World()
    for _ in range(20):
        here.known.decided(STREAMED)
        here.see(ONE, first=4.0, took=4.5)
    there.state.hear(told(here), wall_now=WALL + 1)
    assert there.known.seconds(ONE, STREAMED, None) == pytest.approx(
        here.known.seconds(ONE, STREAMED, None), rel=0.05
    )
    assert there.known.seconds(ONE, STREAMED, None) > alone.known.seconds(ONE, STREAMED, None) + 1
    assert there.known.speeds.decisions == here.known.speeds.decisions


def test_failures_openings_and_rate_limits_are_told_and_closings_too() -> None:
    here, there = sharing_world(), World()
    for _ in range(5):
        here.see(ONE, "server")
    here.see(TWO, "rate_limit", failure=Failure(FailureKind.RATE_LIMIT, retry_after_s=30))
    there.state.hear(told(here), wall_now=WALL + 2)
    assert there.pause(ONE) == 3
    assert there.pause(TWO) == 28
    here.wait(5)
    assert here.known.admits(ONE)
    here.see(ONE, took=0.0)
    there.state.hear(told(here), wall_now=WALL)
    assert not there.is_open(ONE)


def test_late_news_count_less_and_old_ones_not_at_all() -> None:
    here, late, older = sharing_world(), World(), World()
    for _ in range(20):
        here.see(ONE, first=4.0, took=4.5)
    news = told(here)
    late.state.hear(news, wall_now=WALL + 600)
    older.state.hear(news, wall_now=WALL + 3600)
    (cell,) = late.known.speeds.cells.values()
    cell.sums.fade(0, late.clock.now)
    assert cell.sums.n == pytest.approx(10)
    assert not older.known.speeds.cells


def test_nothing_gathers_while_nobody_listens_and_what_was_told_is_not_told_again() -> None:
    quiet, here = World(), sharing_world()
    for world in (quiet, here):
        world.see(ONE, first=0.2)
    assert quiet.state.outbox.take("a", at=WALL) is None
    assert told(here).tenants[0].tenant == TENANT
    assert here.state.outbox.take("a", at=WALL) is None


def test_a_redis_that_is_away_costs_nothing_but_the_others_knowledge() -> None:
    async def run() -> None:
        world = World()
        sharing = Sharing(world.state, "redis://127.0.0.1:1/0")
        sharing.start()
        await asyncio.sleep(0.05)
        world.see(ONE, first=0.2)
        assert world.known.speeds.cells
        await sharing.stop()

    asyncio.run(run())


@pytest.mark.skipif(not os.environ.get("REDIS_URL"), reason="needs a Redis server")
def test_two_processes_meet_over_redis_and_a_third_one_starts_warm() -> None:
    url = os.environ["REDIS_URL"]

    async def run() -> None:
        worlds = [World() for _ in range(3)]
        first, second = (Sharing(world.state, url) for world in worlds[:2])
        await first._redis.delete(STREAM)
        for world in worlds:
            world.state.outbox.is_on = True
        for _ in range(20):
            worlds[0].see(ONE, first=4.0, took=4.5)
        await first._redis.xadd(STREAM, {"news": b"\xc1 not news"})
        await first.exchange()
        await second.exchange()
        third = Sharing(worlds[2].state, url)
        await third.exchange()
        for world in worlds[1:]:
            assert world.known.seconds(ONE, STREAMED, None) > 3
        (cell,) = worlds[0].known.speeds.cells.values()
        assert cell.sums.n == pytest.approx(20), "nobody hears himself"
        await first._redis.delete(STREAM)
        for sharing in (first, second, third):
            await sharing.stop()

    asyncio.run(run())
