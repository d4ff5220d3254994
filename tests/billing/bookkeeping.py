"""What the books hold, in a form that can be compared."""

from typing import Any
from uuid import UUID

from accounts import tenancy
from billing.models import Attempt, Call, SpendDay, SpendDelta, SpendHour, TagDay, TagDelta
from billing.models.spend import DIMENSIONS, SUMS, Spend

Row = dict[str, Any]


def calls() -> list[Row]:
    with tenancy.system_scope():
        return [dict(row) for row in Call.objects.order_by("id").values()]


def attempts() -> list[Row]:
    with tenancy.system_scope():
        return [dict(row) for row in Attempt.objects.order_by("call_id", "number").values()]


def statuses() -> dict[UUID, str]:
    return {row["id"]: row["status"] for row in calls()}


def sums_of(model: type[Spend], tenant: UUID | None = None) -> Row:
    """The sums over all rows of a roll-up."""
    with tenancy.system_scope():
        rows = model.objects.filter(tenant_id=tenant) if tenant else model.objects.all()
        return {name: sum(getattr(row, name) for row in rows) for name in SUMS}


def rolled_up(model: type[Spend], period: str) -> dict[tuple[Any, ...], Row]:
    """Sums by tenant, period and all dimensions; groups whose sums are all zero left out."""
    found: dict[tuple[Any, ...], Row] = {}
    with tenancy.system_scope():
        for row in model.objects.all():
            key = (row.tenant_id, getattr(row, period), *(getattr(row, d) for d in DIMENSIONS))
            sums = found.setdefault(key, dict.fromkeys(SUMS, 0))
            for name in SUMS:
                sums[name] += getattr(row, name)
    return {key: sums for key, sums in found.items() if any(sums.values())}


def hours_with_deltas() -> dict[tuple[Any, ...], Row]:
    """What the hours come to once all that waits is folded into them."""
    total = rolled_up(SpendHour, "hour")
    for key, sums in rolled_up(SpendDelta, "hour").items():
        known = total.setdefault(key, dict.fromkeys(SUMS, 0))
        for name in SUMS:
            known[name] += sums[name]
    return {key: sums for key, sums in total.items() if any(sums.values())}


def days() -> dict[tuple[Any, ...], Row]:
    return rolled_up(SpendDay, "day")


def clear() -> None:
    """Empty books."""
    with tenancy.system_scope():
        for model in (Call, Attempt, SpendDelta, SpendHour, SpendDay, TagDelta, TagDay):
            model.objects.all().delete()
