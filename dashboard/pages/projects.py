"""`/dashboard/projects/`: the names that calls are booked under, and what each of them cost."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import ids, projects
from accounts.errors import Conflict, InvalidRequest, NotFound, RoleNotAllowed
from accounts.models import GatewayKey, Project
from accounts.roles import Right, has_right
from billing import periods, reports
from billing.reports import Totals
from dashboard.decorators import TenantRequest
from dashboard.forms.projects import ProjectForm

DAYS = 30


@dataclass(frozen=True)
class Line:
    """A project, its sums of the last 30 days, and how many keys call for it."""

    project: Project
    totals: Totals
    keys: int


def projects_page(request: TenantRequest) -> HttpResponse:
    """The list; a POST makes a project."""
    form = ProjectForm(request.POST or None)
    may_manage = has_right(request.membership.role, Right.MANAGE_KEYS)
    if request.method == "POST":
        if not may_manage:
            raise RoleNotAllowed
        if form.is_valid():
            try:
                name = form.cleaned_data["name"]
                projects.create(request.tenant, name, actor=request.actor)
            except (Conflict, InvalidRequest) as problem:
                form.add_error("name", str(problem))
            else:
                return redirect("projects")
    context = {"lines": _lines(request), "form": form if may_manage else None}
    status = 422 if form.errors else 200
    return render(request, "dashboard/projects.html", context, status=status)


def rename(request: TenantRequest, project: str) -> HttpResponse:
    row = _find(request, project)
    form = ProjectForm(request.POST or None, initial={"name": row.name})
    if request.method == "POST" and form.is_valid():
        try:
            projects.rename(row, form.cleaned_data["name"], actor=request.actor)
        except (Conflict, InvalidRequest) as problem:
            form.add_error("name", str(problem))
        else:
            return redirect("projects")
    status = 422 if form.errors else 200
    context = {"project": row, "form": form}
    return render(request, "dashboard/project_rename.html", context, status=status)


def _lines(request: TenantRequest) -> list[Line]:
    """Every project, the dearest first."""
    tenant = request.tenant
    period = periods.last_days(DAYS, timezone.now())
    spent = reports.spend(tenant.pk, period, mode=request.mode, group_by=("project",))
    sums = {row.group["project"]: row.totals for row in spent}
    keys = GatewayKey.objects.for_tenant(tenant).filter(revoked_at=None, mode=request.mode)
    callers = list(keys.values_list("project_id", flat=True))
    lines = [
        Line(row, sums.get(row.name, Totals()), callers.count(row.pk))
        for row in Project.objects.for_tenant(tenant)
    ]
    return sorted(lines, key=lambda line: (-line.totals.cost, line.project.name))


def _find(request: TenantRequest, project: str) -> Project:
    try:
        wanted = ids.read("proj", project)
    except ids.InvalidId:
        raise NotFound(kind="project") from None
    rows = Project.objects.for_tenant(request.tenant).select_related("tenant")
    return rows.named("project", pk=wanted)
