"""`POST /dashboard/switch/`: another tenant of the same user."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from dashboard.decorators import MODE, TENANT, TenantRequest


@require_POST
def switch(request: TenantRequest) -> HttpResponse:
    wanted = request.POST.get("tenant", "")
    if wanted not in {str(membership.tenant_id) for membership in request.memberships}:
        raise Http404("You do not belong to this tenant.")
    request.session[TENANT] = wanted
    request.session.pop(MODE, None)
    return redirect("overview")
