"""Write facts into the tables, exactly once however often they are handed in.

One transaction writes calls and attempts, the roll-up deltas of those that are new, and the
journal's cursor. A call that is already there is left alone, save that a row still `open` or
`unknown` takes its settlement. Settled rows are never changed.
"""

import logging
from collections.abc import Callable, Container, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DataError, IntegrityError, connection
from django.utils import timezone

from accounts import ids
from accounts.tenancy import system_scope
from billing import bulk, charges, deltas, money, pricing, rows, sums
from billing.charges import Forgiven, Purse
from billing.deltas import Booked
from billing.facts import GATEWAY_DIED, AttemptEnded, CallOpened, CallSettled, Fact
from billing.models import Attempt, Call, JournalCursor, SpendDelta, TagDelta
from billing.rows import CallFacts
from billing.usage import BUCKETS, Usage

log = logging.getLogger(__name__)

NOT_FINAL = frozenset({"open", "unknown"})
Aside = Callable[[list[Fact]], None]  # takes what can never be booked
# What no second try can mend.
UNBOOKABLE = (DataError, IntegrityError, ValueError, ArithmeticError)


class BookedMeanwhile(Exception):
    """Somebody else has written the row of a call since we looked."""


@dataclass
class Batch:
    """What one transaction will write."""

    calls: list[rows.Row] = field(default_factory=list)
    settlements: list[rows.Row] = field(default_factory=list)
    attempts: list[rows.Row] = field(default_factory=list)
    dropped_attempts: list[Attempt] = field(default_factory=list)
    booked: list[Booked] = field(default_factory=list)
    forgiven: list[Forgiven] = field(default_factory=list)


def book(
    facts: Iterable[Fact],
    *,
    cursor: tuple[str, int] | None = None,
    may_repeat: bool = True,
    purse: Purse | None = None,
    aside: Aside | None = None,
) -> list[Booked]:
    """Write the facts and move the cursor; returns what was new.

    Facts of calls whose opening nobody has are handed to `aside`, before the cursor moves.
    `may_repeat` False expects that none of these calls was handed in before, and saves the look-up
    of those that come with their opening; where one was, all are looked up after all. `purse` has
    the leases of the process whose calls these are.
    """
    facts = list(facts)
    calls = {rows.uuid_of(call): gathered for call, gathered in rows.gather(facts).items()}

    def strange(unknown: Set[UUID]) -> None:
        log.error("facts of calls that were never opened", extra={"calls": len(unknown)})
        if aside:
            aside([fact for fact in facts if rows.uuid_of(fact.call) in unknown])

    while True:
        try:
            return _book(calls, cursor, purse, strange, may_repeat=may_repeat)
        except BookedMeanwhile:  # at most once for each of the calls
            may_repeat = True


def book_what_fits(
    facts: Iterable[Fact],
    *,
    aside: Aside,
    cursor: tuple[str, int] | None = None,
    may_repeat: bool = True,
    purse: Purse | None = None,
) -> list[Booked]:
    """Like `book`, but a call that can never be booked does not hold up the others.

    Its facts are handed to `aside`: a figure that no column holds, a tenant that is gone, an
    opening that nobody has.
    """
    facts = list(facts)
    try:
        return book(facts, cursor=cursor, may_repeat=may_repeat, purse=purse, aside=aside)
    except UNBOOKABLE:
        by_call: dict[str, list[Fact]] = {}
        for fact in facts:
            by_call.setdefault(fact.call, []).append(fact)
        booked = _halve(list(by_call.values()), aside, purse)
        if cursor:
            book((), cursor=cursor)
        return booked


def _halve(calls: list[list[Fact]], aside: Aside, purse: Purse | None) -> list[Booked]:
    """Book the calls in ever smaller parts until those that cannot be booked stand alone."""
    middle = len(calls) // 2
    booked: list[Booked] = []
    for part in (calls[:middle], calls[middle:]):
        try:
            booked += book((fact for call in part for fact in call), purse=purse, aside=aside)
        except UNBOOKABLE:
            if len(part) > 1:
                booked += _halve(part, aside, purse)
            else:
                log.exception("a call cannot be booked", extra={"call": part[0][0].call})
                aside(part[0])
    return booked


def _book(
    calls: Mapping[UUID, CallFacts],
    cursor: tuple[str, int] | None,
    purse: Purse | None,
    strange: Callable[[Set[UUID]], None],
    *,
    may_repeat: bool,
) -> list[Booked]:
    with system_scope():
        batch = Batch()
        known = _known_rows(
            [call for call, its in calls.items() if may_repeat or its.opened is None]
        )
        attempts = _booked_attempts(list(known))
        strangers = set()
        for call, its in calls.items():
            row = known.get(call)
            if row is not None:
                _complete(batch, row, its, attempts[call])
            elif its.opened is not None:
                _begin(batch, call, its, its.opened)
            else:
                strangers.add(call)
        _write(batch)
        # After the deltas: a budget that is being made waits for them, or is found now.
        batch.forgiven = charges.book(batch.booked, purse)
        if strangers:
            strange(strangers)
        if cursor:
            JournalCursor.objects.update_or_create(
                name=cursor[0],
                defaults={"position": cursor[1], "updated_at": timezone.now()},
            )
    if purse:
        charges.tell(purse, batch.booked, batch.forgiven)
    return batch.booked


def position_of(journal: str) -> int:
    """How far this journal has been shipped."""
    row = JournalCursor.objects.filter(name=journal).first()
    return row.position if row else 0


def opened_of(row: Call) -> CallOpened:
    """The opening fact as the row of a call keeps it."""
    return CallOpened(
        call=ids.encode(row.id.int),
        tenant=row.tenant_id,
        opened_at=_milliseconds(row.created_at),
        deadline=_milliseconds(row.deadline),
        mode=row.mode,
        endpoint=row.endpoint,
        requested_model=row.requested_model,
        key=row.gateway_key_id,
        project=row.project_id,
        purpose=row.purpose,  # type: ignore[arg-type]
        stream=row.stream,
        tags=tuple(row.tags),
        policy=row.policy,
        policy_version=row.policy_version,
        input_estimate=row.input_estimate,
        expected_cost=row.expected_cost,
        targets=(f"{row.provider}/{row.model}",) if row.provider else (),
        experiment=row.experiment,
        task=row.task,
    )


def _known_rows(calls: list[UUID]) -> Mapping[UUID, Call]:
    if not calls:
        return {}
    found = Call.objects.filter(id__in=calls)
    if connection.features.has_select_for_update:
        found = found.select_for_update()
    return {row.id: row for row in found.order_by("id")}


def _begin(batch: Batch, call: UUID, its: CallFacts, opened: CallOpened) -> None:
    """A call that has no row yet."""
    batch.calls.append(rows.call_row(call, its))
    attempts = tuple(its.attempts.values())
    batch.attempts.extend(rows.attempt_row(call, opened.tenant, a) for a in attempts)
    rescued = was_rescued(its.settled, attempts)
    batch.booked.append(Booked(opened, its.settled, attempts, rescued))


def _complete(batch: Batch, row: Call, its: CallFacts, booked: dict[int, Attempt]) -> None:
    """A call that has a row: add attempts that are new and the settlement it lacks.

    An attempt of an unknown call replaces what was assumed of it, and changes what the call cost.
    """
    settled = its.settled if row.status in NOT_FINAL else None
    opened = opened_of(row)
    if row.status == "unknown" and (settled or _tells_more(its, booked)):
        booked = _take_back(batch, row, opened, booked, None if settled else its.attempts)
        known = [attempt_of(a) for number, a in booked.items() if number not in its.attempts]
        settled = settled or unknown(opened, [*known, *its.attempts.values()])
    new = {number: a for number, a in its.attempts.items() if number not in booked}
    if not new and not settled:
        return
    batch.attempts.extend(rows.attempt_row(row.id, row.tenant_id, a) for a in new.values())
    if settled:
        facts = CallFacts(opened, settled, new)
        count = len(booked) + len(new)
        batch.settlements.append((*rows.settled_row(facts, attempts=count), row.id))
    rescued = was_rescued(settled, [*map(attempt_of, booked.values()), *new.values()])
    batch.booked.append(Booked(opened, settled, tuple(new.values()), rescued))


def _tells_more(its: CallFacts, booked: dict[int, Attempt]) -> bool:
    """Whether there is an attempt that was not booked, or only assumed."""
    return any(
        number not in booked or booked[number].error_code == GATEWAY_DIED
        for number, attempt in its.attempts.items()
        if attempt.error_code != GATEWAY_DIED
    )


def _take_back(
    batch: Batch,
    row: Call,
    opened: CallOpened,
    booked: dict[int, Attempt],
    told: Container[int] | None,
) -> dict[int, Attempt]:
    """Take back what was assumed of an unknown call; what is left of its attempts.

    All of it when a settlement comes late; of attempts that are `told` alone, if it does not.
    """
    assumed = [
        a
        for a in booked.values()
        if a.error_code == GATEWAY_DIED and (told is None or a.number in told)
    ]
    batch.dropped_attempts.extend(assumed)
    facts = tuple(map(attempt_of, assumed))
    batch.booked.append(Booked(opened, settled_of(row), facts, sign=-1))
    dropped = {a.number for a in assumed}
    return {number: a for number, a in booked.items() if number not in dropped}


def unknown(opened: CallOpened, attempts: Iterable[AttemptEnded]) -> CallSettled:
    """The end of a call that nobody settled, at what its attempts have cost or may have."""
    ended = sorted(attempts, key=lambda attempt: attempt.number)
    lost = [attempt for attempt in ended if attempt.error_code == GATEWAY_DIED]
    cost, status = sums.total_of(ended)
    return CallSettled(
        call=opened.call,
        status="unknown",
        settled_at=opened.deadline,
        reason=GATEWAY_DIED,
        provider=ended[-1].provider if ended else "",
        model=ended[-1].model if ended else "",
        usage=lost[-1].usage if lost else Usage(),
        usage_source="estimated" if lost else "none",
        cost=cost,
        cost_status="estimated" if cost is not None else status,
    )


def _booked_attempts(calls: list[UUID]) -> dict[UUID, dict[int, Attempt]]:
    """The attempts that are booked already, by call and number."""
    found: dict[UUID, dict[int, Attempt]] = {call: {} for call in calls}
    if calls:
        for attempt in Attempt.objects.filter(call_id__in=calls).order_by("number"):
            found[attempt.call_id][attempt.number] = attempt
    return found


def was_rescued(settled: CallSettled | None, attempts: Iterable[AttemptEnded]) -> bool:
    """Whether the call succeeded though an attempt had failed."""
    failed = any(attempt.outcome not in {"answered", "lost"} for attempt in attempts)
    return bool(settled and settled.status == "succeeded" and failed)


def _write(batch: Batch) -> None:
    for attempt in batch.dropped_attempts:
        Attempt.objects.filter(call_id=attempt.call_id, number=attempt.number).delete()
    calls, attempts = Call._meta.db_table, Attempt._meta.db_table
    if bulk.insert(calls, rows.CALL_COLUMNS, batch.calls, conflict="(id)") != len(batch.calls):
        raise BookedMeanwhile
    bulk.insert(attempts, rows.ATTEMPT_COLUMNS, batch.attempts, conflict="(call_id, number)")
    bulk.update(
        calls, rows.SETTLED_COLUMNS, batch.settlements, where="status IN ('open', 'unknown')"
    )
    add_deltas(batch.booked)


def add_deltas(booked: list[Booked]) -> None:
    """What the roll-ups have to add. Spend comes first: whoever holds its table holds up both."""
    for model, columns, summed in (
        (SpendDelta, deltas.DELTA_COLUMNS, deltas.sum_up(booked)),
        (TagDelta, deltas.TAG_COLUMNS, deltas.sum_up_tags(booked)),
    ):
        bulk.insert(model._meta.db_table, columns, summed)


def attempt_of(row: Attempt) -> AttemptEnded:
    return AttemptEnded(
        call=ids.encode(row.call_id.int),
        number=row.number,
        provider=row.provider,
        model=row.model,
        outcome=row.outcome,
        usage=usage_of(row),
        cost=row.cost,
        cost_status=row.cost_status,  # type: ignore[arg-type]
        price=pricing.from_json(row.price) if row.price else None,
    )


def settled_of(row: Call) -> CallSettled:
    return CallSettled(
        call=ids.encode(row.id.int),
        status=row.status,  # type: ignore[arg-type]
        settled_at=0,
        provider=row.provider,
        model=row.model,
        cache=row.cache,
        cost=row.cost,
        saved=row.saved or money.ZERO,
    )


def usage_of(row: Any) -> Usage:
    """The usage that a call or attempt row keeps."""
    return Usage(**{bucket: getattr(row, bucket) for bucket in BUCKETS})


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
