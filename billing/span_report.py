"""Spend between two moments, to the hour: for spans that do not follow UTC days."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Sum

from billing.models import SpendDelta, SpendHour
from billing.models.spend import SUMS
from billing.reports import Totals


def by_model(
    tenant: UUID, start: datetime, end: datetime, *, mode: str
) -> dict[tuple[str, str], Totals]:
    """Sums by (provider, model) over the hours from `start` on and before `end`; both are floored.

    Calls that no provider answered stand under two empty names.
    """
    sums = {f"sum_{name}": Sum(name) for name in SUMS}
    span = {"mode": mode, "hour__gte": _hour(start), "hour__lt": _hour(end)}
    # One statement, since between two of them what is waiting may be folded.
    folded, waiting = (
        table.objects.for_tenant(tenant)
        .filter(**span)
        .order_by()
        .values("provider", "model")
        .annotate(**sums)
        for table in (SpendHour, SpendDelta)
    )
    found: defaultdict[tuple[str, str], Totals] = defaultdict(Totals)
    rows: Any = folded.union(waiting, all=True)
    for row in rows:
        totals = Totals(**{name: row[f"sum_{name}"] for name in SUMS})
        found[row["provider"], row["model"]] += totals
    return dict(found)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
