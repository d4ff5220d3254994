"""`/dashboard/audit/`: who changed what, newest first; and whether anybody changed the list."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts import audit, whole_numbers
from accounts.errors import NotFound
from accounts.models import AuditEvent, Tenant
from accounts.whole_numbers import NotAWholeNumber
from dashboard.decorators import TenantRequest
from dashboard.forms.audit import AuditForm, plain

ROWS = 50
CHECKED = 10_000  # events whose hashes one page follows; `verify_audit` follows all
LISTED = 5_000  # events whose kinds the filter offers


@dataclass(frozen=True)
class Line:
    """An event as people read it."""

    event: AuditEvent
    what: str
    details: str


@dataclass(frozen=True)
class Chain:
    """What following the hashes of the newest events has found."""

    since: int
    broken_at: int | None


def _chain(tenant: Tenant) -> Chain:
    since = max(1, audit.last_number(tenant) - CHECKED + 1)
    return Chain(since, audit.first_broken(tenant, since=since))


@require_GET
def audit_list(request: TenantRequest) -> HttpResponse:
    every = AuditEvent.objects.for_tenant(request.tenant)
    newest = every.order_by("-number").values_list("action", flat=True)[:LISTED]
    form = AuditForm(request.GET, actions=sorted(set(newest)))
    rows = form.applied(every).order_by("-number")
    if cursor := request.GET.get("cursor", ""):
        rows = rows.filter(number__lt=_number(cursor))
    found = list(rows[: ROWS + 1])
    has_more, found = len(found) > ROWS, found[:ROWS]
    context = {
        "form": form,
        "lines": [Line(event, plain(event.action), _details(event)) for event in found],
        "next": found[-1].number if has_more else None,
        "cursor": cursor,
        "chain": _chain(request.tenant) if "check" in request.GET else None,
    }
    return render(request, "dashboard/audit.html", context)


def _number(cursor: str) -> int:
    try:
        return whole_numbers.read(cursor, most=10**18)
    except NotAWholeNumber:
        raise NotFound(kind="page of events") from None


def _details(event: AuditEvent) -> str:
    parts = [
        f"{name.replace('_', ' ')}: {value}"
        for name, value in sorted(event.details.items())
        if value not in ("", None)
    ]
    return ", ".join(parts)
