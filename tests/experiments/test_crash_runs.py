"""Experiment (c): each kind of injury in turn, on one installation, with callers all the while.

c1 is `test_crash.py`, c8 `tests/billing/test_group_sync.py`; the windows of c7 are
`tests/billing/test_clock_jumps.py`. Whatever happens: what was billed is on the books, once; what
a client saw complete succeeded; rows, roll-ups and budgets agree to the last pico-dollar.
"""

import asyncio
import os
import random
import resource
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.experiments.crashing import FULL, call, rows, wait_until
from tests.servers.gateway import wait_for
from tests.servers.installation import Installation, children, command_line
from tests.servers.sandbox import Sandbox

CALLS, TIMES, AT_ONCE = (10_000, 20, 64) if FULL else (80, 1, 16)
DATABASE_AWAY_S = 10.0 if FULL else 1.5
GATEWAY, WORKER = "gateway_project.server", "celery"

Injury = Callable[[], None]
_numbers = iter(range(10**9))


@pytest.fixture(scope="module")
def installation(sandbox_server: Sandbox) -> Iterator[Installation]:
    base = f"{sandbox_server.url}/openai/v1"
    running = Installation({"FLO2_PROVIDER_OPENAI_BASE_URL": base, "FLO2_WORKERS": "2"})
    running.start()
    running.add_provider_key("openai", "good-key-0123456789")
    httpx.post(
        f"{running.url}/api/v1/budgets",
        headers={"Authorization": f"Bearer {running.keys['management_key']}"},
        json={"scope": "tenant", "limit_usd": "1000", "window": "month", "mode": "soft"},
        timeout=20,
        trust_env=False,
    ).raise_for_status()
    yield running
    running.stop()


async def work(
    installation: Installation, injure: Injury, *, times: int = TIMES, pauses: bool = False
) -> set[int]:
    """The calls, with so many injuries spread over them; the numbers that completed.

    `pauses`: nobody is there until an injury is over, so nobody begins a call meanwhile.
    """
    numbers = [next(_numbers) for _ in range(CALLS)]
    rng, left, done = random.Random(numbers[0]), iter(numbers), 0
    completed: set[int] = set()
    open_to_calls = asyncio.Event()
    open_to_calls.set()

    async def caller() -> None:
        nonlocal done
        headers = {"Authorization": f"Bearer {installation.keys['live_key']}"}
        async with httpx.AsyncClient(
            base_url=installation.url, headers=headers, timeout=20, trust_env=False
        ) as http:
            for number in left:
                await open_to_calls.wait()
                if await call(http, number, stream=number % 2 == 0):
                    completed.add(number)
                else:
                    await asyncio.sleep(0.05)
                done += 1

    async def injurer() -> None:
        for turn in range(1, times + 1):
            due = CALLS * turn // (times + 1)
            await wait_until(lambda due=due: done >= due)  # type: ignore[misc]
            await asyncio.sleep(rng.random() * 0.1)
            if pauses:
                open_to_calls.clear()
            await asyncio.to_thread(injure)
            open_to_calls.set()

    await asyncio.gather(injurer(), *(caller() for _ in range(AT_ONCE)))
    return completed


def check(
    installation: Installation, sandbox: Sandbox, completed: set[int], *, at_least: int = CALLS // 2
) -> None:
    """What must hold after every run."""
    print(f"{len(completed)} calls completed")
    assert len(completed) >= at_least
    wait_for(installation.is_ready, "the gateway is back", seconds=30)
    billed = {str(one["model"]) for one in sandbox.billed()}

    def booked() -> Counter[str]:
        found = rows(installation, "SELECT requested_model FROM billing_call")
        return Counter(str(model).removeprefix("openai/") for (model,) in found)

    def are_open() -> bool:
        return bool(rows(installation, "SELECT 1 FROM billing_call WHERE status = 'open' LIMIT 1"))

    wait_for(lambda: billed <= set(booked()), "all that was billed is on the books", seconds=60)
    wait_for(lambda: not are_open(), "every call is settled", seconds=60)
    assert max(booked().values()) == 1
    succeeded = {
        str(model).removeprefix("openai/")
        for (model,) in rows(
            installation, "SELECT requested_model FROM billing_call WHERE status = 'succeeded'"
        )
    }
    assert {f"call-{number}" for number in completed} <= succeeded
    assert "0 differences" in installation.manage("verify_ledger")


def test_c2_all_processes_are_killed_at_once(installation: Installation, sandbox: Sandbox) -> None:
    def injure() -> None:
        supervisor = installation._process
        assert supervisor
        for pid in [*children(supervisor.pid), supervisor.pid]:
            os.kill(pid, signal.SIGKILL)
        supervisor.wait()
        installation.start()

    completed = asyncio.run(work(installation, injure, pauses=True))

    check(installation, sandbox, completed)


def test_c2_a_gateway_process_that_is_told_to_stop_ends_its_calls(
    installation: Installation, sandbox: Sandbox
) -> None:
    def injure() -> None:
        assert installation._process
        one = next(
            pid for pid in children(installation._process.pid) if GATEWAY in command_line(pid)
        )
        os.kill(one, signal.SIGTERM)
        wait_for(lambda: one not in living(installation), "it has stopped", seconds=30)

    completed = asyncio.run(work(installation, injure))

    check(installation, sandbox, completed)


def living(installation: Installation) -> list[int]:
    assert installation._process
    return [pid for pid in children(installation._process.pid) if GATEWAY in command_line(pid)]


def test_c3_the_database_is_away_and_a_gateway_dies_meanwhile(
    installation: Installation, sandbox: Sandbox
) -> None:
    """Nobody can write: SQLite's one lock is held."""

    def injure() -> None:
        with sqlite3.connect(installation.data / "flo2.sqlite3", timeout=30) as database:
            database.execute("BEGIN IMMEDIATE")
            time.sleep(DATABASE_AWAY_S / 2)
            os.kill(living(installation)[0], signal.SIGKILL)
            time.sleep(DATABASE_AWAY_S / 2)
            database.rollback()

    completed = asyncio.run(work(installation, injure, times=10 if FULL else 1))

    check(installation, sandbox, completed)


def test_c4_calls_do_not_need_the_database_while_it_is_away(
    installation: Installation, sandbox: Sandbox
) -> None:
    asyncio.run(work(installation, lambda: None, times=1))

    def injure() -> None:
        with sqlite3.connect(installation.data / "flo2.sqlite3", timeout=30) as database:
            database.execute("BEGIN IMMEDIATE")
            time.sleep(DATABASE_AWAY_S)
            database.rollback()

    completed = asyncio.run(work(installation, injure, times=1))

    assert len(completed) == CALLS
    check(installation, sandbox, completed)


def test_c5_the_worker_is_killed_and_no_call_fails(
    installation: Installation, sandbox: Sandbox
) -> None:
    killed = 0

    def injure() -> None:
        nonlocal killed
        wait_for(lambda: bool(installation.kill(WORKER)), "there is a worker", seconds=20)
        killed += 1

    completed = asyncio.run(work(installation, injure))

    assert (len(completed), killed) == (CALLS, TIMES)
    check(installation, sandbox, completed)


def test_c6_a_full_disk_refuses_calls_before_anything_is_billed(
    installation: Installation, sandbox: Sandbox
) -> None:
    """Files of the gateways cannot grow: every write past 4 KiB fails as on a full disk."""
    asyncio.run(work(installation, lambda: None, times=1))
    before = len(sandbox.billed())
    headers = {"Authorization": f"Bearer {installation.keys['live_key']}"}

    def ask() -> httpx.Response:
        body = {
            "model": f"openai/call-{next(_numbers)}",
            "messages": [{"role": "user", "content": "hi"}],
        }
        return httpx.post(
            f"{installation.url}/v1/chat/completions",
            headers=headers, json=body, timeout=20, trust_env=False,
        )  # fmt: skip

    limit_files(installation, 4096)
    refused = [ask() for _ in range(20)]
    told = httpx.get(f"{installation.url}/readyz", timeout=5, trust_env=False).status_code
    limit_files(installation, resource.RLIM_INFINITY)

    assert {answer.status_code for answer in refused} == {503}
    assert {answer.json()["error"]["code"] for answer in refused} == {"ledger_unavailable"}
    assert told == 503
    assert len(sandbox.billed()) == before
    wait_for(lambda: ask().status_code == 200, "calls are made again", seconds=20)
    check(installation, sandbox, set(), at_least=0)


def limit_files(installation: Installation, size: int) -> None:
    for pid in living(installation):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
