"""Those who ask for the same at once share one effort."""

import asyncio
import gc

import pytest

from accounts.single_flight import SingleFlight


class Effort:
    """Counts how often it is begun; ends when told."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.begun += 1
        await self.may_end.wait()
        if self.error:
            raise self.error
        return self.begun


async def test_a_hundred_who_ask_at_once_cause_one_effort() -> None:
    flights, effort = SingleFlight[str, int](), Effort()
    asking = [asyncio.ensure_future(flights.run("a", effort)) for _ in range(100)]
    await asyncio.sleep(0)
    effort.may_end.set()

    assert await asyncio.gather(*asking) == [1] * 100


async def test_who_asks_afterwards_causes_a_new_one() -> None:
    flights, effort = SingleFlight[str, int](), Effort()
    effort.may_end.set()

    assert [await flights.run("a", effort), await flights.run("a", effort)] == [1, 2]


async def test_different_questions_do_not_wait_for_each_other() -> None:
    flights, slow, quick = SingleFlight[str, int](), Effort(), Effort()
    waiting = asyncio.ensure_future(flights.run("slow", slow))
    quick.may_end.set()

    assert await flights.run("quick", quick) == 1
    slow.may_end.set()
    assert await waiting == 1


async def test_the_first_who_goes_away_does_not_take_the_answer_along() -> None:
    flights, effort = SingleFlight[str, int](), Effort()
    first = asyncio.ensure_future(flights.run("a", effort))
    second = asyncio.ensure_future(flights.run("a", effort))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    effort.may_end.set()

    assert await second == 1
    assert first.cancelled()


async def test_a_failure_reaches_all_who_asked_and_is_not_kept() -> None:
    flights, effort = SingleFlight[str, int](), Effort()
    effort.error = OSError("away")
    asking = [asyncio.ensure_future(flights.run("a", effort)) for _ in range(3)]
    await asyncio.sleep(0)
    effort.may_end.set()

    failures = await asyncio.gather(*asking, return_exceptions=True)

    assert [type(failure) for failure in failures] == [OSError] * 3
    effort.error = None
    assert await flights.run("a", effort) == 2


async def test_a_failure_that_nobody_waits_for_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    flights, effort = SingleFlight[str, int](), Effort()
    effort.error = OSError("away")
    asking = asyncio.ensure_future(flights.run("a", effort))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    effort.may_end.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert flights._flying == {}
    del asking
    effort.error = None
    gc.collect()  # an error that nobody took is reported when its task is forgotten

    assert caplog.records == []
