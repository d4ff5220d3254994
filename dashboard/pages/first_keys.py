"""`/dashboard/keys/first/`: the first live and test key of a tenant, each shown once."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import signup
from dashboard import snippets
from dashboard.decorators import TenantRequest


@require_GET
def first_keys(request: TenantRequest) -> HttpResponse:
    """Make the keys and show them: their texts exist in this answer and nowhere else."""
    keys = signup.issue_first_keys(request.tenant, actor=request.actor, now=timezone.now())
    context = {}
    if keys:
        base, test = snippets.base_url(request), keys.test.reveal()
        context = {
            "live_key": keys.live.reveal(),
            "test_key": test,
            "curl": snippets.curl(base, key=test),
            "export": snippets.export(keys.live.reveal()),
        }
    response = render(request, "dashboard/first_keys.html", context)
    response["Cache-Control"] = "no-store"
    return response
