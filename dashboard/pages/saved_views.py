"""`/dashboard/calls/views/`: filters of the calls page that were kept under a name."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import ids
from accounts.errors import Conflict, NotFound
from dashboard import saved_views
from dashboard.decorators import TenantRequest
from dashboard.forms.calls import of_tenant
from dashboard.forms.saved_views import NameForm, SaveForm, mode_of, query_of
from dashboard.models import SavedView


@dataclass(frozen=True)
class Line:
    """A view, its filters in words, and whether the reader may change it."""

    view: SavedView
    told: list[tuple[str, str]]
    mode: str
    may_change: bool


def views(request: TenantRequest) -> HttpResponse:
    """The list; a POST keeps the filters that are sent along."""
    form: SaveForm | None = None
    if request.method == "POST":
        form = SaveForm(request.POST, may_share=saved_views.may_share(request.membership))
        if form.is_valid() and (view := _saved(request, form)):
            return redirect(f"/dashboard/calls/?{view.query}")
    context = {"lines": _lines(request), "form": form}
    return render(request, "dashboard/saved_views.html", context, status=422 if form else 200)


def rename(request: TenantRequest, view: str) -> HttpResponse:
    row = _find(request, view)
    form = NameForm(request.POST or None, initial={"name": row.name})
    if request.method == "POST" and form.is_valid():
        try:
            name = form.cleaned_data["name"]
            saved_views.rename(row, name, membership=request.membership, actor=request.actor)
        except Conflict as problem:
            form.add_error("name", str(problem))
        else:
            return redirect("saved_views")
    return _ask(request, row, "rename", form)


def delete(request: TenantRequest, view: str) -> HttpResponse:
    row = _find(request, view)
    if request.method == "POST":
        saved_views.delete(row, membership=request.membership, actor=request.actor)
        return redirect("saved_views")
    return _ask(request, row, "delete")


def _saved(request: TenantRequest, form: SaveForm) -> SavedView | None:
    query = QueryDict(form.cleaned_data["query"])
    wanted, mode = of_tenant(request.tenant.pk, query), mode_of(query)
    wanted.wanted(mode)
    if not wanted.in_use:
        form.add_error(None, "No filter is in use. Filter the calls first, then keep the view.")
        return None
    try:
        return saved_views.save(
            request.membership,
            name=form.cleaned_data["name"],
            query=query_of(wanted, mode),
            shared=form.cleaned_data.get("shared", False),
            actor=request.actor,
            now=timezone.now(),
        )
    except Conflict as problem:
        form.add_error("name", str(problem))
        return None


def _lines(request: TenantRequest) -> list[Line]:
    known = of_tenant(request.tenant.pk, QueryDict())
    return [
        Line(
            view,
            known.told(QueryDict(view.query)),
            mode_of(QueryDict(view.query)),
            saved_views.may_change(view, request.membership),
        )
        for view in saved_views.of(request.membership)
    ]


def _ask(
    request: TenantRequest, row: SavedView, act: str, form: NameForm | None = None
) -> HttpResponse:
    context = {
        "act": act,
        "view": row,
        "form": form,
        "may_change": saved_views.may_change(row, request.membership),
    }
    status = 422 if form and form.errors else 200
    return render(request, "dashboard/saved_view_ask.html", context, status=status)


def _find(request: TenantRequest, view: str) -> SavedView:
    rows = saved_views.of(request.membership).select_related("tenant")
    return rows.named("saved view", pk=_id(view))


def _id(view: str) -> UUID:
    try:
        return ids.read("view", view)
    except ids.InvalidId:
        raise NotFound(kind="saved view") from None
