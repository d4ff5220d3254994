"""A caller who leaves at any moment leaves no stream open and no attempt off the books."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routing import relaying
from routing.execution import fallback, streaming
from routing.execution.racing import Heat
from routing.execution.streaming import OpenStream
from routing.plan.plan import Plan
from tests.routing.execution.world import (
    CEREBRAS,
    CHUNKED,
    GROQ,
    RNG,
    World,
    candidate,
    chunk,
    event,
    plan,
    says,
    silent,
    world,
)

BEGUN = says(CHUNKED, chunk(event("a")))


async def opened(its: World, script: Callable[..., Any] = BEGUN) -> OpenStream:
    its.scripts["groq"] = [script]
    found = await streaming.run(its.story(stream=True), candidate(GROQ), 1, "primary")
    assert isinstance(found, OpenStream)
    return found


async def test_a_lane_that_had_won_is_closed_and_booked(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        stream = await opened(its)
        story = stream.attempt.story

        async def won() -> OpenStream:
            return stream

        heat: Heat[OpenStream] = Heat()
        task = asyncio.ensure_future(won())
        heat._lanes[task] = stream.candidate
        await task
        await heat.stop()

        assert its.outcomes(story) == [("groq", "cancelled")]
        assert not stream.connection.is_open


@pytest.mark.parametrize("walked", [plan(GROQ, CEREBRAS, race_width=2), plan(GROQ)])
async def test_whenever_a_walk_is_called_off_what_was_sent_is_booked(
    tmp_path: Path, walked: Plan
) -> None:
    """At each turn of the loop from the first content on, until the walk has ended."""
    turns, ended = 0, False
    async with world(tmp_path) as its:
        while not ended:
            its.scripts = {"groq": [BEGUN], "cerebras": [silent]}
            its.asked.clear()
            story = its.story(stream=True)
            walk = asyncio.ensure_future(fallback.walk(story, walked, streaming.run, rng=RNG))
            while not story.is_decided:  # noqa: ASYNC110  turn by turn is what is tested
                await asyncio.sleep(0)
            for _ in range(turns):
                await asyncio.sleep(0)
            ended = walk.done()
            await relaying.call_off(walk)

            assert len(story.books.attempts) == len(walked.candidates)
            assert not its.pool.busy
            turns += 1


async def test_an_answer_that_was_left_is_settled(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        stream = await opened(its)
        story = stream.attempt.story
        await relaying.leave(story, stream)
        await relaying.leave(story, stream)

        assert its.outcomes(story) == [("groq", "cancelled")]
        assert its.ledger.open_calls == set()
        assert not its.pool.busy


async def test_a_walk_that_was_left_is_called_off_and_settled(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        its.scripts["groq"] = [silent]
        story = its.story(stream=True)
        walk = asyncio.ensure_future(fallback.walk(story, plan(GROQ), streaming.run, rng=RNG))
        while not its.asked:  # noqa: ASYNC110  a provider tells nobody that it was asked
            await asyncio.sleep(0)
        await relaying.leave_pending(story, walk)

        assert its.outcomes(story) == [("groq", "cancelled")]
        assert its.ledger.open_calls == set()
