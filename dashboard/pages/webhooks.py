"""`/dashboard/webhooks/`: who is told of budgets' alerts, and what became of each message."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import ids
from accounts.errors import Conflict, NotFound, RoleNotAllowed
from accounts.roles import Right, has_right
from accounts.secret import Secret
from accounts.tenancy import tenant_scope
from billing import budgets
from billing import webhooks as actions
from billing.models import Webhook
from dashboard.decorators import TenantRequest
from dashboard.forms.webhooks import WebhookForm
from routing import deliveries


def webhooks(request: TenantRequest) -> HttpResponse:
    """The list; a POST makes a webhook and shows its secret, this once."""
    may_manage = has_right(request.membership.role, Right.MANAGE_ROUTING)
    form = _form(request, request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not may_manage:
            raise RoleNotAllowed
        if form.is_valid():
            try:
                hook, secret = actions.create(
                    request.tenant,
                    url=form.cleaned_data["url"],
                    budget=form.budget_chosen,
                    actor=request.actor,
                    now=timezone.now(),
                )
            except Conflict as problem:
                form.add_error(None, str(problem))
            else:
                return _show_secret(request, hook, secret)
    context = {
        "hooks": actions.listed(request.tenant),
        "deliveries": actions.last_deliveries(request.tenant),
        "may_manage": may_manage,
        "form": form if may_manage else None,
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/webhooks.html", context, status=status)


def change(request: TenantRequest, hook: str) -> HttpResponse:
    """Address and budget; a POST may also switch it, give it another secret, or remove it."""
    row = _find(request, hook)
    act = request.POST.get("action", "save")
    if request.method == "POST" and act != "save":
        return _act(request, row, act)
    chosen = ids.show("bud", row.budget_id) if row.budget_id else ""
    form = _form(request, request.POST or None, initial={"url": row.url, "budget": chosen})
    if request.method == "POST" and form.is_valid():
        url, budget = form.cleaned_data["url"], form.budget_chosen
        actions.change(row, url=url, budget=budget, actor=request.actor)
        return redirect("webhooks")
    context = {"hook": row, "form": form, "deliveries": actions.last_deliveries(row.tenant, row)}
    status = 422 if form.errors else 200
    return render(request, "dashboard/webhook_change.html", context, status=status)


def test(request: TenantRequest, hook: str) -> HttpResponse:
    """Send a test, outside of any transaction, and say what became of it."""
    if request.method != "POST":
        return redirect("webhooks")
    with tenant_scope(request.tenant.pk):
        row = _find(request, hook)
    sent = deliveries.send_test(request.tenant, row, now=timezone.now())
    if sent.status == "delivered":
        messages.success(request, f"{row} took the test (HTTP {sent.http_status}).")
    else:
        messages.error(request, f"The test did not reach {row}: {sent.problem}.")
    return redirect("webhooks")


def _act(request: TenantRequest, row: Webhook, act: str) -> HttpResponse:
    if act == "roll":
        return _show_secret(request, row, actions.roll_secret(row, actor=request.actor))
    if act in {"on", "off"}:
        actions.switch(row, on=act == "on", actor=request.actor)
    elif act == "remove":
        actions.remove(row, actor=request.actor)
    else:
        raise NotFound(kind="action")
    return redirect("webhooks")


def _show_secret(request: TenantRequest, hook: Webhook, secret: Secret) -> HttpResponse:
    context = {"hook": hook, "text": secret.reveal()}
    response = render(request, "dashboard/webhook_secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _form(request: TenantRequest, data: object, **rest: object) -> WebhookForm:
    standings = budgets.standings(request.tenant, calls=request.mode, now=timezone.now())
    return WebhookForm(standings, data, **rest)


def _find(request: TenantRequest, hook: str) -> Webhook:
    try:
        return actions.find(request.tenant, ids.read("wh", hook))
    except ids.InvalidId:
        raise NotFound(kind="webhook") from None
