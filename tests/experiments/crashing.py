"""Callers, and what the outsiders and the books say afterwards: shared by the crash experiments.

The truth is told by two outsiders: the clients' list of completed calls, and the provider's own
list of what it would bill. Each call asks for a model of its own name, so that the two can be
matched.
"""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import psycopg

from tests.servers.gateway import wait_for
from tests.servers.installation import Installation, children, command_line
from tests.servers.sandbox import Sandbox

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
MARKER = "the-marker-of-this-experiment-7391"
GATEWAY, WORKER = "gateway_project.server", "celery"

_numbers = iter(range(10**9))


@contextlib.contextmanager
def two_gateways(sandbox: Sandbox, **environment: str) -> Iterator[Installation]:
    """An installation that runs, with a live key of an OpenAI that is the sandbox."""
    own = {"FLO2_PROVIDER_OPENAI_BASE_URL": f"{sandbox.url}/openai/v1", "FLO2_WORKERS": "2"}
    running = Installation({**own, **environment})
    running.start()
    try:
        running.add_provider_key("openai", "good-key-0123456789")
        yield running
    finally:
        running.stop()


def next_number() -> int:
    """Of a call; no two have the same."""
    return next(_numbers)


def name_of(number: int) -> str:
    """The model of a call; the list has a price for whatever begins like this."""
    return f"gpt-5-nano-call-{number}"


def body_of(number: int, *, stream: bool = False) -> dict[str, object]:
    return {
        "model": f"openai/{name_of(number)}",
        "messages": [{"role": "user", "content": f"{MARKER} {number}"}],
        "stream": stream,
        "max_completion_tokens": 500,  # what a hard budget reserves
    }


async def call(http: httpx.AsyncClient, number: int, *, stream: bool) -> bool:
    """Make one call; whether the client saw it complete."""
    return not await problem_of(http, number, stream=stream)


async def problem_of(http: httpx.AsyncClient, number: int, *, stream: bool) -> str:
    """Make one call; why the client did not see it complete, or nothing."""
    try:
        answer = await http.post("/v1/chat/completions", json=body_of(number, stream=stream))
    except httpx.HTTPError as error:
        return type(error).__name__
    if answer.status_code != 200:
        return f"{answer.status_code} {answer.text[:300]}"
    is_cut = stream and not answer.text.rstrip().endswith("data: [DONE]")
    return f"cut: {answer.text[-300:]}" if is_cut else ""


async def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  a number that grows has no event
        await asyncio.sleep(0.005)


def rows(installation: Installation, statement: str) -> list[tuple[object, ...]]:
    if url := installation.environment["DATABASE_URL"]:
        with psycopg.connect(url, options="-c app.scope=system") as server:
            return server.execute(statement.encode()).fetchall()
    with sqlite3.connect(installation.data / "flo2.sqlite3") as database:
        return database.execute(statement).fetchall()


def living(installation: Installation) -> list[int]:
    """The gateway's processes."""
    assert installation._process
    return [pid for pid in children(installation._process.pid) if GATEWAY in command_line(pid)]


def wait_for_both(installation: Installation) -> None:
    """Each of two gateways has a journal, that is: it serves."""

    def are_there() -> bool:
        names = [path.name for path in (installation.data / "journal").glob("*.jnl")]
        pids = living(installation)
        serving = [pid for pid in pids if any(f"-{pid}-" in name for name in names)]
        return len(serving) == 2

    wait_for(are_there, "both gateways serve", seconds=60)


def kill_all(installation: Installation) -> None:
    """kill -9 of everything at once."""
    supervisor = installation._process
    assert supervisor
    for pid in [*children(supervisor.pid), supervisor.pid]:
        os.kill(pid, signal.SIGKILL)
    supervisor.wait()


def add_budget(installation: Installation, **terms: str) -> None:
    httpx.post(
        f"{installation.url}/api/v1/budgets",
        headers={"Authorization": f"Bearer {installation.keys['management_key']}"},
        json={"scope": "tenant", **terms},
        timeout=20,
        trust_env=False,
    ).raise_for_status()


@dataclass
class Work:
    """What callers saw: the numbers that completed, and why the others did not."""

    completed: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        return len(self.completed) + len(self.failed)


async def work(
    installation: Installation,
    injure: Callable[[], None],
    *,
    calls: int,
    times: int,
    at_once: int,
    pauses: bool = False,
) -> Work:
    """So many calls, with so many injuries spread over them.

    `pauses`: nobody is there until an injury is over, so nobody begins a call meanwhile.
    """
    numbers = [next_number() for _ in range(calls)]
    rng, left, done = random.Random(numbers[0]), iter(numbers), Work()
    open_to_calls = asyncio.Event()
    open_to_calls.set()

    async def caller() -> None:
        headers = {"Authorization": f"Bearer {installation.keys['live_key']}"}
        async with httpx.AsyncClient(
            base_url=installation.url, headers=headers, timeout=20, trust_env=False
        ) as http:
            for number in left:
                await open_to_calls.wait()
                if problem := await problem_of(http, number, stream=number % 2 == 0):
                    done.failed[number] = problem
                    await asyncio.sleep(0.05)
                else:
                    done.completed.add(number)

    async def injurer() -> None:
        for turn in range(1, times + 1):
            due = calls * turn // (times + 1)
            await wait_until(lambda due=due: done.calls >= due)  # type: ignore[misc]
            await asyncio.sleep(rng.random() * 0.1)
            if pauses:
                open_to_calls.clear()
            await asyncio.to_thread(injure)
            open_to_calls.set()

    await asyncio.gather(injurer(), *(caller() for _ in range(at_once)))
    return done


class Table:
    """What a run has shown: one line of the table of experiments."""

    def __init__(self, run: str, injuries: int) -> None:
        self._run, self._injuries, self._began = run, injuries, time.monotonic()

    def print(self, done: Work, **counts: int) -> None:
        told = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items())
        print(
            f"\n{self._run}: {done.calls} calls, {self._injuries} injuries,"
            f" {len(done.completed)} completed, {told}, {time.monotonic() - self._began:.0f} s"
        )
        for reason, count in Counter(one[:100] for one in done.failed.values()).most_common(5):
            print(f"  {count} did not complete: {reason}")


def check(
    installation: Installation,
    sandbox: Sandbox,
    done: Work,
    table: Table,
    *,
    at_least: int | None = None,
) -> None:
    """What must hold after every run; at least half of the calls were to complete."""
    wait_for(installation.is_ready, "the gateway is back", seconds=30)
    exchanges = Counter(str(one["model"]) for one in sandbox.billed())

    def named(statement: str) -> Counter[str]:
        found = rows(installation, statement)
        return Counter(str(model).removeprefix("openai/") for (model,) in found)

    def are_open() -> bool:
        return bool(rows(installation, "SELECT 1 FROM billing_call WHERE status = 'open' LIMIT 1"))

    def without_row() -> set[str]:
        return exchanges.keys() - named("SELECT requested_model FROM billing_call").keys()

    with contextlib.suppress(AssertionError):  # it is told, and then asserted
        wait_for(lambda: not without_row(), "all that was billed is on the books", seconds=60)
    wait_for(lambda: not are_open(), "every call is settled", seconds=60)
    booked = named("SELECT requested_model FROM billing_call")
    succeeded = named("SELECT requested_model FROM billing_call WHERE status = 'succeeded'")
    lost = [number for number in done.completed if not succeeded[name_of(number)]]
    missing = without_row()
    double = [name for name, count in booked.items() if count > 1]
    table.print(
        done, billed=len(exchanges), lost=len(lost), double=len(double),
        billed_without_a_row=len(missing),
    )  # fmt: skip
    assert (lost, double, missing) == ([], [], set())
    assert len(done.completed) >= (done.calls // 2 if at_least is None else at_least)
    attempts = named("SELECT model FROM billing_attempt")
    assert [name for name, count in exchanges.items() if attempts[name] < count] == []
    assert "0 differences" in installation.manage("verify_ledger")
