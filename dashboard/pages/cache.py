"""`/dashboard/cache/`: what answers from the cache have saved, how much is kept, and the switch."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts import tenant_settings
from accounts.errors import RoleNotAllowed, Unavailable
from accounts.models import GatewayKey
from accounts.roles import Right, has_right
from billing import reports
from billing.periods import Period
from billing.reports import Totals
from dashboard.decorators import TenantRequest
from dashboard.forms.cache import PurgeForm
from routing import policies
from routing.cache import choice
from routing.cache.stores import SHARE_BYTES, Holdings

DAYS = 30


@dataclass(frozen=True)
class Figures:
    """Of the last days: all calls, those answered from the cache, what that saved."""

    totals: Totals
    held: Holdings | None  # None: the store cannot be reached

    @property
    def share(self) -> float | None:
        """Of the answered calls those that nobody had to be asked for."""
        return self.totals.cache_hits / self.totals.succeeded if self.totals.succeeded else None

    @property
    def used(self) -> float:
        """Share of the room that is taken."""
        return self.held.size / SHARE_BYTES if self.held else 0.0


def cache(request: TenantRequest) -> HttpResponse:
    """A POST switches caching on or off."""
    if request.method == "POST":
        _must(request, Right.MANAGE_TENANT)
        on = request.POST.get("enabled") == "on"
        try:
            choice.switch(request.tenant, on=on, actor=request.actor)
        except Unavailable as problem:
            messages.error(request, str(problem))
        else:
            told = "on" if on else "off, and nothing that was kept is used any more"
            messages.success(request, f"Caching is switched {told}.")
        return redirect("cache")
    return render(request, "dashboard/cache.html", _context(request, _form(request)))


@require_POST
def purge(request: TenantRequest) -> HttpResponse:
    """Drop what is kept, or that of a policy or a key."""
    form = _form(request, request.POST)
    if not form.is_valid():
        return render(request, "dashboard/cache.html", _context(request, form), status=422)
    try:
        gone = choice.purge(
            request.tenant, actor=request.actor, policy=form.policy, lineage=form.lineage
        )
    except Unavailable as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, f"Answers dropped: {gone}.")
    return redirect("cache")


def _form(request: TenantRequest, data: object = None) -> PurgeForm:
    keys = GatewayKey.objects.for_tenant(request.tenant).filter(revoked_at=None)
    named = [policy.name for policy in policies.listed(request.tenant)]
    return PurgeForm(named, list(keys), data)


def _context(request: TenantRequest, form: PurgeForm) -> dict[str, object]:
    tenant, now, role = request.tenant.pk, timezone.now(), request.membership.role
    today = now.date()
    period = Period(today - timedelta(days=DAYS - 1), today)
    return {
        "figures": Figures(
            totals=reports.total(tenant, period, mode=request.mode),
            held=_held(tenant, now),
        ),
        "days": DAYS,
        "is_on": tenant_settings.read(tenant).cache_enabled,
        "may_switch": has_right(role, Right.MANAGE_TENANT),
        "form": form if has_right(role, Right.MANAGE_ROUTING) else None,
    }


def _held(tenant: UUID, now: datetime) -> Holdings | None:
    try:
        return choice.holdings(tenant, now.timestamp())
    except Unavailable:
        return None


def _must(request: TenantRequest, right: Right) -> None:
    if not has_right(request.membership.role, right):
        raise RoleNotAllowed
