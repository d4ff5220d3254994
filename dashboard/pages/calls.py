"""`/dashboard/calls/`: every call, newest first, filtered by the URL."""

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import ids
from accounts.errors import NotFound
from accounts.models import GatewayKey, Project
from billing import records
from dashboard import exports, snippets
from dashboard.decorators import TenantRequest
from dashboard.forms.calls import CallsForm

ROWS = 50


@require_GET
def calls(request: TenantRequest) -> HttpResponse:
    tenant = request.tenant.pk
    form = _form(request)
    wanted = form.wanted(request.mode)
    cursor = request.GET.get("cursor", "")
    try:
        page = records.list_calls(tenant, wanted, cursor=cursor, limit=ROWS)
    except ids.InvalidId:
        raise NotFound(kind="page of calls") from None
    context = {
        "form": form,
        "calls": records.with_names(tenant, page.calls),
        "next": page.next,
        "cursor": cursor,
        "most_rows": exports.MOST_ROWS,
        "curl": snippets.curl(snippets.base_url(request)),
    }
    return render(request, "dashboard/calls.html", context)


@require_GET
def export(request: TenantRequest) -> HttpResponseBase:
    """The calls of the page's filter as CSV, sent while they are read."""
    wanted = _form(request).wanted(request.mode)
    name = f"calls-{request.mode}-{timezone.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        exports.calls(request.tenant.pk, wanted),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def _form(request: TenantRequest) -> CallsForm:
    return CallsForm(
        request.GET,
        projects=Project.objects.for_tenant(request.tenant),
        keys=GatewayKey.objects.for_tenant(request.tenant),
    )
