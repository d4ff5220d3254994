"""While an operator looks at a tenant's pages, nothing can be changed: refused at the door, and
by the connection to the database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_logged_out
from django.db import connection
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from accounts import impersonation
from accounts.errors import RoleNotAllowed
from accounts.impersonation import SESSION_KEY
from accounts.models import Impersonation, Membership, User
from accounts.roles import Role

READS = frozenset({"GET", "HEAD", "OPTIONS"})
ALLOWED = frozenset({"/admin/impersonation/end/", "/accounts/logout/"})
STATEMENTS = frozenset({"SELECT", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK"})


class ImpersonationMiddleware(MiddlewareMixin):
    """Finds the visit that a session is on, ends it in time, and refuses whatever writes."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        request.impersonation = None  # type: ignore[attr-defined]
        kept = request.session.get(SESSION_KEY)
        if kept is None:
            return None
        row = _current(request, kept)
        if row is None:
            return _over(request)
        request.impersonation = row  # type: ignore[attr-defined]
        if request.path.startswith("/api/v1/"):
            return _refuse_api()
        if request.method in READS or request.path in ALLOWED:
            return None
        return render(request, "dashboard/read_only.html", status=403)


def of(request: HttpRequest) -> Impersonation | None:
    """The visit of this request, if it is part of one."""
    found: Impersonation | None = getattr(request, "impersonation", None)
    return found


def membership_of(row: Impersonation, user: User) -> Membership:
    """The visitor as a viewer of the tenant; it is not kept."""
    return Membership(tenant=row.tenant, user=user, role=Role.VIEWER)


@contextmanager
def read_only() -> Iterator[None]:
    """Statements that are no questions raise RoleNotAllowed, whoever sends them."""
    with connection.execute_wrapper(_refuse_writing):
        yield


def _refuse_writing(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    if sql.lstrip(" \n(").partition(" ")[0].upper() not in STATEMENTS:
        raise RoleNotAllowed("An operator who looks at a tenant's pages changes nothing.")
    return execute(sql, params, many, context)


def _current(request: HttpRequest, kept: object) -> Impersonation | None:
    user = request.user
    if not isinstance(user, User):
        return None
    return impersonation.current(kept, user, timezone.now())


def _over(request: HttpRequest) -> HttpResponse:
    """Time is up, or the operator is none any more: nothing of this request is done."""
    del request.session[SESSION_KEY]
    impersonation.end_overdue(timezone.now())
    messages.info(request, "Your visit to the tenant’s pages has ended.")
    return redirect("admin:accounts_tenant_changelist")


def _refuse_api() -> HttpResponse:
    error = {
        "message": "The management API is closed to a session that looks at a tenant's pages.",
        "type": "invalid_request_error",
        "param": None,
        "code": RoleNotAllowed.code,
    }
    return JsonResponse({"error": error}, status=403)


@receiver(user_logged_out)
def _logged_out(request: HttpRequest | None = None, **_: Any) -> None:
    row = of(request) if request else None
    if row:
        impersonation.end(row.pk, now=timezone.now(), by=impersonation.LOGOUT)
