"""What each gateway key was used for: when last, how often, at what cost."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, Sum

from billing import money
from billing.models import SpendDay, SpendDelta, SpendHour

DAYS = 30
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
    """Use by gateway key, for keys that were ever used. Three queries."""
    first = (now.astimezone(UTC) - timedelta(days=DAYS - 1)).date()
    found: dict[UUID, KeyUse] = {}
    recent = Q(day__gte=first)
    days = _by_key(SpendDay.objects.for_tenant(tenant)).annotate(
        last=Max("day", filter=Q(calls__gt=0)),
        made=Sum("calls", filter=recent),
        paid=Sum("cost", filter=recent),
    )
    for row in days:
        last = datetime.combine(row["last"], time(), UTC) if row["last"] else None
        found[row["gateway_key_id"]] = KeyUse(row["made"] or 0, row["paid"] or money.ZERO, last)
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


def _by_key(rows: Any) -> Any:
    return rows.order_by().values("gateway_key_id")


def _refine(found: dict[UUID, KeyUse], key: UUID, last: datetime | None) -> None:
    """Keep the later of two moments of use."""
    known = found.get(key, UNUSED)
    if last and (known.last_hour is None or last >= known.last_hour):
        found[key] = KeyUse(known.calls, known.cost, last, is_exact=True)
