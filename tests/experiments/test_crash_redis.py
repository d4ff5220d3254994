"""Experiment (c), c4: Redis is killed again and again, and no call fails.

The key has limits, which are counted in Redis while it is there; the worker takes its orders from
it, too. The Redis is one of this experiment alone.
"""

import asyncio
import shutil
from collections.abc import Iterator

import httpx
import pytest

from tests.experiments.crashing import (
    FULL,
    Table,
    Work,
    check,
    next_number,
    problem_of,
    two_gateways,
)
from tests.servers.installation import Installation
from tests.servers.redis import Redis
from tests.servers.sandbox import Sandbox

TIMES, AWAY_S, CALLS, AT_ONCE = (10, 30.0, 10_000, 64) if FULL else (2, 1.0, 60, 16)

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")


@pytest.fixture
def redis() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.kill()


@pytest.fixture
def installation(sandbox_server: Sandbox, redis: Redis) -> Iterator[Installation]:
    with two_gateways(sandbox_server, REDIS_URL=redis.url) as running:
        yield running


def limited_key(installation: Installation) -> str:
    answer = httpx.post(
        f"{installation.url}/api/v1/gateway-keys",
        headers={"Authorization": f"Bearer {installation.keys['management_key']}"},
        json={
            "name": "limited", "mode": "live", "requests_per_minute": 1_000_000,
            "tokens_per_minute": 1_000_000_000, "max_parallel": 1000,
        },
        timeout=20,
        trust_env=False,
    )  # fmt: skip
    answer.raise_for_status()
    return str(answer.json()["key"])


def test_c4_redis_is_killed_and_no_call_fails(
    installation: Installation, sandbox: Sandbox, redis: Redis
) -> None:
    key = limited_key(installation)
    over, done = asyncio.Event(), Work()

    async def caller(http: httpx.AsyncClient) -> None:
        while not over.is_set() or len(done.completed) < CALLS:
            number = next_number()
            if problem := await problem_of(http, number, stream=number % 2 == 0):
                done.failed[number] = problem
            else:
                done.completed.add(number)

    async def injurer() -> None:
        for _ in range(TIMES):
            await asyncio.sleep(AWAY_S / 2)
            redis.kill()
            await asyncio.sleep(AWAY_S)
            redis.start()
        over.set()

    async def work() -> None:
        async with httpx.AsyncClient(
            base_url=installation.url, headers={"Authorization": f"Bearer {key}"}, timeout=30,
            trust_env=False, limits=httpx.Limits(max_connections=AT_ONCE),
        ) as http:  # fmt: skip
            await asyncio.gather(injurer(), *(caller(http) for _ in range(AT_ONCE)))

    table = Table(f"c4, Redis away for {AWAY_S:.0f} s", TIMES)
    asyncio.run(work())

    check(installation, sandbox, done, table, at_least=CALLS)
    assert done.failed == {}
