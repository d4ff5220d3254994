"""`/dashboard/audit/`: who changed what, newest first; and whether anybody changed the list."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts import audit, whole_numbers
from accounts.errors import NotFound
from accounts.models import AuditEvent
from accounts.whole_numbers import NotAWholeNumber
from dashboard.decorators import TenantRequest
from dashboard.forms.audit import AuditForm, plain

ROWS = 50


@dataclass(frozen=True)
class Line:
    """An event as people read it."""

    event: AuditEvent
    what: str
    details: str


@dataclass(frozen=True)
class Chain:
    """What following the hashes from the first event on has found."""

    broken_at: int | None


@require_GET
def audit_list(request: TenantRequest) -> HttpResponse:
    every = AuditEvent.objects.for_tenant(request.tenant)
    actions = list(every.order_by("action").values_list("action", flat=True).distinct())
    form = AuditForm(request.GET, actions=actions)
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
        "chain": Chain(audit.first_broken(request.tenant)) if "check" in request.GET else None,
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
