"""The operator's health page: how this installation does, at this moment."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.operator_site import site
from gateway_project import health


@site.page("health/", "health")
def show(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    context = {
        **site.each_context(request),
        "title": "Health",
        "now": now,
        "groups": [("Parts", health.readings(now)), ("Tasks of the worker", health.tasks(now))],
    }
    response = render(request, "admin/health.html", context)
    response["Cache-Control"] = "no-store"
    return response
