"""`/dashboard/`: what was spent, how the providers do, and what to do first."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import GatewayKey, ProviderKey
from accounts.models.provider_key import KeyStatus
from billing import call_search, latency, periods, provider_health, records, reports
from billing.call_search import CallFilter
from billing.money import ZERO
from billing.reports import SpendRow, Totals
from dashboard import charts, marks, snippets
from dashboard.decorators import TenantRequest

DAYS = 30
RECENT = 8
IN_TROUBLE = (KeyStatus.INVALID, KeyStatus.NO_CREDIT)


@dataclass(frozen=True)
class Spent:
    """Sums by span: today, this calendar month, and the last 30 days (all UTC)."""

    today: Totals
    month: Totals
    days: Totals


@dataclass(frozen=True)
class Checklist:
    """The first steps of a new tenant."""

    has_key: bool
    has_provider_key: bool
    has_call: bool

    @property
    def is_done(self) -> bool:
        return self.has_key and self.has_provider_key and self.has_call


def overview(request: TenantRequest) -> HttpResponse:
    tenant, mode, now = request.tenant.pk, request.mode, timezone.now()
    period = periods.last_days(DAYS + 1, now)  # a calendar month is never longer
    rows = reports.spend(tenant, period, mode=mode, group_by=("day", "provider"))
    days = list(period)[1:]
    recent = call_search.list_calls(tenant, CallFilter(mode=mode), limit=RECENT).calls
    keys = list(ProviderKey.objects.for_tenant(tenant))
    spent = _spent(rows, days[0], now)
    health = provider_health.last_day(tenant, mode=mode, now=now)
    context = {
        "now": now,
        "spent": spent,
        "error_share": spent.days.failed_calls / spent.days.calls if spent.days.calls else None,
        "chart": _chart(rows, days),
        "latency": latency.of_last_calls(tenant, mode=mode),
        "health": [(one, charts.strip(one.hours)) for one in health],
        "recent": recent,
        "troubled_keys": [key for key in keys if key.enabled and key.status in IN_TROUBLE],
        "checklist": _checklist(request, has_provider_key=bool(keys), has_call=bool(recent)),
        "curl": snippets.curl(snippets.base_url(request)),
    }
    return render(request, "dashboard/overview.html", context)


def checklist(request: TenantRequest) -> HttpResponse:
    """The first steps alone: the page asks again until the first call has come."""
    keys = ProviderKey.objects.for_tenant(request.tenant)
    context = {
        "checklist": _checklist(request, has_provider_key=keys.exists(), has_call=False),
        "curl": snippets.curl(snippets.base_url(request)),
    }
    return render(request, "dashboard/_checklist.html", context)


def _checklist(request: TenantRequest, *, has_provider_key: bool, has_call: bool) -> Checklist:
    keys = GatewayKey.objects.for_tenant(request.tenant).filter(revoked_at=None)
    return Checklist(
        has_key=keys.exists(),
        has_provider_key=has_provider_key,
        has_call=has_call or records.has_calls(request.tenant.pk),
    )


def _spent(rows: list[SpendRow], first: date, now: datetime) -> Spent:
    today = now.date().isoformat()
    since = {"today": today, "month": today[:8] + "01", "days": first.isoformat()}
    sums = {name: Totals() for name in since}
    for row in rows:
        for name, start in since.items():
            if row.group["day"] >= start:
                sums[name] += row.totals
    return Spent(**sums)


def _chart(rows: list[SpendRow], days: list[date]) -> charts.Stacked | None:
    amounts: defaultdict[tuple[date, str], Decimal] = defaultdict(lambda: ZERO)
    tints: dict[str, int] = {}
    for row in rows:
        day, provider = date.fromisoformat(row.group["day"]), row.group["provider"]
        if day >= days[0]:
            label = marks.label_of(provider)
            amounts[day, label] += row.totals.cost
            tints[label] = marks.tint_of(provider)
    return charts.stacked(days, amounts, tints)
