"""Experiment (c), c3: PostgreSQL is gone again and again, and a gateway dies meanwhile.

The server is one of this experiment alone; it is stopped without a word to anybody, as its machine
would be. What was in memory serves on for a minute: a call fails only if the process that had it
was killed, or after that minute.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.experiments.crashing import (
    FULL,
    Table,
    Work,
    add_budget,
    check,
    living,
    next_number,
    problem_of,
    two_gateways,
    wait_for_both,
)
from tests.servers import postgres
from tests.servers.installation import Installation
from tests.servers.postgres import Postgres
from tests.servers.sandbox import Sandbox

SHORT_S, LONG_S = 10.0, 90.0
OUTAGES = [*([SHORT_S] * 5), LONG_S, *([SHORT_S] * 5), LONG_S]
CALLS, AT_ONCE = 10_000, 64
PAUSE_S = 2.0  # of a caller between two calls, at most
SERVES_S = 59.0  # of an outage; the minute begins with the last good look at the database
BETWEEN_S = 3.0
BACK_S = 6.0  # from the server's return to the next look at it

pytestmark = [
    pytest.mark.skipif(not FULL, reason="the long form: FLO2_TEST_FULL=1"),
    pytest.mark.skipif(not postgres.IS_POSSIBLE, reason="needs PostgreSQL's programs"),
]


@pytest.fixture
def server() -> Iterator[Postgres]:
    running = Postgres()
    yield running
    running.remove()


@pytest.fixture
def installation(sandbox_server: Sandbox, server: Postgres) -> Iterator[Installation]:
    with two_gateways(sandbox_server, DATABASE_URL=server.url) as running:
        add_budget(running, limit_usd="1000", window="month", mode="hard")
        yield running


@dataclass
class Outage:
    seconds: float
    began: float
    killed: float = 0.0
    ended: float = float("inf")


@dataclass
class Failure:
    began: float
    ended: float
    problem: str


@dataclass
class Story:
    outages: list[Outage] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def reason(self, failure: Failure) -> str:
        """Why a call failed that may; nothing, where it may not."""
        for outage in self.outages:
            was_there = failure.began <= outage.killed <= failure.ended
            if was_there and failure.problem.isidentifier():  # the name of a broken connection
                return "its process was killed"
            since, until = outage.began + SERVES_S, outage.ended + BACK_S
            if failure.problem.startswith("503") and since <= failure.ended <= until:
                return "refused after a minute"
        return ""


def test_c3_calls_go_on_without_the_database_and_nothing_is_lost(
    installation: Installation, sandbox: Sandbox, server: Postgres
) -> None:
    over, done, story = asyncio.Event(), Work(), Story()
    rng = random.Random(7391)

    async def caller(http: httpx.AsyncClient) -> None:
        while not over.is_set() or len(done.completed) < CALLS:
            number, began = next_number(), time.monotonic()
            if problem := await problem_of(http, number, stream=number % 2 == 0):
                done.failed[number] = problem
                story.failures.append(Failure(began, time.monotonic(), problem))
            else:
                done.completed.add(number)
            await asyncio.sleep(rng.random() * PAUSE_S)

    async def injurer() -> None:
        for seconds in OUTAGES:
            await asyncio.to_thread(wait_for_both, installation)
            await asyncio.sleep(BETWEEN_S)
            await asyncio.to_thread(server.kill)
            outage = Outage(seconds, time.monotonic())
            story.outages.append(outage)
            await asyncio.sleep(seconds / 2)
            outage.killed = time.monotonic()
            os.kill(rng.choice(living(installation)), signal.SIGKILL)
            await asyncio.sleep(seconds / 2)
            await asyncio.to_thread(server.start)
            outage.ended = time.monotonic()
        over.set()

    async def traffic() -> None:
        async with httpx.AsyncClient(
            base_url=installation.url, timeout=30, trust_env=False,
            headers={"Authorization": f"Bearer {installation.keys['live_key']}"},
            # A connection for each call: so both processes get some, and know the key.
            limits=httpx.Limits(max_keepalive_connections=0),
        ) as http:  # fmt: skip
            await asyncio.gather(injurer(), *(caller(http) for _ in range(AT_ONCE)))

    table = Table("c3, PostgreSQL away", len(OUTAGES))
    asyncio.run(traffic())

    print(f"\nwhy calls failed: {dict(Counter(map(story.reason, story.failures)))}")
    check(installation, sandbox, done, table, at_least=CALLS)
    assert [one for one in story.failures if not story.reason(one)] == []
