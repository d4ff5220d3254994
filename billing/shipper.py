"""Takes the journal to the database in batches, beside the request path, in a thread of its own.

A batch is written at most 250 ms after its first record. While the database is away the facts wait
in the journal; nothing is lost and, when it is back, nothing is written twice.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from django.db import close_old_connections, connection

from billing import books, journal, lease_rows, reconcile
from billing.deltas import Booked
from billing.facts import CallOpened, CallSettled, Fact
from billing.journal import Journal, Record
from billing.leases import Leases
from billing.unwritten import Unwritten, kept

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.25
BATCH_RECORDS = 2000
OPEN_ROW_AFTER_SECONDS = 5.0  # younger open calls wait for their settlement
ADOPT_EVERY_SECONDS = 10.0

Listener = Callable[[list[Booked]], None]
listeners: list[Listener] = []  # told of what was booked, after the commit


class Young(NamedTuple):
    """An open call that is not written yet, since its settlement is likely to come soon."""

    since: float
    path: Path  # of the journal that has its opening
    records: tuple[Record, ...]


Waiting = dict[str, Young]


class Shipper:
    def __init__(
        self,
        own: Journal,
        folder: Path,
        leases: Leases | None = None,
        waiting: Unwritten | None = None,
    ) -> None:
        self._journal, self._folder, self._leases = own, folder, leases
        self._unwritten = waiting
        self._read_to: dict[Path, int] = {}
        self._waiting: Waiting = {}
        self._wake = threading.Event()
        self._stopping = False
        self._adopted_at = -ADOPT_EVERY_SECONDS
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self.shipped_at = time.monotonic()  # what was written before this moment is shipped

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ship what there is, then end the thread."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=30)

    def nudge(self) -> None:
        """Ship now: somebody waits for a row."""
        self._wake.set()

    def _run(self) -> None:
        failing = False
        while True:
            self._wake.wait(EVERY_SECONDS)
            self._wake.clear()
            stopping = self._stopping
            try:
                self._turn(everything=stopping)
                failing = False
            except Exception:  # the thread's edge: whatever it is, the facts must go on waiting
                if not failing:
                    log.exception("shipping failed; the facts wait in the journal")
                failing = True
                close_old_connections()
            if stopping:
                break
        connection.close()

    def _turn(self, *, everything: bool) -> None:
        began = time.monotonic()
        if self._unwritten:
            self._rescue(self._unwritten)
        while self._ship_some(everything=everything):
            pass
        for path in list(self._journal.full):
            self._let_go(path)
        self.shipped_at = began
        if time.monotonic() - self._adopted_at >= ADOPT_EVERY_SECONDS:
            self._adopted_at = time.monotonic()
            own = [self._journal.path, *self._journal.full]
            _tell(reconcile.adopt_dead_journals(self._folder, own=own))
            if self._leases:
                lease_rows.release_the_dead(self._folder, self._leases.holder.folder)
        if self._leases:
            self._leases.give_back(everything=everything)

    def _rescue(self, unwritten: Unwritten) -> None:
        """Book what the journal could not take; it has no place in a journal."""
        ends = unwritten.take()
        try:
            facts = [fact for end in ends for fact in end.facts]
            booked = books.book_what_fits(facts, aside=self._keep_aside, purse=self._leases)
        except BaseException:
            unwritten.give_back(ends)
            raise
        kept(ends)
        _tell(booked)

    def _keep_aside(self, facts: list[Fact]) -> None:
        try:
            journal.keep_aside(self._journal.path, facts)
        except OSError:
            log.exception("a call is lost: no store takes it", extra={"call": facts[0].call})

    def _ship_some(self, *, everything: bool) -> bool:
        """Ship one batch; whether there may be more."""
        more = False
        for path in [*self._journal.full, self._journal.path]:
            start = self._read_to.get(path, 0)
            records = list(islice(journal.read(path, start), BATCH_RECORDS))
            more = more or len(records) == BATCH_RECORDS
            facts, waiting = self._sort(path, records, everything=everything)
            end = records[-1].end if records else start
            booked: list[Booked] = []
            if facts:
                booked = books.book_what_fits(
                    facts,
                    cursor=(path.name, _safe_position(waiting, path, end)),
                    aside=partial(journal.keep_aside, path),
                    may_repeat=False,
                    purse=self._leases,
                )
            # Not before it is written: a batch that failed is read and sorted anew.
            self._read_to[path], self._waiting = end, waiting
            _tell(booked)
        return more

    def _sort(
        self, path: Path, records: list[Record], *, everything: bool
    ) -> tuple[list[Fact], Waiting]:
        """What to write now, settled calls and open ones no longer young; and what waits then."""
        now = time.monotonic()
        facts: list[Fact] = []
        waiting = dict(self._waiting)
        for record in records:
            fact = record.fact
            if isinstance(fact, CallOpened):
                waiting[fact.call] = Young(now, path, (record,))
            elif (young := waiting.get(fact.call)) is None:
                facts.append(fact)
            elif isinstance(fact, CallSettled):
                del waiting[fact.call]
                facts += [*(earlier.fact for earlier in young.records), fact]
            else:
                waiting[fact.call] = young._replace(records=(*young.records, record))
        for call, young in list(waiting.items()):
            if everything or now - young.since >= OPEN_ROW_AFTER_SECONDS:
                facts += [record.fact for record in young.records]
                del waiting[call]
        return facts, waiting

    def _let_go(self, path: Path) -> None:
        """A rotated file that is shipped to its end is put aside."""
        read_to = self._read_to.get(path, 0)
        safe = _safe_position(self._waiting, path, read_to)
        if read_to >= path.stat().st_size and safe == read_to:
            path.rename(path.with_suffix(".shipped"))
            self._journal.forget(path)
            self._read_to.pop(path, None)


def _safe_position(waiting: Waiting, path: Path, end: int) -> int:
    """From here on a successor has to read: the first record that is not written yet."""
    starts = [young.records[0].start for young in waiting.values() if young.path == path]
    return min([end, *starts])


def _tell(booked: list[Booked]) -> None:
    if booked:
        for listener in listeners:
            listener(booked)
