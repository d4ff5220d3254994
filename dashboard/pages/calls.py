"""`/dashboard/calls/`: every call, newest first, filtered by the URL."""

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import ids
from accounts.errors import NotFound
from billing import call_search, records
from dashboard import exports, saved_views, snippets
from dashboard.decorators import TenantRequest
from dashboard.forms.calls import of_tenant
from dashboard.forms.saved_views import SaveForm, query_of

ROWS = 50


@require_GET
def calls(request: TenantRequest) -> HttpResponse:
    tenant = request.tenant.pk
    form = of_tenant(request.tenant.pk, request.GET)
    wanted = form.wanted(request.mode)
    cursor = request.GET.get("cursor", "")
    try:
        page = call_search.list_calls(tenant, wanted, cursor=cursor, limit=ROWS)
    except ids.InvalidId:
        raise NotFound(kind="page of calls") from None
    query = query_of(form, request.mode)
    context = {
        "form": form,
        "views": list(saved_views.of(request.membership)),
        "query": query,
        "save_form": SaveForm(
            initial={"query": query}, may_share=saved_views.may_share(request.membership)
        ),
        "calls": records.with_names(tenant, page.calls),
        "next": page.next,
        "looked_back_to": page.looked_back_to,
        "cursor": cursor,
        "most_rows": exports.MOST_ROWS,
        "curl": snippets.curl(snippets.base_url(request)),
    }
    return render(request, "dashboard/calls.html", context)


@require_GET
def export(request: TenantRequest) -> HttpResponseBase:
    """The calls of the page's filter as CSV, sent while they are read."""
    wanted = of_tenant(request.tenant.pk, request.GET).wanted(request.mode)
    name = f"calls-{request.mode}-{timezone.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        exports.calls(request.tenant.pk, wanted),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )
