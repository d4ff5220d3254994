"""Add what was booked to the hour and the day, or make a day anew from the books."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from accounts.tenancy import system_scope
from billing import books, bulk, corrections, periods
from billing.deltas import Booked
from billing.models import (
    Attempt,
    Call,
    KeptCalls,
    SpendDay,
    SpendDelta,
    SpendHour,
    TagDay,
    TagDelta,
)
from billing.models.spend import DIMENSIONS, SUMS, TAG_DIMENSIONS, Summed

CHUNK = 20_000  # deltas; SQLite takes 32,766 parameters
CALLS_AT_ONCE = 2000

BEGINNING = datetime(periods.FIRST_YEAR, 1, 1, tzinfo=UTC)

DAY_OF_HOUR = "the day of the hour"
_DAY = {"postgresql": "(hour AT TIME ZONE 'UTC')::date", "sqlite": "date(hour)"}


class Rolled(NamedTuple):
    """Deltas, what they are summed by, and the tables they are added to: (model, period, from)."""

    waiting: type[SpendDelta] | type[TagDelta]
    dimensions: tuple[str, ...]
    into: tuple[tuple[type[Summed], str, str], ...]

    @property
    def table(self) -> str:
        return self.waiting._meta.db_table


ROLLED = (
    Rolled(SpendDelta, DIMENSIONS, ((SpendHour, "hour", "hour"), (SpendDay, "day", DAY_OF_HOUR))),
    Rolled(TagDelta, TAG_DIMENSIONS, ((TagDay, "day", "day"),)),
)


class NotKept(Exception):
    """Only the sums of these calls remain, so they cannot be made anew."""


def add_up() -> int:
    """Fold the waiting deltas into hours and days; how many were folded."""
    return sum(map(_fold_all, ROLLED))


def _fold_all(rolled: "Rolled") -> int:
    folded = 0
    while True:
        with system_scope():
            count = _fold(rolled)
        folded += count
        if count < CHUNK:
            return folded


def rebuild_day(tenant: UUID, day: date) -> None:
    """Make a tenant's hours and day anew from calls and attempts, exactly.

    Raises NotKept for a day whose calls have been dropped for their age.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    if start < kept_since():
        raise NotKept(f"calls of {day} are no longer kept one by one")
    with system_scope():
        hold_deltas()
        for model, lookup in (
            (SpendDelta, {"hour__gte": start, "hour__lt": end}),
            (SpendHour, {"hour__gte": start, "hour__lt": end}),
            (SpendDay, {"day": day}),
            (TagDelta, {"day": day}),
            (TagDay, {"day": day}),
        ):
            model.objects.filter(tenant_id=tenant, **lookup).delete()
        books.add_deltas(list(booked_between(tenant, start, end)))
    add_up()


def kept_since() -> datetime:
    """Calls of before are not kept any more, or not all of them."""
    row = KeptCalls.objects.first()
    return row.since if row else BEGINNING


def hold_deltas() -> None:
    """Nobody books or folds meanwhile: else a call could be in the books and in a delta, too."""
    for rolled in ROLLED:
        bulk.hold(rolled.waiting._meta.db_table)


def _fold(rolled: "Rolled") -> int:
    """One chunk: the rows are locked, added and deleted by their ids in one transaction.

    By their ids and not by a range of them: a row that is committed meanwhile is not of this chunk.
    """
    rows = rolled.waiting.objects.order_by("id")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    chosen = list(rows.values_list("id", flat=True)[:CHUNK])
    if not chosen:
        return 0
    for into, period, expression in rolled.into:
        said = _DAY[connection.vendor] if expression == DAY_OF_HOUR else expression
        _add(rolled, into._meta.db_table, period, said, chosen)
    where, values = _among(chosen)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {rolled.table} WHERE {where}", values)  # noqa: S608
    return len(chosen)


def _add(rolled: "Rolled", table: str, period: str, expression: str, chosen: list[int]) -> None:
    group = ", ".join(("tenant_id", *rolled.dimensions))
    names = ", ".join(("tenant_id", period, *rolled.dimensions, *SUMS))
    unique = ", ".join(("tenant_id", period, *rolled.dimensions))
    totals = ", ".join(f"sum({name})" for name in SUMS)
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    where, values = _among(chosen)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names})"  # noqa: S608
            f" SELECT tenant_id, {expression}, {', '.join(rolled.dimensions)}, {totals}"
            f" FROM {rolled.table} WHERE {where}"
            f" GROUP BY {group}, {expression} ORDER BY {group}, {expression}"  # no dead-locks
            f" ON CONFLICT ({unique}) DO UPDATE SET {added}",
            values,
        )


def _among(chosen: list[int]) -> tuple[str, list[Any]]:
    """The condition that a row is one of these, and its values: on PostgreSQL one array."""
    if connection.vendor == "postgresql":
        return "id = ANY(%s)", [chosen]
    return f"id IN ({', '.join(['%s'] * len(chosen))})", chosen


def booked_between(tenant: UUID, start: datetime, end: datetime) -> Iterator[Booked]:
    """The calls of a tenant that were opened in a span, as the books have them, corrected."""
    first, after = periods.first_id(start), periods.id_after(end)
    calls = Call.objects.filter(tenant_id=tenant, id__gte=first, id__lt=after)
    found = calls.filter(created_at__gte=start, created_at__lt=end).order_by("id")
    rows = found.iterator(chunk_size=CALLS_AT_ONCE)
    while chunk := list(islice(rows, CALLS_AT_ONCE)):
        attempts: dict[UUID, list[Attempt]] = {call.id: [] for call in chunk}
        # By range, not by a list of ids: a tenant's ids lie close together.
        between = Attempt.objects.filter(
            tenant_id=tenant, call_id__gte=chunk[0].id, call_id__lte=chunk[-1].id
        )
        for attempt in between.order_by("call_id", "number"):
            if attempt.call_id in attempts:
                attempts[attempt.call_id].append(attempt)
        corrected = corrections.between(tenant, chunk[0].id, chunk[-1].id)
        for call in chunk:
            yield corrections.as_booked(call, attempts[call.id], corrected)
