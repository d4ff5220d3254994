"""Experiment (c), c7 and c8: the machine's clock is set, and its power fails.

With FLO2_JOURNAL_FSYNC=group. The processes are real ones; a library that they load first moves
their wall clock, and remembers what they forced to the disk.

c7: the clock jumps by an hour or a day, forth and back, while calls are made: none fails, and each
counts in the hour and the day that the clock showed when it began.

c8: all processes are killed at once; then each journal is cut where its last sync began, and the
database is what it was at its own last syncs. Files keep their names: a journal that was put aside
stays aside.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.experiments.crashing import (
    FULL,
    Table,
    Work,
    add_budget,
    check,
    kill_all,
    name_of,
    rows,
    work,
)
from tests.servers import preloaded
from tests.servers.gateway import wait_for
from tests.servers.installation import Installation
from tests.servers.sandbox import Sandbox

CALLS, AT_ONCE = (10_000, 64) if FULL else (80, 16)
POWER_CUTS, JUMPS = (20, 20) if FULL else (1, 4)
HOUR, DAY = 3600, 86_400
OFFSETS = (HOUR, 0, DAY, -DAY, -HOUR, 0, DAY, 0, -HOUR, -DAY)  # ends behind where it began

pytestmark = pytest.mark.skipif(not preloaded.IS_POSSIBLE, reason="needs Linux and a C compiler")


@pytest.fixture(scope="module")
def clock() -> preloaded.Clock:
    return preloaded.Clock()


@pytest.fixture(scope="module")
def disk() -> preloaded.Disk:
    return preloaded.Disk()


@pytest.fixture(scope="module")
def installation(
    sandbox_server: Sandbox, disk: preloaded.Disk, clock: preloaded.Clock
) -> Iterator[Installation]:
    running = Installation(
        {
            "FLO2_PROVIDER_OPENAI_BASE_URL": f"{sandbox_server.url}/openai/v1",
            "FLO2_WORKERS": "2",
            "FLO2_JOURNAL_FSYNC": "group",
        }
    )
    disk.remember(running.data / "flo2.sqlite3")
    running.environment |= preloaded.together(clock.environment, disk.environment)
    running.start()
    running.add_provider_key("openai", "good-key-0123456789")
    for window in ("day", "week", "month"):
        add_budget(running, limit_usd="1000", window=window, mode="hard")
    yield running
    running.stop()


def test_c8_nothing_that_a_client_saw_complete_is_lost_when_the_power_fails(
    installation: Installation, sandbox: Sandbox, disk: preloaded.Disk
) -> None:
    lost = []

    def injure() -> None:
        kill_all(installation)
        data = installation.data
        lost.append(disk.fail(data / "flo2.sqlite3", data / "journal"))
        installation.start()

    table = Table("c8, the power fails", POWER_CUTS)
    done = asyncio.run(
        work(installation, injure, calls=CALLS, times=POWER_CUTS, at_once=AT_ONCE, pauses=True)
    )

    disk.rest()
    print(f"bytes of journals that were not on the disk: {lost}")
    check(installation, sandbox, done, table)
    refused = [problem for problem in done.failed.values() if not problem.isidentifier()]
    assert refused == []  # keys and budgets are still there


class Witness:
    """Between which times a call may have begun, by the clock as it was set meanwhile."""

    def __init__(self, clock: preloaded.Clock) -> None:
        self._clock = clock
        self._changes = [(time.time(), 0)]

    def set(self, offset: int) -> None:
        self._changes.append((time.time(), offset))
        self._clock.set(offset)

    def could_have_begun(self, shown: float) -> bool:
        """Whether the clock ever showed this."""
        ends = [at for at, _ in self._changes[1:]] + [time.time()]
        return any(
            began - 0.5 <= shown - offset <= end + 0.5
            for (began, offset), end in zip(self._changes, ends, strict=True)
        )


def test_c7_calls_count_when_the_clock_says_they_began_however_it_is_set(
    installation: Installation, sandbox: Sandbox, clock: preloaded.Clock, disk: preloaded.Disk
) -> None:
    disk.rest()
    witness = Witness(clock)
    offsets = itertools.cycle(OFFSETS if FULL else (HOUR, DAY, -DAY, -HOUR))

    table = Table("c7, the clock is set", JUMPS)
    done = asyncio.run(
        work(
            installation, lambda: witness.set(next(offsets)),
            calls=CALLS, times=JUMPS, at_once=AT_ONCE,
        )
    )  # fmt: skip

    check(installation, sandbox, done, table, at_least=CALLS)
    assert done.failed == {}
    check_windows(installation, done, witness)
    if FULL:
        wait_for(lambda: not deltas(installation), "the worker adds up", seconds=90)
        check_windows(installation, done, witness)
    installation.stop()
    assert not leased(installation)  # a process that ends in order gives back what it held


def check_windows(installation: Installation, done: Work, witness: Witness) -> None:
    """Hours, days and budgets have what the calls of their time have cost, to the pico-dollar."""
    found = rows(
        installation,
        "SELECT c.requested_model, c.created_at, sum(a.cost) FROM billing_call c"
        " JOIN billing_attempt a ON a.call_id = c.id GROUP BY c.id",
    )
    mine = {f"openai/{name_of(number)}" for number in done.completed}
    hours, days = Counter[str](), Counter[str]()
    months, weeks = Counter[str](), Counter[str]()
    strange = []
    for model, shown, cost in found:
        at, spent = datetime.fromisoformat(f"{shown}+00:00"), int(str(cost))
        if model in mine and not witness.could_have_begun(at.timestamp()):
            strange.append((model, shown))
        hours[f"{at:%F %H}"] += spent
        days[f"{at:%F}"] += spent
        weeks[f"{at:%G %V}"] += spent
        months[f"{at:%Y-%m}"] += spent
    assert strange == []
    if FULL:  # the short form may jump on before a call has begun
        assert len(days) > 2

    spend = "SELECT hour, cost FROM billing_spendhour UNION ALL SELECT hour, cost FROM"
    assert summed(installation, f"{spend} billing_spenddelta", "%F %H") == hours
    window = (
        "SELECT starts_at, spent FROM billing_budgetwindow JOIN billing_budget b"
        " ON b.id = budget_id WHERE spent > 0 AND b.window ="
    )
    assert summed(installation, f"{window} 'day'", "%F") == days
    assert summed(installation, f"{window} 'week'", "%G %V") == weeks
    assert summed(installation, f"{window} 'month'", "%Y-%m") == months


def summed(installation: Installation, statement: str, kind: str) -> Counter[str]:
    sums = Counter[str]()
    for at, amount in rows(installation, statement):
        sums[f"{datetime.fromisoformat(f'{at}+00:00'):{kind}}"] += int(str(amount))
    return sums


def deltas(installation: Installation) -> bool:
    return bool(rows(installation, "SELECT 1 FROM billing_spenddelta LIMIT 1"))


def leased(installation: Installation) -> bool:
    return bool(rows(installation, "SELECT 1 FROM billing_lease LIMIT 1"))
