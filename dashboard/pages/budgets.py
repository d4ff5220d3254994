"""`/dashboard/budgets/`: limits on money, how far each is used up, and what may be changed."""

from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import ids
from accounts.errors import Conflict, InvalidRequest, NotFound, RoleNotAllowed
from accounts.models import GatewayKey, Project
from accounts.roles import Right, has_right
from billing import budgets as actions
from billing import webhooks
from billing.models import Budget
from dashboard.decorators import TenantRequest
from dashboard.forms.budgets import ChangeBudgetForm, NewBudgetForm, RaiseForm

FIELDS = {"limit_usd": "limit", "by_usd": "by"}


def budgets(request: TenantRequest) -> HttpResponse:
    """The list; a POST makes a budget."""
    form = None
    now = timezone.now()
    if request.method == "POST":
        _must_manage(request)
        form = _new_form(request, request.POST)
        if form.is_valid():
            try:
                actions.create(request.tenant, form.wish(), actor=request.actor, now=now)
            except (InvalidRequest, Conflict) as problem:
                _tell(form, problem)
            else:
                return redirect("budgets")
    return _list(request, now, form)


def change(request: TenantRequest, budget: str) -> HttpResponse:
    row, now = _find(request, budget), timezone.now()
    form = ChangeBudgetForm(row, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change(
                row,
                limit=form.cleaned_data["limit"],
                mode=form.cleaned_data["mode"],
                alert_at=form.shares,
                actor=request.actor,
                now=now,
            )
        except InvalidRequest as problem:
            _tell(form, problem)
        else:
            return redirect("budgets")
    return _page(request, "change", row, form, now)


def raise_limit(request: TenantRequest, budget: str) -> HttpResponse:
    """More for a while; the limit itself stays as it is."""
    row, now = _find(request, budget), timezone.now()
    form = RaiseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        by, until = form.cleaned_data["by"], form.ends_at
        try:
            actions.raise_for_a_while(row, by=by, until=until, actor=request.actor, now=now)
        except InvalidRequest as problem:
            _tell(form, problem)
        else:
            return redirect("budgets")
    return _page(request, "raise", row, form, now)


def remove(request: TenantRequest, budget: str) -> HttpResponse:
    """Asks once."""
    row = _find(request, budget)
    if request.method == "POST":
        actions.remove(row, actor=request.actor)
        return redirect("budgets")
    return _page(request, "remove", row, None, timezone.now())


def _list(request: TenantRequest, now: datetime, form: NewBudgetForm | None) -> HttpResponse:
    may_manage = has_right(request.membership.role, Right.MANAGE_ROUTING)
    context = {
        "standings": actions.standings(request.tenant, calls=request.mode, now=now),
        "deliveries": webhooks.last_deliveries(request.tenant)[:5],
        "may_manage": may_manage,
        "form": (form or _new_form(request)) if may_manage else None,
    }
    return render(request, "dashboard/budgets.html", context, status=422 if form else 200)


def _page(
    request: TenantRequest,
    name: str,
    row: Budget,
    form: ChangeBudgetForm | RaiseForm | None,
    now: datetime,
) -> HttpResponse:
    stands = actions.standing(row, calls=request.mode, now=now)
    context = {"one": stands, "form": form}
    status = 422 if form and form.errors else 200
    return render(request, f"dashboard/budget_{name}.html", context, status=status)


def _new_form(request: TenantRequest, data: object = None) -> NewBudgetForm:
    projects = Project.objects.for_tenant(request.tenant)
    keys = GatewayKey.objects.for_tenant(request.tenant).filter(revoked_at=None)
    return NewBudgetForm(list(projects), list(keys), data)


def _tell(form: NewBudgetForm | ChangeBudgetForm | RaiseForm, problem: Exception) -> None:
    param = getattr(problem, "param", None) or ""
    name = FIELDS.get(param, param)
    form.add_error(name if name in form.fields else None, str(problem))


def _must_manage(request: TenantRequest) -> None:
    if not has_right(request.membership.role, Right.MANAGE_ROUTING):
        raise RoleNotAllowed


def _find(request: TenantRequest, budget: str) -> Budget:
    try:
        wanted = ids.read("bud", budget)
    except ids.InvalidId:
        raise NotFound(kind="budget") from None
    rows = Budget.objects.for_tenant(request.tenant).select_related("project", "tenant")
    return rows.named("budget", pk=wanted)
