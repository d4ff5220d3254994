"""Read-only questions about spend, for pages and the API; answers are frozen rows.

Sums come from the roll-ups plus the deltas that have not been folded into them yet, so every
report agrees with the books at every moment, and two reports agree with each other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import TruncDate

from accounts.models import GatewayKey, Project
from billing.models import SpendDay, SpendDelta, TagDay, TagDelta
from billing.models.spend import SUMS
from billing.periods import Period
from billing.rows import NO_ID

# What spend can be grouped by, and the column behind it.
GROUPS = {
    "day": "day",
    "provider": "provider",
    "model": "model",
    "project": "project_id",
    "key": "gateway_key_id",
    "policy": "policy",
    "purpose": "purpose",
}
TAG = "tag"


@dataclass(frozen=True)
class Totals:
    """Sums over a group of calls and attempts; money in USD."""

    calls: int = 0
    succeeded: int = 0
    failed_calls: int = 0
    rescued: int = 0
    cache_hits: int = 0
    attempts: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: Decimal = Decimal(0)
    saved: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)
    unpriced_calls: int = 0
    lost: Decimal = Decimal(0)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Totals)))

    @property
    def cost_per_success(self) -> Decimal | None:
        return self.cost / self.succeeded if self.succeeded else None


@dataclass(frozen=True)
class SpendRow:
    """One group: its name by each dimension asked for, and its sums."""

    group: Mapping[str, str]
    totals: Totals


class UnknownGroup(ValueError):
    """Spend cannot be grouped by this."""


def spend(
    tenant: UUID, period: Period, *, mode: str, group_by: Sequence[str] = ()
) -> list[SpendRow]:
    """Spend of a period by any of GROUPS (or by tag alone), the dearest group first, days in order.

    Raises UnknownGroup.
    """
    if TAG in group_by:
        if len(group_by) > 1:
            raise UnknownGroup("tag can only be grouped by alone: a call may have several")
        return _by_tag(tenant, period, mode)
    unknown = [name for name in group_by if name not in GROUPS]
    if unknown:
        raise UnknownGroup(f"cannot group by {', '.join(unknown)}")
    columns = [GROUPS[name] for name in group_by]
    sums: defaultdict[tuple[Any, ...], Totals] = defaultdict(Totals)
    for row in _rows(tenant, period, mode, columns):
        key = tuple(row[column] for column in columns)
        sums[key] += Totals(**{name: row[f"sum_{name}"] for name in SUMS})
    names = _names(tenant, group_by)
    rows = [
        SpendRow(
            {
                name: _shown(value, names.get(name))
                for name, value in zip(group_by, key, strict=True)
            },
            totals,
        )
        for key, totals in sums.items()
    ]
    return sorted(rows, key=_order)


def _by_tag(tenant: UUID, period: Period, mode: str) -> list[SpendRow]:
    """A call counts under each of its tags."""
    columns = (TAG,)
    sums = {f"sum_{name}": Sum(name) for name in SUMS}
    folded, waiting = (
        model.objects.for_tenant(tenant)
        .filter(mode=mode, day__gte=period.first, day__lte=period.last)
        .order_by()
        .values(*columns)
        .annotate(**sums)
        for model in (TagDay, TagDelta)
    )
    found: defaultdict[str, Totals] = defaultdict(Totals)
    for row in folded.union(waiting, all=True):  # one statement, as below
        found[row[TAG]] += Totals(**{name: row[f"sum_{name}"] for name in SUMS})
    rows = [SpendRow({TAG: tag}, totals) for tag, totals in found.items()]
    return sorted((row for row in rows if row.totals != Totals()), key=_order)


def total(tenant: UUID, period: Period, *, mode: str) -> Totals:
    rows = spend(tenant, period, mode=mode)
    return rows[0].totals if rows else Totals()


def _order(row: SpendRow) -> tuple[str, Decimal, tuple[str, ...]]:
    return row.group.get("day", ""), -row.totals.cost, tuple(row.group.values())


def _rows(
    tenant: UUID, period: Period, mode: str, columns: Sequence[str]
) -> Iterable[dict[str, Any]]:
    sums = {f"sum_{name}": Sum(name) for name in SUMS}
    folded = SpendDay.objects.for_tenant(tenant).filter(
        mode=mode, day__gte=period.first, day__lte=period.last
    )
    waiting = (
        SpendDelta.objects.for_tenant(tenant)
        .filter(mode=mode, hour__gte=period.start, hour__lt=period.end)
        .annotate(day=TruncDate("hour"))
    )
    # One statement, since between two of them what is waiting may be folded.
    grouped = [
        rows.order_by().values(*(columns or ["mode"])).annotate(**sums)
        for rows in (folded, waiting)
    ]
    yield from grouped[0].union(grouped[1], all=True)


def _names(tenant: UUID, group_by: Sequence[str]) -> dict[str, Mapping[UUID, str]]:
    """What ids are called, for the dimensions that are ids."""
    names: dict[str, Mapping[UUID, str]] = {}
    if "project" in group_by:
        projects = Project.objects.for_tenant(tenant).values_list("id", "name")
        names["project"] = dict(projects)
    if "key" in group_by:
        keys = GatewayKey.objects.for_tenant(tenant)
        names["key"] = {key.pk: f"{key.name} (…{key.last4})" for key in keys}
    return names


def _shown(value: object, names: Mapping[UUID, str] | None) -> str:
    if isinstance(value, UUID):
        return "" if value == NO_ID else (names or {}).get(value, str(value))
    return value.isoformat() if isinstance(value, date) else str(value)
