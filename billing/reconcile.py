"""Calls that nobody will settle any more: those of dead processes, and those long overdue."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from uuid import UUID

from accounts.tenancy import system_scope
from billing import books, journal, rows
from billing.deltas import Booked
from billing.facts import GATEWAY_DIED, AttemptEnded, CallOpened, CallSettled, Fact, Role
from billing.lease_rows import Holder, WindowKey
from billing.models import Attempt, Call
from billing.rows import CallFacts
from billing.usage import Usage

GRACE = timedelta(seconds=60)
BATCH_RECORDS = 5000
KEEP_SHIPPED_SECONDS = 24 * 3600


def adopt_dead_journals(folder: Path, *, own: Iterable[Path] = ()) -> list[Booked]:
    """Ship the journals of dead processes; what was booked.

    A call that its process opened and never settled becomes `unknown`, at the cost that was
    expected of the attempts it had started: a provider may have billed them. The journals are put
    aside when all of that is booked; one who dies before leaves them to the next.
    """
    booked: list[Booked] = []
    estates: dict[str, Estate] = {}
    shipped = False
    taken = list(journal.adopt(folder, own=own))
    try:
        for adopted in taken:
            owner = journal.owner_of(adopted.path)
            booked += _ship(adopted.path, estates.setdefault(owner, Estate(owner)))
        for estate in estates.values():
            # Where one of its calls cannot be booked, the others are.
            if facts := estate.ends():
                aside = partial(journal.keep_aside, taken[-1].path)
                booked += books.book_what_fits(facts, aside=aside, purse=estate)
        shipped = True
    finally:
        for adopted in taken:
            adopted.release(shipped=shipped)
    return booked


def give_up_overdue(now: datetime) -> list[Booked]:
    """Open rows past their deadline and a minute: their journal is lost or far away."""
    with system_scope():
        overdue = Call.objects.filter(status="open", deadline__lt=now - GRACE).order_by("id")
        facts = [fact for row in overdue[:1000] for fact in _unknown(_facts_of(row))]
    return books.book_what_fits(facts, aside=_leave_open) if facts else []


def _leave_open(facts: list[Fact]) -> None:
    """What cannot be booked of an overdue call: its row has all that is known."""


def forget_shipped(folder: Path) -> int:
    """Delete journals shipped more than a day ago."""
    return journal.forget_shipped(folder, older_than=time.time() - KEEP_SHIPPED_SECONDS)


class Estate:
    """What a dead process left: calls without an end, and the leases that pay for its calls.

    What a call cost leaves the lease when it is booked, as it would have in its lifetime: otherwise
    the window would count it twice until the lease is returned.
    """

    def __init__(self, owner: str) -> None:
        self.holder = Holder(owner, "")
        self._orphans: dict[str, CallFacts] = {}
        self._reserved: dict[str, tuple[UUID, ...]] = {}  # budgets, by call

    def add(self, fact: Fact, *, is_booked: bool) -> None:
        self._orphans.setdefault(fact.call, CallFacts()).add(fact)
        if isinstance(fact, CallOpened) and fact.reserved:
            self._reserved[fact.call] = fact.reserved
        if isinstance(fact, CallSettled):
            del self._orphans[fact.call]
            if is_booked:
                self.booked(fact.call)

    def ends(self) -> list[Fact]:
        """The ends of the calls that have none."""
        return [
            fact
            for call, its in self._orphans.items()
            for fact in _unknown(_with_opening(call, its))
        ]

    def pays(self, call: str, key: WindowKey) -> bool:
        """Whether a call had a reservation in this window."""
        return key.budget in self._reserved.get(call, ())

    def forgive(self, key: WindowKey, amount: int) -> None:
        """The lease had less than its calls cost: nobody is left who could owe it."""

    def booked(self, call: str) -> None:
        """The call's end is in the database."""
        self._reserved.pop(call, None)


def _ship(path: Path, estate: Estate) -> list[Booked]:
    """Book what is not booked yet; note the calls that have no end, booked or not."""
    booked: list[Booked] = []
    position = books.position_of(path.name)
    records = journal.read(path)
    while batch := list(islice(records, BATCH_RECORDS)):
        for record in batch:
            estate.add(record.fact, is_booked=record.start < position)
        if new := [record.fact for record in batch if record.start >= position]:
            cursor = (path.name, batch[-1].end)
            booked += books.book_what_fits(
                new, cursor=cursor, aside=partial(journal.keep_aside, path), purse=estate
            )
    return booked


def _with_opening(call: str, its: CallFacts) -> CallFacts:
    """What a dead process wrote last of a call may follow upon an opening shipped before."""
    if its.opened is None:
        with system_scope():
            row = Call.objects.filter(id=rows.uuid_of(call), status="open").first()
            if row is not None:
                booked = _facts_of(row)
                its.opened, its.attempts = booked.opened, booked.attempts | its.attempts
    return its


def _facts_of(row: Call) -> CallFacts:
    booked = Attempt.objects.filter(call_id=row.id)
    return CallFacts(
        opened=books.opened_of(row), attempts={a.number: books.attempt_of(a) for a in booked}
    )


def _unknown(its: CallFacts) -> list[Fact]:
    """Facts that end a call whose process died: attempts without an end, then the settlement."""
    opened = its.opened
    if opened is None:
        return []
    lost = [_lost(opened, 1, rows.first_target(opened), "primary", opened.expected_cost)]
    for number, start in its.started.items():
        provider, _, model = start.target.partition("/")
        lost.append(_lost(opened, number, (provider, model), start.role, start.expected_cost))
    lost = [a for a in lost if a.provider and a.number not in its.attempts]
    return [*lost, books.unknown(opened, [*its.attempts.values(), *lost])]


def _lost(
    opened: CallOpened, number: int, target: tuple[str, str], role: Role, cost: Decimal | None
) -> AttemptEnded:
    return AttemptEnded(
        call=opened.call,
        number=number,
        provider=target[0],
        model=target[1],
        role=role,
        outcome="cut",
        error_code=GATEWAY_DIED,
        usage=Usage(input_uncached=opened.input_estimate),
        usage_source="estimated",
        cost=cost,
        cost_status="unpriced" if cost is None else "estimated",
    )
