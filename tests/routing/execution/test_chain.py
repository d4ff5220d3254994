"""A chain goes on as long as that is of use, and harms no attempt that already runs."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from accounts.errors import Unavailable
from billing import money
from billing.errors import LedgerUnavailable
from billing.ledger import OpenCall
from routing.execution import fallback, whole
from routing.execution.exhausted import AllFailed
from routing.execution.story import Story
from routing.health.breakers import Breaker
from routing.options import Options
from routing.plan import worst_case
from routing.simulation import Simulation
from tests.routing.execution.world import (
    CEREBRAS,
    GROQ,
    OPENAI,
    RNG,
    Script,
    answers,
    completion,
    plan,
    silent,
    world,
)

ANSWER = answers(completion())
BAD_REQUEST = answers({"error": {"message": "no such role", "type": "invalid"}}, b"400 Bad Request")
BROKEN = answers({"error": {"message": "oops", "type": "server_error"}}, b"500 Oops")


def after(event: asyncio.Event, script: Script) -> Script:
    async def later(writer: asyncio.StreamWriter) -> None:
        await event.wait()
        await script(writer)

    return later


class Limited(OpenCall):
    """A call under a hard budget; what a second attempt costs has to be fetched."""

    fetch: Callable[[], Awaitable[None]]

    @property
    def is_limited(self) -> bool:
        return True

    async def cover(self, need: int) -> None:
        await type(self).fetch()


async def away() -> None:
    raise Unavailable


@pytest.mark.parametrize("many", [{"race_width": 2}, {"hedge_after_ms": 1}])
async def test_the_first_answers_though_the_second_cannot_be_paid_for(
    tmp_path: Path, many: dict[str, int]
) -> None:
    class Poor(Limited):
        fetch = staticmethod(away)

    async with world(tmp_path) as its:
        go_on = asyncio.Event()
        its.scripts["groq"] = [after(go_on, ANSWER)]
        story = its.story(of=Poor)
        walk = asyncio.ensure_future(
            fallback.walk(story, plan(GROQ, CEREBRAS, **many), whole.run, rng=RNG)
        )
        await asyncio.sleep(0.05)  # the hedge has been tried
        go_on.set()
        found = await walk

        assert found.candidate.target == GROQ
        assert its.outcomes(story) == [("groq", "answered")]


async def test_the_first_answers_though_the_second_cannot_be_written_down(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        its.scripts["groq"] = [ANSWER]
        story = its.story()
        journal = its.ledger.journal
        sound, journal._fd = journal._fd, os.open("/dev/full", os.O_WRONLY)
        try:
            found = await fallback.walk(
                story, plan(GROQ, CEREBRAS, race_width=2), whole.run, rng=RNG
            )
        finally:
            os.close(journal._fd)
            journal._fd = sound

        assert found.candidate.target == GROQ
        assert its.asked == ["groq"]


async def test_the_first_of_all_must_be_paid_for(tmp_path: Path) -> None:
    class Poor(Limited):
        fetch = staticmethod(away)

    async with world(tmp_path) as its:
        story = its.story(of=Poor)
        walked = plan(GROQ, CEREBRAS, race_width=2)
        story.health.breakers[walked.candidates[0].offer.place] = Breaker(until=10**9)
        with pytest.raises(Unavailable):
            await fallback.walk(story, walked, whole.run, rng=RNG)


async def test_nobody_is_asked_when_the_first_answers_while_the_money_is_fetched(
    tmp_path: Path,
) -> None:
    go_on = asyncio.Event()

    async def slowly() -> None:
        go_on.set()
        await asyncio.sleep(0.1)  # others are asked to give back what they do not need

    class Poor(Limited):
        fetch = staticmethod(slowly)

    async with world(tmp_path) as its:
        its.scripts = {"groq": [after(go_on, ANSWER)], "cerebras": [ANSWER]}
        story = its.story(of=Poor)
        await fallback.walk(story, plan(GROQ, CEREBRAS, race_width=2), whole.run, rng=RNG)

        assert its.asked == ["groq"]
        assert its.outcomes(story) == [("groq", "answered")]


async def test_a_callers_fault_in_a_race_is_not_followed_by_a_retry_of_somebody_else(
    tmp_path: Path,
) -> None:
    refused = asyncio.Event()

    async def refuse(writer: asyncio.StreamWriter) -> None:
        await BAD_REQUEST(writer)
        refused.set()

    async with world(tmp_path) as its:
        its.scripts = {"groq": [refuse], "cerebras": [after(refused, BROKEN), ANSWER]}
        story = its.story()
        with pytest.raises(AllFailed) as end:
            await fallback.walk(
                story, plan(GROQ, CEREBRAS, race_width=2, retries=2), whole.run, rng=RNG
            )

        assert end.value.http_status == 400
        assert sorted(its.asked) == ["cerebras", "groq"]


class TestCeiling:
    """`x-flo2-max-cost` holds the whole call, whatever is made of it."""

    @staticmethod
    def ceiling(story: Story, share: str, *targets: str) -> Options:
        total = sum(
            worst_case.cost(one.price, story.chat, one.offer)
            for one in plan(*targets).candidates
            if one.price
        )
        return Options(max_cost=money.from_pico(total) * Decimal(share))

    @pytest.mark.parametrize(("share", "asked"), [("0.999", 1), ("1", 2)])
    async def test_racers_are_paid_for_together(
        self, tmp_path: Path, share: str, asked: int
    ) -> None:
        async with world(tmp_path) as its:
            story = its.story(max_tokens=50)
            story.options = self.ceiling(story, share, GROQ, CEREBRAS)
            its.scripts = {"groq": [ANSWER], "cerebras": [ANSWER]}
            await fallback.walk(story, plan(GROQ, CEREBRAS, race_width=2), whole.run, rng=RNG)

            assert len(its.outcomes(story)) == asked

    @pytest.mark.parametrize(("share", "asked"), [("0.999", 1), ("1", 2)])
    async def test_a_hedge_too(self, tmp_path: Path, share: str, asked: int) -> None:
        async with world(tmp_path) as its:
            go_on = asyncio.Event()
            story = its.story(max_tokens=50)
            story.options = self.ceiling(story, share, GROQ, CEREBRAS)
            its.scripts = {"groq": [after(go_on, ANSWER)], "cerebras": [after(go_on, ANSWER)]}
            walk = asyncio.ensure_future(
                fallback.walk(story, plan(GROQ, CEREBRAS, hedge_after_ms=1), whole.run, rng=RNG)
            )
            await asyncio.sleep(0.1)
            go_on.set()
            await walk

            assert len(its.asked) == asked

    async def test_what_was_spent_is_counted_and_who_still_fits_is_asked(
        self, tmp_path: Path
    ) -> None:
        nothing = answers(completion(""))
        async with world(tmp_path) as its:
            story = its.story(max_tokens=50)
            story.options = self.ceiling(story, "1", OPENAI)
            its.scripts = {"groq": [nothing], "cerebras": [ANSWER]}
            found = await fallback.walk(story, plan(GROQ, OPENAI, CEREBRAS), whole.run, rng=RNG)

            assert found.candidate.target == CEREBRAS
            assert its.asked == ["groq", "cerebras"]  # the dearest one would go beyond it
            assert story.options.max_cost
            assert money.from_pico(story.books.spent) <= story.options.max_cost


class TestProbes:
    """A breaker is half open: one call may find out."""

    @staticmethod
    def half_open(story: object) -> Breaker:
        breaker = Breaker(until=1e-9, pause=5.0)
        story.health.breakers[plan(GROQ).candidates[0].offer.place] = breaker  # type: ignore[attr-defined]
        return breaker

    async def test_a_probe_that_cannot_be_paid_for_is_left_to_the_next(
        self, tmp_path: Path
    ) -> None:
        class Poor(Limited):
            fetch = staticmethod(away)

        async with world(tmp_path) as its:
            its.scripts["cerebras"] = [BROKEN]
            story = its.story(of=Poor)
            breaker = self.half_open(story)
            with pytest.raises(Unavailable):
                await fallback.walk(story, plan(CEREBRAS, GROQ), whole.run, rng=RNG)

            assert breaker.probing_since is None

    async def test_a_probe_that_cannot_be_written_down_is_left_to_the_next(
        self, tmp_path: Path
    ) -> None:
        async with world(tmp_path) as its:
            its.scripts["cerebras"] = [BROKEN]
            story = its.story()
            breaker = self.half_open(story)
            journal = its.ledger.journal
            sound, journal._fd = journal._fd, os.open("/dev/full", os.O_WRONLY)
            try:
                with pytest.raises(LedgerUnavailable):
                    await fallback.walk(story, plan(CEREBRAS, GROQ), whole.run, rng=RNG)
            finally:
                os.close(journal._fd)
                journal._fd = sound

            assert breaker.probing_since is None

    @pytest.mark.parametrize("purpose", ["shadow", "judge", "user"])
    async def test_what_proves_nothing_holds_no_probe_back(
        self, tmp_path: Path, purpose: str
    ) -> None:
        simulated = Options(
            simulation=Simulation((("groq", "slow@1"),)) if purpose == "user" else None
        )
        async with world(tmp_path) as its:
            its.scripts["groq"] = [silent]
            story = its.story(purpose=purpose, options=simulated)
            breaker = self.half_open(story)
            walk = asyncio.ensure_future(fallback.walk(story, plan(GROQ), whole.run, rng=RNG))
            while not its.asked:  # noqa: ASYNC110  a provider tells nobody that it was asked
                await asyncio.sleep(0)

            assert breaker.probing_since is None
            walk.cancel()
            await asyncio.wait({walk})

    async def test_a_real_call_probes(self, tmp_path: Path) -> None:
        async with world(tmp_path) as its:
            its.scripts["groq"] = [ANSWER]
            story = its.story()
            breaker = self.half_open(story)
            found = await fallback.walk(story, plan(GROQ, OPENAI), whole.run, rng=RNG)

            assert found.candidate.target == GROQ
            assert breaker.until == 0
