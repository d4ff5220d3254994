"""`/dashboard/providers/`: paste a provider's key, see whether it works, replace or delete it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts import ids, provider_keys
from accounts.errors import NotFound
from accounts.models import ProviderKey
from accounts.secret import Secret
from accounts.tenancy import tenant_scope
from dashboard import provider_cards
from dashboard.decorators import TenantRequest
from dashboard.forms.providers import NewProviderKeyForm, ProviderKeyForm, ReplaceForm
from routing import key_checks
from routing.providers import catalog_index


def providers(request: TenantRequest) -> HttpResponse:
    """Every provider of the catalogue, those with a key first; a POST adds a key."""
    if request.method == "POST":
        return _add(request)
    with tenant_scope(request.tenant.pk):
        cards = provider_cards.of(request)
        context = {
            "cards": [card for card in cards if card.keys],
            "other_cards": [card for card in cards if not card.keys],
            **provider_cards.context(request),
        }
    return render(request, "dashboard/providers.html", context)


@require_POST
def verify(request: TenantRequest, key: str) -> HttpResponse:
    """Ask the provider about this key now. It may be used from then on."""
    with tenant_scope(request.tenant.pk):
        row = _find(request, key)
        secret = provider_keys.open_secret(row)
        if provider_cards.answered(request, row) and not row.enabled:
            provider_keys.change(
                row, actor=request.actor, label=row.label, weight=row.weight, enabled=True
            )
    _check(request, row, secret)
    return _done(request, row.provider)


@require_POST
def move(request: TenantRequest, key: str) -> HttpResponse:
    """The key was pasted at the wrong provider: keep it at the one it looks like."""
    with tenant_scope(request.tenant.pk):
        row = _find(request, key)
        slug = provider_cards.answered(request, row)
        if slug not in catalog_index.current().providers:
            raise NotFound(kind="question about this key")
        secret = provider_keys.open_secret(row)
        provider_keys.remove(row, actor=request.actor)
        moved = provider_keys.add(
            request.tenant, provider=slug, secret=secret, label=row.label, actor=request.actor
        )
    _check(request, moved, secret)
    return redirect(f"{reverse('providers')}#{slug}")


def edit(request: TenantRequest, key: str) -> HttpResponse:
    """Label, weight, and whether calls may use the key."""
    row = _find(request, key)
    before = {"label": row.label, "weight": row.weight, "enabled": row.enabled}
    form = ProviderKeyForm(request.POST or None, initial=before)
    if request.method == "POST" and form.is_valid():
        provider_keys.change(row, actor=request.actor, **form.cleaned_data)
        return redirect(f"{reverse('providers')}#{row.provider}")
    return render(request, "dashboard/provider_key_edit.html", _of_key(row, form))


def replace(request: TenantRequest, key: str) -> HttpResponse:
    """Another secret in this key's place: label, weight and place stay."""
    with tenant_scope(request.tenant.pk):
        row = _find(request, key)
        form = ReplaceForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return render(request, "dashboard/provider_key_replace.html", _of_key(row, form))
        secret = form.cleaned_data["secret"]
        provider_keys.rotate(row, secret=secret, actor=request.actor)
    _check(request, row, secret)
    return redirect(f"{reverse('providers')}#{row.provider}")


def delete(request: TenantRequest, key: str) -> HttpResponse:
    """Asks once, then deletes the key and its sealed secret."""
    row = _find(request, key)
    if request.method == "POST":
        provider_keys.remove(row, actor=request.actor)
        return redirect(f"{reverse('providers')}#{row.provider}")
    return render(request, "dashboard/provider_key_delete.html", _of_key(row))


def _add(request: TenantRequest) -> HttpResponse:
    """Save a pasted key, then ask its provider about it, outside of any transaction."""
    form = NewProviderKeyForm(request.POST, provider=request.POST.get("provider", ""))
    if not form.is_valid():
        return _again(request, form)
    slug, secret = form.cleaned_data["provider"], form.cleaned_data["secret"]
    likelier = provider_cards.likelier(slug, secret)
    with tenant_scope(request.tenant.pk):
        key = provider_keys.add(
            request.tenant,
            provider=slug,
            secret=secret,
            label=form.cleaned_data["label"],
            base_url=form.base_url,
            actor=request.actor,
        )
        if likelier:  # not shown to this provider, nor used, until its owner has answered
            provider_keys.change(
                key, actor=request.actor, label=key.label, weight=key.weight, enabled=False
            )
    if likelier:
        provider_cards.ask(request, key, likelier)
    else:
        _check(request, key, secret)
    return _done(request, slug)


def _of_key(row: ProviderKey, form: object = None) -> dict[str, object]:
    provider = catalog_index.current().providers.get(row.provider)
    return {"key": row, "provider": provider, "form": form}


def _check(request: TenantRequest, key: ProviderKey, secret: Secret) -> None:
    """What the provider says of the key, kept with it and said on the next page."""
    provider = catalog_index.current().providers.get(key.provider)
    if provider is None:
        return
    finding = key_checks.ask(key, secret)
    with tenant_scope(request.tenant.pk):
        row = key_checks.record(key, finding, now=timezone.now())
    if row.status == "valid":
        messages.success(request, f"{provider.label} accepts the key ending in {row.last4}.")


def _again(request: TenantRequest, form: NewProviderKeyForm) -> HttpResponse:
    """The page with what was wrong at the field; the secret is not on it."""
    with tenant_scope(request.tenant.pk):
        cards = provider_cards.of(request, wrong=form)
        shared = provider_cards.context(request)
    context = {"cards": cards, "other_cards": [], **shared}
    if request.htmx:
        slug = form.data.get("provider")
        context["card"] = next((card for card in cards if card.provider.slug == slug), None)
        if context["card"]:
            return render(request, "dashboard/_provider.html", context)
    return render(request, "dashboard/providers.html", context, status=422)


def _done(request: TenantRequest, slug: str) -> HttpResponse:
    """Back to the page, or its card alone where a script asked for it."""
    if not request.htmx:
        return redirect(f"{reverse('providers')}#{slug}")
    with tenant_scope(request.tenant.pk):
        cards = provider_cards.of(request)
        card = next((card for card in cards if card.provider.slug == slug), None)
        shared = provider_cards.context(request)
    if card is None:  # the provider left the catalogue while the page was open
        messages.error(request, f"{slug} is not offered here any more.")
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = {"card": card, "is_update": True, **shared}
    return render(request, "dashboard/_provider.html", context)


def _find(request: TenantRequest, key: str) -> ProviderKey:
    try:
        wanted = ids.read("pkey", key)
    except ids.InvalidId:
        raise NotFound(kind="provider key") from None
    rows = ProviderKey.objects.for_tenant(request.tenant).select_related("tenant")
    return rows.named("provider key", pk=wanted)
