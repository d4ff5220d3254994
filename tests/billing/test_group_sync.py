"""With FLO2_JOURNAL_FSYNC=group a call waits until the disk has it, and many share one sync."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings

from billing import journal
from billing.errors import LedgerUnavailable
from billing.facts import CallSettled, Fact
from billing.group_sync import GroupSync
from billing.journal import Journal
from billing.leases import Payer
from billing.ledger import Ledger
from tests.factories.billing import CallOpenedFactory, CallSettledFactory


class Disk:
    """What `fdatasync` has taken to the disk of each file; on demand it waits or fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: dict[int, int] = {}  # inode → bytes
        self.calls = 0
        self.failing = 0
        self.gate: threading.Event | None = None
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, fd: int) -> None:
        self.calls += 1
        status = os.fstat(fd)
        if self.gate:
            self.gate.wait(5)
        if self.failing:
            self.failing -= 1
            raise OSError(5, "the disk is broken")
        self.synced[status.st_ino] = status.st_size

    def left(self, folder: Path) -> list[Fact]:
        """What is read after the power was lost: the rest of each file is gone."""
        for path in folder.glob("*.jnl"):
            os.truncate(path, self.synced.get(path.stat().st_ino, 0))
        files = sorted(folder.glob("*.jnl"))
        return [record.fact for path in files for record in journal.read(path)]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def its(tmp_path: Path) -> Iterator[Journal]:
    its = Journal(tmp_path, group=True)
    yield its
    its.close()


def settled(number: int) -> CallSettled:
    return CallSettled(f"{number:022}", "succeeded", number)


async def test_many_who_wait_share_one_sync(disk: Disk, its: Journal) -> None:
    sync = GroupSync(its)

    async def one(number: int) -> None:
        its.append(settled(number))
        await sync.durable()

    await asyncio.gather(*(one(number) for number in range(64)))

    assert disk.calls == 1
    assert len(disk.left(its.path.parent)) == 64


async def test_who_writes_while_a_sync_runs_waits_for_the_next(disk: Disk, its: Journal) -> None:
    sync = GroupSync(its)
    disk.gate = threading.Event()
    its.append(settled(1))
    first = asyncio.ensure_future(sync.durable())
    while disk.calls == 0:  # noqa: ASYNC110  a thread counts
        await asyncio.sleep(0)
    its.append(settled(2))
    second = asyncio.ensure_future(sync.durable())
    await asyncio.sleep(0)
    disk.gate.set()

    await first
    await second

    assert disk.calls == 2
    assert disk.left(its.path.parent) == [settled(1), settled(2)]


async def test_one_who_leaves_does_not_stop_the_others(disk: Disk, its: Journal) -> None:
    sync = GroupSync(its)
    disk.gate = threading.Event()
    its.append(settled(1))
    leaving = asyncio.ensure_future(sync.durable())
    staying = asyncio.ensure_future(sync.durable())
    await asyncio.sleep(0)
    leaving.cancel()
    disk.gate.set()

    await staying

    assert leaving.cancelled()
    assert disk.left(its.path.parent) == [settled(1)]


async def test_after_a_failed_sync_the_lines_are_in_a_new_file(disk: Disk, its: Journal) -> None:
    sync = GroupSync(its)
    its.append(settled(1))
    await sync.durable()
    failed = its.path
    its.append(settled(2))
    disk.failing = 1

    await sync.durable()

    assert its.path != failed
    assert its.full == [failed]
    assert disk.left(its.path.parent) == [settled(1), settled(2)]


async def test_a_descriptor_whose_sync_failed_is_not_tried_again(disk: Disk, its: Journal) -> None:
    sync = GroupSync(its)
    failed = its.path.stat().st_ino
    disk.failing = 1
    for number in range(3):
        its.append(settled(number))
        await sync.durable()

    assert failed not in disk.synced
    assert len(disk.left(its.path.parent)) == 3


async def test_a_disk_that_fails_twice_is_told(disk: Disk, its: Journal) -> None:
    its.append(settled(1))
    disk.failing = 2

    with pytest.raises(LedgerUnavailable):
        await GroupSync(its).durable()


async def test_without_a_descriptor_left_the_caller_is_told_and_no_line_is_forgotten(
    disk: Disk, its: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = GroupSync(its)
    its.append(settled(1))

    def no_more(_: int) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patch, pytest.raises(LedgerUnavailable):
        patch.setattr(os, "dup", no_more)
        await sync.durable()
    its.append(settled(2))
    disk.failing = 1  # so that it takes the lines to a new file

    await sync.durable()

    assert disk.left(its.path.parent)[-2:] == [settled(1), settled(2)]


async def test_a_file_that_is_full_is_synced_to_its_end(
    disk: Disk, its: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 500)
    for number in range(40):
        its.append(settled(number))
    await GroupSync(its).durable()

    assert len(its.full) > 2
    assert disk.left(its.path.parent) == [settled(number) for number in range(40)]


async def test_without_the_setting_nobody_waits(disk: Disk, tmp_path: Path) -> None:
    its = Journal(tmp_path)
    its.append(settled(1))

    await GroupSync(its).durable()

    assert disk.calls == 0
    its.close()


@pytest.mark.django_db(transaction=True)
class TestCalls:
    @pytest.fixture
    def books(self, tmp_path: Path, settings: LazySettings) -> Iterator[Ledger]:
        settings.FLO2_JOURNAL_FSYNC = "group"
        its = Ledger(tmp_path)
        yield its
        its.journal.close()

    async def test_a_call_begins_and_ends_on_the_disk(self, disk: Disk, books: Ledger) -> None:
        fact = CallOpenedFactory.build()
        end = CallSettledFactory.build(call=fact.call)

        call = await books.admit(fact, Payer(fact.tenant, fact.mode, None))
        on_disk = disk.synced[books.journal.path.stat().st_ino]
        call.settle(end)
        await call.durable()

        assert on_disk == len(journal.line_of(fact))
        assert disk.left(books.journal.path.parent) == [fact, end]

    async def test_a_call_whose_intent_is_not_on_the_disk_does_not_begin(
        self, disk: Disk, books: Ledger
    ) -> None:
        disk.failing = 2
        fact = CallOpenedFactory.build()

        with pytest.raises(LedgerUnavailable):
            await books.admit(fact, Payer(fact.tenant, fact.mode, None))

        assert books.open_calls == set()
        last = list(journal.read(books.journal.path))[-1].fact
        assert isinstance(last, CallSettled)
        assert (last.status, last.error_code) == ("failed", "ledger_unavailable")
        assert last.cost == 0

    async def test_a_caller_who_leaves_meanwhile_ends_the_call(
        self, disk: Disk, books: Ledger
    ) -> None:
        disk.gate = threading.Event()
        fact = CallOpenedFactory.build()
        waiting = asyncio.ensure_future(books.admit(fact, Payer(fact.tenant, fact.mode, None)))
        while disk.calls == 0:  # noqa: ASYNC110  a thread counts
            await asyncio.sleep(0)
        waiting.cancel()
        disk.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        last = list(journal.read(books.journal.path))[-1].fact
        assert isinstance(last, CallSettled)
        assert last.status == "cancelled"


async def test_nothing_that_was_told_durable_is_lost_when_the_power_fails(
    disk: Disk, its: Journal
) -> None:
    """Experiment c8: all bytes after the last sync are dropped, at each of many moments."""
    sync, told = GroupSync(its), set()

    async def one(number: int) -> None:
        for turn in range(8):
            fact = settled(number * 8 + turn)
            its.append(fact)
            await sync.durable()
            told.add(fact)
            end = its.path.stat().st_size
            assert disk.synced[its.path.stat().st_ino] <= end
            await asyncio.sleep(0)

    callers = [asyncio.ensure_future(one(number)) for number in range(64)]
    while len(told) < 300:  # noqa: ASYNC110  a number that grows has no event
        await asyncio.sleep(0.001)
    for caller in callers:
        caller.cancel()

    assert told <= set(disk.left(its.path.parent))
    await asyncio.gather(*callers, return_exceptions=True)
    assert 0 < disk.calls < len(told)
