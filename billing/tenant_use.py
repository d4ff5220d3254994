"""What each tenant uses, for the operator's list. Runs in `system_scope`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, QuerySet, Sum

from billing import money
from billing.models import SpendDay, SpendDelta, SpendHour

DAYS = 30
_LIVE = Q(mode="live")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class TenantUse:
    """Calls of every mode; money of live calls alone."""

    calls_24h: int = 0
    cost_24h: Decimal = money.ZERO
    cost_30d: Decimal = money.ZERO
    last_day: date | None = None


UNUSED = TenantUse()


def of_tenants(tenants: list[UUID], *, now: datetime) -> dict[UUID, TenantUse]:
    """Use by tenant. Three queries."""
    first = (now.astimezone(UTC) - timedelta(days=DAYS - 1)).date()
    recent = Q(hour__gte=now - timedelta(hours=24))
    cost = Sum("cost", filter=_LIVE)
    days = SpendDay.objects.filter(tenant__in=tenants)
    hours = SpendHour.objects.filter(recent, tenant__in=tenants)
    waiting = SpendDelta.objects.filter(tenant__in=tenants)
    by_day = _by_tenant(days, month=Sum("cost", filter=_LIVE & Q(day__gte=first)), last=Max("day"))
    by_hour = _by_tenant(hours, made=Sum("calls"), paid=cost)
    unfolded = _by_tenant(
        waiting,
        made=Sum("calls", filter=recent),
        paid=Sum("cost", filter=_LIVE & recent),
        month=cost,
        last=Max("hour"),
    )
    nothing: Row = {}
    return {
        tenant: _use(*(rows.get(tenant, nothing) for rows in (by_day, by_hour, unfolded)))
        for tenant in tenants
    }


def _by_tenant(rows: QuerySet[Any], **sums: Any) -> dict[UUID, Row]:
    found = rows.order_by().values("tenant_id").annotate(**sums)
    return {row["tenant_id"]: row for row in found}


def _use(day: Row, hour: Row, waiting: Row) -> TenantUse:
    days = [day["last"]] if day else []
    if waiting:
        days.append(waiting["last"].date())
    return TenantUse(
        calls_24h=(hour.get("made") or 0) + (waiting.get("made") or 0),
        cost_24h=(hour.get("paid") or money.ZERO) + (waiting.get("paid") or money.ZERO),
        cost_30d=(day.get("month") or money.ZERO) + (waiting.get("month") or money.ZERO),
        last_day=max(days) if days else None,
    )
