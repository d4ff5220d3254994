"""What each gateway key was used for: when last, how often, at what cost."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, Sum

from billing import money
from billing.models import SpendDay, SpendDelta, SpendHour

DAYS = 30
LOOK_BACK_DAYS = 400  # an older use is not looked for: a page does not read all of the books
_FINE_HOURS = 48  # for so long the hour of the last use is known, before that its day


@dataclass(frozen=True)
class KeyUse:
    """Use of a key over the last 30 days; `last_hour` begins the hour (or day) of the last call."""

    calls: int = 0
    cost: Decimal = money.ZERO
    last_hour: datetime | None = None
    is_exact: bool = False  # to the hour and not only to the day


UNUSED = KeyUse()


def of_keys(tenant: UUID, *, now: datetime) -> dict[UUID, KeyUse]:
    """Use by gateway key, for keys that were used in the last 400 days. Four queries."""
    today = now.astimezone(UTC).date()
    first, oldest = (today - timedelta(days=days - 1) for days in (DAYS, LOOK_BACK_DAYS))
    found: dict[UUID, KeyUse] = {}
    days = SpendDay.objects.for_tenant(tenant)
    for row in _by_key(days.filter(day__gte=first)).annotate(
        last=Max("day", filter=Q(calls__gt=0)), made=Sum("calls"), paid=Sum("cost")
    ):
        found[row["gateway_key_id"]] = KeyUse(row["made"], row["paid"], _midnight(row["last"]))
    before = days.filter(day__gte=oldest, day__lt=first, calls__gt=0)
    seen = [key for key, use in found.items() if use.last_hour]
    for row in _by_key(before.exclude(gateway_key_id__in=seen)).annotate(last=Max("day")):
        known = found.get(row["gateway_key_id"], UNUSED)
        found[row["gateway_key_id"]] = KeyUse(known.calls, known.cost, _midnight(row["last"]))
    hours = SpendHour.objects.for_tenant(tenant).filter(
        hour__gte=now - timedelta(hours=_FINE_HOURS), calls__gt=0
    )
    for row in _by_key(hours).annotate(last=Max("hour")):
        _refine(found, row["gateway_key_id"], row["last"])
    waiting = _by_key(SpendDelta.objects.for_tenant(tenant)).annotate(
        last=Max("hour", filter=Q(calls__gt=0)), made=Sum("calls"), paid=Sum("cost")
    )
    for row in waiting:
        key = row["gateway_key_id"]
        known = found.get(key, UNUSED)
        found[key] = KeyUse(
            known.calls + row["made"], known.cost + row["paid"], known.last_hour, known.is_exact
        )
        _refine(found, key, row["last"])
    return found


def _midnight(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day else None


def _by_key(rows: Any) -> Any:
    return rows.order_by().values("gateway_key_id")


def _refine(found: dict[UUID, KeyUse], key: UUID, last: datetime | None) -> None:
    """Keep the later of two moments of use."""
    known = found.get(key, UNUSED)
    if last and (known.last_hour is None or last >= known.last_hour):
        found[key] = KeyUse(known.calls, known.cost, last, is_exact=True)
