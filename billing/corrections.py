"""What past attempts cost under corrected prices: as new rows, which roll-ups and budgets follow.

A settled row is never changed. A correction says what an attempt costs instead; the last one of an
attempt rules. Attempts whose usage was assumed, since their process died, are left alone: a late
settlement may still replace them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from uuid import UUID

import msgspec
from django.db.models import QuerySet

from accounts.tenancy import system_scope
from billing import books, bulk, charges, periods, pricing, sums
from billing.deltas import Booked
from billing.facts import GATEWAY_DIED, AttemptEnded, CallSettled
from billing.models import Attempt, Call, Correction, SpendDelta
from billing.money import ZERO
from billing.periods import Period
from billing.pricing import Price

MOST = 5000  # corrections in one go: nobody else's calls are booked while they are written
CHUNK = 500  # calls
SETTLED = ("succeeded", "failed", "cancelled", "refused")

PriceOn = Callable[[str, str, date], Price | None]  # of a provider's model on a day
Effective = dict[tuple[UUID, int], Correction]  # by call and number of the attempt


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which attempts to price again; empty fields do not restrict."""

    period: Period
    mode: str
    provider: str = ""
    model: str = ""


@dataclass
class Outcome:
    """What pricing again would change, or has changed."""

    attempts: int = 0
    newly_priced: int = 0  # of them had no price before
    before: Decimal = ZERO
    after: Decimal = ZERO
    is_complete: bool = True  # False: there is more, ask again

    @property
    def change(self) -> Decimal:
        return self.after - self.before


@dataclass(frozen=True)
class New:
    """An attempt, what it cost so far and what it costs now."""

    attempt: Attempt
    last: Correction | None
    cost: Decimal
    price: Price

    @property
    def was(self) -> Decimal | None:
        return self.last.cost if self.last else self.attempt.cost


def reprice(
    tenant: UUID, span: Span, price_on: PriceOn, *, by: str, now: datetime, apply: bool
) -> Outcome:
    """Price a span again. In the tenant's scope; `apply` False only tells what would change.

    Looking takes as long as it takes and is in nobody's way; then the books are held, and what was
    found is looked at again and written.
    """
    outcome, touched = Outcome(), list[Call]()
    for calls in _calls(tenant, span):
        found = _differing(tenant, calls, span, price_on)
        if outcome.attempts + len(found) > MOST:
            outcome.is_complete = False
            break
        _count(outcome, found)
        differing = {new.attempt.call_id for new in found}
        touched += [call for call in calls if call.id in differing]
    if not apply or not touched:
        return outcome
    bulk.hold(SpendDelta._meta.db_table)
    applied = Outcome(is_complete=outcome.is_complete)
    for place in range(0, len(touched), CHUNK):
        calls = _as_now(tenant, touched[place : place + CHUNK])
        found = _differing(tenant, calls, span, price_on)
        _count(applied, found)
        _write(tenant, calls, found, by=by, now=now)
    return applied


def _count(outcome: Outcome, found: Sequence[New]) -> None:
    for new in found:
        outcome.attempts += 1
        outcome.newly_priced += new.was is None
        outcome.before += new.was or ZERO
        outcome.after += new.cost


def of_calls(tenant: UUID, calls: Iterable[UUID]) -> Effective:
    """The correction in force of each attempt that has one."""
    rows = Correction.objects.for_tenant(tenant).filter(call_id__in=list(calls))
    return {(row.call_id, row.number): row for row in rows.order_by("sequence")}


def between(tenant: UUID, first: UUID, last: UUID) -> Effective:
    """The same for the calls of a range of ids, both ends included."""
    rows = Correction.objects.for_tenant(tenant).filter(call_id__gte=first, call_id__lte=last)
    return {(row.call_id, row.number): row for row in rows.order_by("sequence")}


def attempt_after(row: Attempt, correction: Correction | None) -> AttemptEnded:
    """An attempt of the books at the cost that rules now."""
    attempt = books.attempt_of(row)
    if correction is None:
        return attempt
    is_guess = pricing.from_json(correction.price).is_guess
    status = "estimated" if row.usage_source == "estimated" or is_guess else "priced"
    return msgspec.structs.replace(attempt, cost=correction.cost, cost_status=status)


def settled_after(settled: CallSettled | None, ended: Sequence[AttemptEnded]) -> CallSettled | None:
    """The settlement of a call whose attempts were corrected: at the sum over them."""
    if settled is None:
        return None
    cost, status = sums.total_of(ended)
    return msgspec.structs.replace(settled, cost=cost, cost_status=status)


def _calls(tenant: UUID, span: Span) -> Iterator[list[Call]]:
    """The calls of the span that are settled for good, in chunks, oldest first."""
    period = span.period
    rows = Call.objects.for_tenant(tenant).filter(
        id__gte=periods.first_id(period.start),
        id__lt=periods.id_after(period.end),
        created_at__gte=period.start,
        created_at__lt=period.end,
        mode=span.mode,
        status__in=SETTLED,
    )
    found = rows.order_by("id").iterator(chunk_size=CHUNK)
    while chunk := list(islice(found, CHUNK)):
        yield chunk


def _as_now(tenant: UUID, calls: Sequence[Call]) -> list[Call]:
    """The same calls, read again."""
    rows = Call.objects.for_tenant(tenant).filter(id__in=[call.id for call in calls])
    return list(rows.filter(status__in=SETTLED).order_by("id"))


def _attempts(tenant: UUID, calls: Sequence[Call]) -> QuerySet[Attempt]:
    rows = Attempt.objects.for_tenant(tenant).filter(call_id__in=[call.id for call in calls])
    return rows.order_by("call_id", "number")


def _differing(tenant: UUID, calls: Sequence[Call], span: Span, price_on: PriceOn) -> list[New]:
    days = {call.id: call.created_at.date() for call in calls}
    effective = of_calls(tenant, days)
    rows = _attempts(tenant, calls).exclude(error_code=GATEWAY_DIED)
    if span.provider:
        rows = rows.filter(provider=span.provider)
    if span.model:
        rows = rows.filter(model=span.model)
    found = []
    for attempt in rows:
        usage = books.usage_of(attempt)
        if not usage.total_tokens:
            continue
        price = price_on(attempt.provider, attempt.model, days[attempt.call_id])
        if price is None:
            continue
        if attempt.price:
            price = pricing.of_service(price, pricing.from_json(attempt.price).service)
        last = effective.get((attempt.call_id, attempt.number))
        new = New(attempt, last, pricing.cost_of(usage, price), pricing.applied(price, usage))
        if new.cost != new.was:
            found.append(new)
    return found


def _write(
    tenant: UUID, calls: Sequence[Call], found: Sequence[New], *, by: str, now: datetime
) -> None:
    """The corrections, and what they change in roll-ups and budgets."""
    touched = {new.attempt.call_id for new in found}
    before = of_calls(tenant, touched)
    Correction.objects.for_tenant(tenant).bulk_create(
        Correction(
            tenant_id=tenant,
            call_id=new.attempt.call_id,
            number=new.attempt.number,
            sequence=new.last.sequence + 1 if new.last else 1,
            was=new.was,
            cost=new.cost,
            change=new.cost - (new.was or ZERO),
            price=pricing.to_json(new.price).decode(),
            created_at=now,
            created_by=by,
        )
        for new in found
    )
    after = of_calls(tenant, touched)
    attempts: dict[UUID, list[Attempt]] = {call: [] for call in touched}
    for attempt in _attempts(tenant, [call for call in calls if call.id in touched]):
        attempts[attempt.call_id].append(attempt)
    booked: list[Booked] = []
    for call in calls:
        if call.id in touched:
            old = as_booked(call, attempts[call.id], before)
            booked += [old._replace(sign=-1), as_booked(call, attempts[call.id], after)]
    books.add_deltas(booked)
    with system_scope():  # budgets are counted by the one function that counts them for all
        charges.book(booked, None)


def as_booked(call: Call, attempts: Iterable[Attempt], corrected: Effective) -> Booked:
    """A call as the books have it, at the costs that rule now: what the roll-ups add up."""
    settled = books.settled_of(call) if call.status != "open" else None
    ended = []
    is_corrected = False
    for attempt in attempts:
        correction = corrected.get((attempt.call_id, attempt.number))
        is_corrected = is_corrected or correction is not None
        ended.append(attempt_after(attempt, correction))
    if is_corrected:
        settled = settled_after(settled, ended)
    rescued = books.was_rescued(settled, ended)
    return Booked(books.opened_of(call), settled, tuple(ended), rescued)
