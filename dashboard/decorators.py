"""Who may see a page, and whose rows it sees."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from accounts import audit, members
from accounts.audit import Actor
from accounts.errors import NotFound, RoleNotAllowed
from accounts.models import Membership, Tenant, User
from accounts.models.gateway_key import Mode
from accounts.roles import Right, has_right
from accounts.tenancy import tenant_scope
from dashboard import impersonating

TENANT, MODE = "tenant", "mode"  # what the session remembers


class TenantRequest(HttpRequest):
    """A request of somebody who belongs to a tenant."""

    tenant: Tenant
    membership: Membership
    memberships: list[Membership]
    mode: str
    actor: Actor
    htmx: Any


View = Callable[..., HttpResponseBase]


def tenant_page(right: Right, *, scoped: bool = True) -> Callable[[View], View]:
    """For members of a tenant whose role has the right; strangers get 404.

    The view runs in the tenant's scope. `scoped` False leaves that to the view, which then waits
    for a provider outside of any transaction.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            theirs = _admit(request, request.user)
            if theirs is None:
                return render(request, "dashboard/no_tenant.html", status=404)
            if not has_right(theirs.membership.role, right):
                raise PermissionDenied(str(RoleNotAllowed()))
            with impersonating.read_only() if impersonating.of(request) else nullcontext():
                response = _answer(view, theirs, args, kwargs, scoped=scoped)
            if not response.has_header("Cache-Control"):
                patch_cache_control(response, private=True, no_cache=True)
            return response

        return run

    return decorate


def _to_login(request: HttpRequest) -> HttpResponse:
    """The login page; a fragment that was asked for in the background reloads its page instead."""
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return redirect_to_login(request.get_full_path())


def _admit(request: HttpRequest, user: User) -> TenantRequest | None:
    """The request with its tenant; None for a user who belongs to none."""
    visit = impersonating.of(request)
    memberships = [impersonating.membership_of(visit, user)] if visit else members.of_user(user)
    membership = members.chosen(memberships, request.session.get(TENANT))
    if membership is None:
        return None
    theirs = cast("TenantRequest", request)
    theirs.memberships, theirs.membership = memberships, membership
    theirs.tenant, theirs.actor = membership.tenant, audit.person(user)
    theirs.mode = _mode(theirs)
    return theirs


def _mode(request: TenantRequest) -> str:
    """Live or test: as the URL says, else as last chosen, else test until the first live call."""
    wanted, kept = request.GET.get("mode"), request.session.get(MODE)
    if wanted in Mode.values:
        if wanted != kept:
            request.session[MODE] = wanted
        return str(wanted)
    if kept in Mode.values:
        return str(kept)
    return Mode.LIVE if request.tenant.first_live_call_at else Mode.TEST


def _answer(
    view: View, request: TenantRequest, args: Any, kwargs: Any, *, scoped: bool
) -> HttpResponseBase:
    try:
        if not scoped:
            return view(request, *args, **kwargs)
        with tenant_scope(request.tenant.pk):
            return view(request, *args, **kwargs)
    except NotFound as problem:
        raise Http404(str(problem)) from None
    except RoleNotAllowed as problem:
        raise PermissionDenied(str(problem)) from None
