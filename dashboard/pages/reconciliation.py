"""`/dashboard/reconciliation/`: our books beside what providers say, and what has no price yet."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import ids
from accounts.errors import InvalidRequest, NotFound, RoleNotAllowed
from accounts.roles import Right, has_right
from billing import cost_reports, invoices
from billing.corrections import Span
from billing.periods import Period
from dashboard.decorators import TenantRequest
from dashboard.forms.costs import CostsForm, presets
from dashboard.forms.reconciliation import ImportForm, InvoiceForm, PriceForm
from routing import repricing
from routing.api.manage.invoices import PREFIX
from routing.providers import overrides, own_models
from routing.providers.own_models import Description

Forms = dict[str, Any]


@require_http_methods(["GET", "HEAD", "POST"])
def reconciliation(request: TenantRequest) -> HttpResponse:
    """The page; a POST sets a price, prices calls again, or adds or removes lines of invoices."""
    forms: Forms = {}
    if request.method == "POST":
        if not has_right(request.membership.role, Right.MANAGE_ROUTING):
            raise RoleNotAllowed
        act = ACTIONS.get(request.POST.get("action", ""))
        if act is None:
            raise NotFound(kind="action")
        forms = act(request)
        if not forms:
            return redirect(request.get_full_path())
    return _page(request, forms)


def _page(request: TenantRequest, forms: Forms) -> HttpResponse:
    tenant, now = request.tenant.pk, timezone.now()
    asked = CostsForm(request.GET, now=now)
    period = asked.period
    may_manage = has_right(request.membership.role, Right.MANAGE_ROUTING)
    unpriced = cost_reports.unpriced(tenant, period, mode=request.mode)
    context = {
        "period": period,
        "presets": presets(now),
        "may_manage": may_manage,
        "unpriced": [(row, _price_form(row, forms)) for row in unpriced],
        "reported": cost_reports.reported(tenant, period, mode=request.mode),
        "invoices": invoices.reconcile(tenant),
        "invoice_form": forms.get("invoice") or InvoiceForm(_providers(request)),
        "import_form": forms.get("import") or ImportForm(),
        "problem": forms.get("problem"),
    }
    return render(request, "dashboard/reconciliation.html", context, status=422 if forms else 200)


def _price_form(row: cost_reports.Unpriced, forms: Forms) -> PriceForm:
    sent = forms.get("price")
    if sent and (sent.data.get("provider"), sent.data.get("model")) == (row.provider, row.model):
        return sent  # type: ignore[no-any-return]
    names = {"provider": row.provider, "model": row.model, "past": True}
    return PriceForm(initial=names, auto_id=f"{row.provider}-{row.model}-%s")


def _providers(request: TenantRequest) -> list[tuple[str, str]]:
    known = overrides.read(request.tenant.pk).providers.values()
    return [(one.slug, one.label) for one in known]


def _set_price(request: TenantRequest) -> Forms:
    form = PriceForm(request.POST)
    if not form.is_valid():
        return {"price": form}
    wanted = form.cleaned_data
    try:
        own_models.put(
            request.tenant,
            provider=wanted["provider"],
            model=wanted["model"],
            said=Description(),
            rates=form.rates,
            actor=request.actor,
        )
    except InvalidRequest as problem:
        return {"price": form, "problem": str(problem)}
    named = f"{wanted['provider']}/{wanted['model']}"
    messages.success(request, f"{named} has a price now. Calls use it within a second.")
    if wanted["past"]:
        _apply(request, provider=wanted["provider"], model=wanted["model"])
    return {}


def _reprice(request: TenantRequest) -> Forms:
    _apply(request)
    return {}


def _apply(request: TenantRequest, *, provider: str = "", model: str = "") -> None:
    """Price the calls of the period again, and say what came of it."""
    span = Span(period=_period(request), mode=request.mode, provider=provider, model=model)
    outcome = repricing.reprice(
        request.tenant, span, actor=request.actor, now=timezone.now(), apply=True
    )
    more = "" if outcome.is_complete else " There are more: do it again."
    said = f"{outcome.attempts} attempts are priced anew: {outcome.change:+f} USD.{more}"
    messages.success(request, said if outcome.attempts else "All prices are up to date.")


def _add_line(request: TenantRequest) -> Forms:
    form = InvoiceForm(_providers(request), request.POST)
    return _add(request, form, "invoice", form.line)


def _import(request: TenantRequest) -> Forms:
    form = ImportForm(request.POST, request.FILES)
    return _add(request, form, "import", form.lines)


def _add(request: TenantRequest, form: Any, name: str, lines: Callable[[], Any]) -> Forms:
    if not form.is_valid():
        return {name: form}
    try:
        found = lines()
        done = invoices.add(
            request.tenant,
            found if isinstance(found, list) else [found],
            providers=[slug for slug, _ in _providers(request)],
            actor=request.actor,
            now=timezone.now(),
        )
    except InvalidRequest as problem:
        form.add_error(problem.param if problem.param in form.fields else None, str(problem))
        return {name: form}
    known = f" {done.known} were there already." if done.known else ""
    messages.success(request, f"{done.added} lines are added.{known}")
    return {}


def _remove(request: TenantRequest) -> Forms:
    try:
        wanted = ids.read(PREFIX, request.POST.get("invoice", ""))
    except ids.InvalidId:
        raise NotFound(kind="invoice") from None
    invoices.remove(request.tenant, wanted, actor=request.actor)
    return {}


def _period(request: TenantRequest) -> Period:
    return CostsForm(request.GET, now=timezone.now()).period


ACTIONS: dict[str, Callable[[TenantRequest], Forms]] = {
    "price": _set_price,
    "reprice": _reprice,
    "invoice": _add_line,
    "import": _import,
    "remove": _remove,
}
