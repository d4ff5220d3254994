"""kill -9 in the middle of the work: what clients saw complete is on the books exactly once.

Nothing that a provider billed is missing.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.experiments.crashing import FULL, MARKER, call, name_of, rows, wait_until
from tests.servers.gateway import wait_for
from tests.servers.installation import Installation
from tests.servers.sandbox import Sandbox

CALLS, KILLS, AT_ONCE = (10_000, 20, 64) if FULL else (1_000, 5, 32)


@pytest.fixture
def installation(sandbox: Sandbox) -> Iterator[Installation]:
    base = {"FLO2_PROVIDER_OPENAI_BASE_URL": f"{sandbox.url}/openai/v1"}
    running = Installation(base)
    running.start()
    running.add_provider_key("openai", "good-key-0123456789")
    yield running
    running.stop()


async def work(installation: Installation, *, calls: int, kills: int) -> set[int]:
    """All the calls, with the gateway killed so many times meanwhile; the numbers completed."""
    rng = random.Random(7391)
    completed: set[int] = set()
    left = iter(range(calls))
    done = 0

    async def caller() -> None:
        nonlocal done
        headers = {"Authorization": f"Bearer {installation.keys['live_key']}"}
        async with httpx.AsyncClient(
            base_url=installation.url, headers=headers, timeout=20, trust_env=False
        ) as http:
            for number in left:
                if await call(http, number, stream=number % 2 == 0):
                    completed.add(number)
                else:
                    await asyncio.sleep(0.05)
                done += 1

    async def killer() -> None:
        for turn in range(1, kills + 1):
            due = calls * turn // (kills + 1)
            await wait_until(lambda due=due: done >= due)  # type: ignore[misc]
            await asyncio.sleep(rng.random() * 0.2)
            await asyncio.to_thread(installation.kill, "gateway_project.server")

    await asyncio.gather(killer(), *(caller() for _ in range(AT_ONCE)))
    return completed


def test_nothing_is_lost_and_nothing_is_double(
    installation: Installation, sandbox: Sandbox
) -> None:
    completed = asyncio.run(work(installation, calls=CALLS, kills=KILLS))
    assert len(completed) > CALLS // 2
    wait_for(installation.is_ready, "the gateway is back")
    billed = Counter(one["model"] for one in sandbox.billed())
    assert len(billed) >= len(completed)

    def booked() -> Counter[object]:
        found = rows(installation, "SELECT requested_model FROM billing_call")
        return Counter(model for (model,) in found)

    def missing() -> list[str]:
        there = booked()
        return [model for model in billed if not there[f"openai/{model}"]]

    def still_open() -> list[tuple[object, ...]]:
        return rows(installation, "SELECT id FROM billing_call WHERE status = 'open'")

    wait_for(lambda: not missing(), "all that was billed is on the books", seconds=60)
    wait_for(lambda: not still_open(), "every call is settled", seconds=60)
    there = booked()
    print(
        f"{CALLS} calls, {AT_ONCE} at once, {KILLS} kills: {len(completed)} completed,"
        f" {len(billed)} billed, {len(there)} on the books"
    )
    assert max(there.values()) == 1
    settled = rows(
        installation, "SELECT requested_model FROM billing_call WHERE status = 'succeeded'"
    )
    succeeded = {str(model) for (model,) in settled}
    assert {f"openai/{name_of(number)}" for number in completed} <= succeeded
    unknown = rows(
        installation,
        "SELECT c.requested_model, a.outcome FROM billing_call c JOIN billing_attempt a"
        " ON a.call_id = c.id WHERE c.status = 'unknown'",
    )
    assert all(outcome == "cut" for _, outcome in unknown)

    spent = "SELECT coalesce(sum(cost), 0), sum(attempts), sum(calls) FROM billing_spend"
    rolled = [sum(int(str(v or 0)) for v in pair) for pair in zip(
        *(rows(installation, f"{spent}{table}")[0] for table in ("hour", "delta")), strict=True
    )]  # fmt: skip
    from_attempts = rows(
        installation, "SELECT coalesce(sum(cost), 0), count(*) FROM billing_attempt"
    )
    assert tuple(rolled[:2]) == from_attempts[0]
    assert rolled[2] == len(there)
    assert "0 differences" in installation.manage("verify_ledger")
    installation.stop()
    assert files_with(installation, MARKER) == []


def files_with(installation: Installation, text: str) -> list[str]:
    """Files of the data directory, database and logs among them, that hold this text."""
    return [
        str(path)
        for path in installation.data.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]
