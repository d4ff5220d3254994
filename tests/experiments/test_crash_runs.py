"""Experiment (c): each kind of injury in turn, on one installation, with callers all the while.

c1's kills are in `test_crash.py`, c3 with PostgreSQL in `test_crash_postgres.py`, c7 in
`test_crash_clock.py`, c8 in `test_crash_power.py`. Whatever happens: what was billed is on the
books, once; what a client saw complete succeeded; rows, roll-ups and budgets agree to the last
pico-dollar.
"""

import asyncio
import os
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.experiments.crashing import (
    FULL,
    WORKER,
    Table,
    Work,
    add_budget,
    body_of,
    check,
    kill_all,
    living,
    next_number,
    wait_for_both,
    work,
)
from tests.servers.gateway import wait_for
from tests.servers.installation import Installation
from tests.servers.sandbox import Sandbox

CALLS, TIMES, AT_ONCE = (10_000, 20, 64) if FULL else (80, 1, 16)
DATABASE_AWAY_S = 10.0 if FULL else 1.5

Injury = Callable[[], None]


@pytest.fixture(scope="module")
def installation(sandbox_server: Sandbox) -> Iterator[Installation]:
    base = f"{sandbox_server.url}/openai/v1"
    running = Installation({"FLO2_PROVIDER_OPENAI_BASE_URL": base, "FLO2_WORKERS": "2"})
    running.start()
    running.add_provider_key("openai", "good-key-0123456789")
    add_budget(running, limit_usd="1000", window="month", mode="soft")
    yield running
    running.stop()


async def run(installation: Installation, injure: Injury, *, times: int = TIMES) -> Work:
    return await work(installation, injure, calls=CALLS, times=times, at_once=AT_ONCE)


def test_c2_all_processes_are_killed_at_once(installation: Installation, sandbox: Sandbox) -> None:
    def injure() -> None:
        kill_all(installation)
        installation.start()

    table = Table("c2, all processes killed", TIMES)
    injured = work(installation, injure, calls=CALLS, times=TIMES, at_once=AT_ONCE, pauses=True)
    done = asyncio.run(injured)

    check(installation, sandbox, done, table)


def test_c2_a_gateway_process_that_is_told_to_stop_ends_its_calls(
    installation: Installation, sandbox: Sandbox
) -> None:
    def injure() -> None:
        wait_for_both(installation)
        one = living(installation)[0]
        os.kill(one, signal.SIGTERM)
        wait_for(lambda: one not in living(installation), "it has stopped", seconds=30)

    table = Table("c1, a gateway told to stop", TIMES)
    done = asyncio.run(run(installation, injure))

    check(installation, sandbox, done, table)
    assert done.failed == {}


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

    times = 10 if FULL else 1
    table = Table("c3, nobody can write to SQLite", times)
    done = asyncio.run(run(installation, injure, times=times))

    check(installation, sandbox, done, table)


def test_c4_calls_do_not_need_the_database_while_it_is_away(
    installation: Installation, sandbox: Sandbox
) -> None:
    asyncio.run(run(installation, lambda: None, times=1))

    def injure() -> None:
        with sqlite3.connect(installation.data / "flo2.sqlite3", timeout=30) as database:
            database.execute("BEGIN IMMEDIATE")
            time.sleep(DATABASE_AWAY_S)
            database.rollback()

    table = Table("c4, nobody can write to SQLite", 1)
    done = asyncio.run(run(installation, injure, times=1))

    assert done.failed == {}
    check(installation, sandbox, done, table)


def test_c5_the_worker_is_killed_and_no_call_fails(
    installation: Installation, sandbox: Sandbox
) -> None:
    killed = 0

    def injure() -> None:
        nonlocal killed
        wait_for(lambda: bool(installation.kill(WORKER)), "there is a worker", seconds=20)
        killed += 1

    table = Table("c5, the worker killed", TIMES)
    done = asyncio.run(run(installation, injure))

    assert (done.failed, killed) == ({}, TIMES)
    check(installation, sandbox, done, table)


def test_c6_a_full_disk_refuses_calls_before_anything_is_billed(
    installation: Installation, sandbox: Sandbox
) -> None:
    """Files of the gateways cannot grow: every write past 4 KiB fails as on a full disk."""
    asyncio.run(run(installation, lambda: None, times=1))
    before = len(sandbox.billed())
    headers = {"Authorization": f"Bearer {installation.keys['live_key']}"}
    table = Table("c6, a full disk", 1)

    def ask() -> httpx.Response:
        return httpx.post(
            f"{installation.url}/v1/chat/completions",
            headers=headers, json=body_of(next_number()), timeout=20, trust_env=False,
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
    check(installation, sandbox, Work(), table)


def limit_files(installation: Installation, size: int) -> None:
    for pid in living(installation):
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
