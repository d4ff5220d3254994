"""`/dashboard/costs/`: what a period cost, by any dimension, with the same sums as its exports."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import ids
from accounts.errors import InvalidRequest
from accounts.models import GatewayKey
from billing import cost_reports, reports
from billing.cost_reports import WhatIf
from billing.money import ZERO
from billing.periods import Period
from billing.reports import SpendRow, Totals
from dashboard import charts, marks
from dashboard.decorators import TenantRequest
from dashboard.forms.costs import DIMENSIONS, CostsForm, presets, previous
from routing.api.manage import calls as api
from routing.api.manage.reports import priced_target

# Dimensions by which the list of calls can be filtered, too.
LINKED = {"provider", "model", "project", "key", "policy", "tag"}
MOST_ROWS = 200  # of the table, dearest first: tags are free, and there may be any number
NAMELESS = {
    "provider": "no provider: refused before one was asked",
    "model": "no model",
    "project": "no project",
    "key": "no gateway key",
    "policy": "no policy",
}


@dataclass(frozen=True)
class CostRow:
    """One group: sums, share of the total, the same group's cost in the previous period."""

    name: str
    link: str  # its calls; empty where they cannot be listed
    totals: Totals
    share: float
    before: Decimal

    @property
    def share_width(self) -> float:
        return round(self.share * 100, 1)

    @property
    def change(self) -> float | None:
        return growth(self.totals.cost, self.before)


def growth(cost: Decimal, before: Decimal) -> float | None:
    """0 for none, 1 for twice as much; None where there is nothing to compare with."""
    return float(cost / before) - 1 if before else None


@require_GET
def costs(request: TenantRequest) -> HttpResponse:
    tenant, mode, now = request.tenant.pk, request.mode, timezone.now()
    form = CostsForm(request.GET, now=now)
    period, by = form.period, form.dimension
    by_day = reports.spend(tenant, period, mode=mode, group_by=("day", _chart_dimension(by)))
    rows = _groups(tenant, period, mode, by, by_day)
    if wanted := request.GET.get("format"):
        return _export(rows, by, period, wanted)
    before = reports.spend(tenant, previous(period), mode=mode, group_by=(by,))
    total = _sum(by_day)
    context = {
        "form": form.filled_in(),
        "period": period,
        "previous": previous(period),
        "presets": presets(now),
        "by": by,
        "by_label": DIMENSIONS[by],
        "chart": _chart(by_day, period, _chart_dimension(by)),
        "chart_by": DIMENSIONS[_chart_dimension(by)].lower(),
        "total": total,
        "total_before": None if by == reports.TAG else _sum(before),
        "change": growth(total.cost, _sum(before).cost),
        "estimated_share": cost_reports.estimated_share(total),
        "overhead": cost_reports.overhead(tenant, period, mode=mode),
        "forecast": cost_reports.forecast(tenant, mode=mode, now=now),
        "what_if": _what_if(request, period),
        "rows": _cost_rows(request, rows, before, by=by, period=period),
        "in_all": len(rows),
    }
    return render(request, "dashboard/costs.html", context)


@dataclass(frozen=True)
class Asked:
    """A model that somebody wonders about: what it would have cost, or why that is not known."""

    model: str
    found: WhatIf | None = None
    problem: str = ""

    @property
    def change(self) -> float | None:
        return growth(self.found.instead, self.found.actual) if self.found else None


def _what_if(request: TenantRequest, period: Period) -> Asked:
    """The calls of the period on another model, where the URL names one."""
    model = request.GET.get("what_if", "").strip()
    if not model:
        return Asked("")
    try:
        target, price = priced_target(request.tenant.pk, model)
    except InvalidRequest as problem:
        return Asked(model, problem=str(problem))
    found = cost_reports.what_if(request.tenant.pk, period, price, mode=request.mode)
    return Asked(target, found)


def _chart_dimension(by: str) -> str:
    """A call may have several tags, which cannot be stacked: then the providers are."""
    return "provider" if by == reports.TAG else by


def _groups(
    tenant: UUID, period: Period, mode: str, by: str, by_day: list[SpendRow]
) -> list[SpendRow]:
    """The rows of the table and of both exports: the daily rows of the chart, added up."""
    if by == reports.TAG:
        return reports.spend(tenant, period, mode=mode, group_by=(by,))
    sums: defaultdict[str, Totals] = defaultdict(Totals)
    for row in by_day:
        sums[row.group[by]] += row.totals
    rows = [SpendRow({by: name}, totals) for name, totals in sums.items()]
    return sorted(rows, key=lambda row: (-row.totals.cost, row.group[by]))


def _sum(rows: Iterable[SpendRow]) -> Totals:
    return sum((row.totals for row in rows), start=Totals())


def _export(rows: list[SpendRow], by: str, period: Period, wanted: str) -> HttpResponse:
    name = f"costs-by-{by}-{period.first}-{period.last}"
    if wanted == "csv":
        return api.as_csv(rows, [by], f"{name}.csv")
    found = {"from": period.first, "to": period.last, "time_zone": "UTC"}
    response = JsonResponse({**found, "results": [api.as_json(row) for row in rows]})
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return response


def _cost_rows(
    request: TenantRequest,
    rows: list[SpendRow],
    before: list[SpendRow],
    *,
    by: str,
    period: Period,
) -> list[CostRow]:
    total = _sum(rows).cost
    rows = rows[:MOST_ROWS]
    costs_before = {row.group[by]: row.totals.cost for row in before}
    key_ids = _key_ids(request) if by == "key" else {}
    return [
        CostRow(
            name=_shown(row.group[by], by),
            link=_link(by, key_ids.get(row.group[by], row.group[by]), period, request.mode),
            totals=row.totals,
            share=float(row.totals.cost / total) if total else 0.0,
            before=costs_before.get(row.group[by], ZERO),
        )
        for row in rows
    ]


def _link(by: str, value: str, period: Period, mode: str) -> str:
    """The list of calls of one row."""
    if by not in LINKED or not value:
        return ""
    query = {by: value, "from": period.first, "to": period.last, "mode": mode}
    return f"{reverse('calls')}?{urlencode(query)}"


def _shown(name: str, by: str) -> str:
    if not name:
        return NAMELESS.get(by, "none")
    return marks.label_of(name) if by == "provider" else name


def _key_ids(request: TenantRequest) -> dict[str, str]:
    """How reports name a gateway key → its id in the URL."""
    keys = GatewayKey.objects.for_tenant(request.tenant)
    return {f"{key.name} (…{key.last4})": ids.show("key", key.pk) for key in keys}


def _chart(rows: list[SpendRow], period: Period, by: str) -> charts.Stacked | None:
    amounts: defaultdict[tuple[date, str], Decimal] = defaultdict(lambda: ZERO)
    tints: dict[str, int] = {}
    for row in rows:
        name = _shown(row.group[by], by)
        amounts[date.fromisoformat(row.group["day"]), name] += row.totals.cost
        if by == "provider":
            tints[name] = marks.tint_of(row.group[by])
    return charts.stacked(list(period), amounts, tints)
