"""Add what was booked to the hour and the day, or make a day anew from the books."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection

from accounts.tenancy import system_scope
from billing import bulk, corrections, deltas, periods
from billing.deltas import Booked
from billing.models import Attempt, Call, KeptCalls, SpendDay, SpendDelta, SpendHour
from billing.models.spend import DIMENSIONS, SUMS

CHUNK = 20_000  # deltas; SQLite takes 32,766 parameters
CALLS_AT_ONCE = 2000

BEGINNING = datetime(periods.FIRST_YEAR, 1, 1, tzinfo=UTC)

_DAY = {"postgresql": "(hour AT TIME ZONE 'UTC')::date", "sqlite": "date(hour)"}


class NotKept(Exception):
    """Only the sums of these calls remain, so they cannot be made anew."""


def add_up() -> int:
    """Fold the waiting deltas into hours and days; how many were folded."""
    folded = 0
    while True:
        with system_scope():
            count = _fold()
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
        ):
            model.objects.filter(tenant_id=tenant, **lookup).delete()
        rows = deltas.sum_up(booked_between(tenant, start, end))
        bulk.insert(SpendDelta._meta.db_table, deltas.DELTA_COLUMNS, rows)
    add_up()


def kept_since() -> datetime:
    """Calls of before are not kept any more, or not all of them."""
    row = KeptCalls.objects.first()
    return row.since if row else BEGINNING


def hold_deltas() -> None:
    """Nobody books or folds meanwhile: else a call could be in the books and in a delta, too."""
    bulk.hold(SpendDelta._meta.db_table)


def _fold() -> int:
    """One chunk: the rows are locked, added and deleted by their ids in one transaction.

    By their ids and not by a range of them: a row that is committed meanwhile is not of this chunk.
    """
    rows = SpendDelta.objects.order_by("id")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True)
    chosen = list(rows.values_list("id", flat=True)[:CHUNK])
    if not chosen:
        return 0
    _add(SpendHour._meta.db_table, "hour", "hour", chosen)
    _add(SpendDay._meta.db_table, "day", _DAY[connection.vendor], chosen)
    where, values = _among(chosen)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SpendDelta._meta.db_table} WHERE {where}", values)  # noqa: S608
    return len(chosen)


def _add(table: str, period: str, expression: str, chosen: list[int]) -> None:
    group = ", ".join(("tenant_id", *DIMENSIONS))
    names = ", ".join(("tenant_id", period, *DIMENSIONS, *SUMS))
    unique = ", ".join(("tenant_id", period, *DIMENSIONS))
    totals = ", ".join(f"sum({name})" for name in SUMS)
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    where, values = _among(chosen)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names})"  # noqa: S608
            f" SELECT tenant_id, {expression}, {', '.join(DIMENSIONS)}, {totals}"
            f" FROM {SpendDelta._meta.db_table} WHERE {where}"
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
