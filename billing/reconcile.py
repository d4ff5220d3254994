"""Calls that nobody will settle any more: those of dead processes, and those long overdue."""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path

from accounts.tenancy import system_scope
from billing import books, journal, rows
from billing.deltas import Booked
from billing.facts import GATEWAY_DIED, AttemptEnded, CallOpened, CallSettled, Fact, Role
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
    orphans: dict[str, CallFacts] = {}
    shipped = False
    taken = list(journal.adopt(folder, own=own))
    try:
        for adopted in taken:
            booked += _ship(adopted.path, orphans)
        facts = [
            fact for call, its in orphans.items() for fact in _unknown(_with_opening(call, its))
        ]
        if facts:  # where one of them cannot be booked, the others are
            aside = partial(journal.keep_aside, taken[-1].path)
            booked += books.book_what_fits(facts, aside=aside)
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


def _ship(path: Path, orphans: dict[str, CallFacts]) -> list[Booked]:
    """Book what is not booked yet; note the calls that have no end, booked or not."""
    booked: list[Booked] = []
    position = books.position_of(path.name)
    records = journal.read(path)
    while batch := list(islice(records, BATCH_RECORDS)):
        if new := [record.fact for record in batch if record.start >= position]:
            cursor = (path.name, batch[-1].end)
            booked += books.book_what_fits(
                new, cursor=cursor, aside=partial(journal.keep_aside, path)
            )
        for fact in (record.fact for record in batch):
            orphans.setdefault(fact.call, CallFacts()).add(fact)
            if isinstance(fact, CallSettled):
                del orphans[fact.call]
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
