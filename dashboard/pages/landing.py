"""`/`: what this is, in one screen; and the pages that bind both sides."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard import snippets
from routing.providers import catalog_index


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    providers = list(catalog_index.current().providers.values())
    models = sum(len(provider.models) for provider in providers)
    context = {"base": snippets.base_url(request), "providers": providers, "models": models}
    return render(request, "site/landing.html", context)


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    return render(request, "site/terms.html")


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "site/privacy.html")
