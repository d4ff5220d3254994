"""The database goes away for a while: no fact is lost, and none is written twice."""

import logging
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from billing import reconcile
from billing.facts import Fact
from billing.journal import Journal
from billing.models import SpendDelta
from billing.shipper import Shipper
from tests.accounts.databases import postgresql_only, rows_of
from tests.accounts.deadlines import eventually
from tests.accounts.depth import FULL
from tests.billing import bookkeeping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import (
    AttemptStartedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    failed,
    story,
)

pytestmark = pytest.mark.django_db(transaction=True)

HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
held.execute("ROLLBACK")
"""


@pytest.fixture(autouse=True)
def impatient(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections wait a moment for a lock, or come without a pool: outages show at once."""
    options = connection.settings_dict["OPTIONS"]
    if connection.vendor == "sqlite":
        monkeypatch.setitem(options, "timeout", 0.1)
        yield
    else:
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
        monkeypatch.setitem(options, "pool", False)
        yield
        connection.close()


@contextmanager
def outage() -> Iterator[None]:
    """Nobody but this thread gets a connection that can write."""
    if connection.vendor == "sqlite":
        with _locked(connection.settings_dict["NAME"]):
            yield
    else:
        with _closed(connection.settings_dict["NAME"]):
            yield


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """Another process holds an exclusive lock."""
    command = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(path, timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
        yield
        holder.stdin.close()


@contextmanager
def _closed(name: str) -> Iterator[None]:
    """The server takes no connections to our database, and cuts those there are."""
    with _elsewhere() as server:
        server.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
        try:
            _cut(server, name)
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')


@contextmanager
def _elsewhere() -> Iterator[Any]:
    """A connection to the same server and another database."""
    import psycopg

    config = connection.settings_dict
    with psycopg.connect(
        host=config["HOST"],
        port=config["PORT"] or 5432,
        user=config["USER"],
        password=config["PASSWORD"],
        dbname="postgres",
        autocommit=True,
    ) as server:
        yield server


def _cut(server: Any, name: str) -> int:
    """End all connections to the database but this thread's own; how many there were."""
    ((own,),) = rows_of("SELECT pg_backend_pid()")
    ended = server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> %s",
        [name, own],
    )
    return len(ended.fetchall())


@contextmanager
def at_work(folder: Path) -> Iterator[tuple[Journal, Shipper]]:
    """A journal and its running shipper; both are stopped at the end."""
    its = Journal(folder)
    running = Shipper(its, folder)
    running.start()
    try:
        yield its, running
    finally:
        running.stop()
        its.close()


def count(status: str) -> int:
    return list(bookkeeping.statuses().values()).count(status)


def test_calls_before_during_and_after_an_outage_all_arrive_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = TenantFactory.create()
    across: list[list[Fact]] = [story(tenant) for _ in range(5)]
    with at_work(tmp_path) as (its, running):
        its.append(*story(tenant))
        eventually(lambda: count("succeeded") == 1)
        for opened, *_ in across:
            its.append(opened)
        eventually(lambda: running._read_to.get(its.path) == its.size)
        with outage():
            for _, *rest in across:
                its.append(*rest)
            its.append(*story(tenant))
            began = time.monotonic()
            eventually(lambda: time.monotonic() - running.shipped_at > 1.5)
            assert running.shipped_at < began
        eventually(lambda: count("succeeded") == 7)
        its.append(*story(tenant))
        eventually(lambda: count("succeeded") == 8)

    assert len(bookkeeping.attempts()) == 8
    sums = bookkeeping.sums_of(SpendDelta)
    assert (sums["calls"], sums["attempts"]) == (8, 8)
    messages = [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]
    assert messages == ["shipping failed; the facts wait in the journal"]


def test_what_an_outage_leaves_behind_when_the_process_stops_is_adopted(tmp_path: Path) -> None:
    tenant = TenantFactory.create()
    with outage(), at_work(tmp_path) as (its, _):
        its.append(*story(tenant))
        its.append(CallOpenedFactory.build(tenant=tenant.pk))
    assert bookkeeping.calls() == []

    reconcile.adopt_dead_journals(tmp_path)
    assert (count("succeeded"), count("unknown")) == (1, 1)


@postgresql_only
def test_connections_cut_again_and_again_in_the_middle_of_work_lose_nothing(
    tmp_path: Path,
) -> None:
    tenant, rng = TenantFactory.create(), random.Random(20261120)
    cuts = made = 0
    with at_work(tmp_path) as (its, running), _elsewhere() as server:
        while cuts < (100 if FULL else 12):
            for _ in range(30):
                opened = CallOpenedFactory.build(tenant=tenant.pk)
                its.append(opened)
                its.append(
                    failed(opened.call),
                    AttemptStartedFactory.build(call=opened.call),
                    failed(opened.call, 2, cost=opened.expected_cost),
                )
                its.append(CallSettledFactory.build(call=opened.call, status="failed"))
                made += 1
            running.nudge()
            moment = time.monotonic() + rng.random() * 0.03
            eventually(lambda until=moment: time.monotonic() > until)  # type: ignore[misc]
            cuts += _cut(server, connection.settings_dict["NAME"])
        eventually(lambda: count("failed") == made, within=30)

    assert len(bookkeeping.attempts()) == 2 * made
    sums = bookkeeping.sums_of(SpendDelta)
    assert (sums["calls"], sums["attempts"], sums["failed"]) == (made, 2 * made, 2 * made)
