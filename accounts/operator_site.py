"""`/admin/`: the operator's site. Operators only, with two-factor login, across all tenants."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.admin import ModelAdmin
from unfold.sites import UnfoldAdminSite

from accounts import audit
from accounts.audit import Actor
from accounts.models import User
from accounts.tenancy import system_scope

View = Callable[..., HttpResponseBase]

# Unfold's pages hold inline scripts and styles, and Alpine evaluates expressions; ours do neither.
_POLICY = {
    "default-src": [NONE],
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}


class OperatorSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold comes without types
    """Every view runs, and is rendered, in a scope that sees all tenants."""

    site_header = site_title = "flo2 operator"
    index_title = "Operator"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._pages: list[tuple[str, str, View]] = []

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        inner = super().admin_view(view, cacheable)

        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if elsewhere := _turned_away(request):
                return elsewhere
            with system_scope():
                response: HttpResponseBase = inner(request, *args, **kwargs)
                if isinstance(response, TemplateResponse):
                    response.render()  # its queries need the scope, too
            return response

        relaxed: View = csp(_POLICY)(run)
        return relaxed

    def get_urls(self) -> list[Any]:
        own = [path(place, self.admin_view(view), name=name) for place, name, view in self._pages]
        return [*own, *super().get_urls()]

    def page(self, place: str, name: str) -> Callable[[View], View]:
        """Adds a page that shows no table: at `/admin/<place>`, named `admin:<name>`."""

        def add(view: View) -> View:
            self._pages.append((place, name, view))
            return view

        return add

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one way to log in, with its rate limits and second step."""
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return redirect("account_change_password")


def _turned_away(request: HttpRequest) -> HttpResponse | None:
    """Where somebody goes who may not come in (yet). Raises Http404 for those who never may."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not (user.is_active and user.is_staff):
        raise Http404("There is nothing here.")
    if not settings.FLO2_DEMO and not is_mfa_enabled(user):
        return redirect("mfa_activate_totp")
    return None


site = OperatorSite(name="admin")


# The menu: groups of (title, URL name, icon).
_MENU: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Tenants": (
        ("Tenants", "admin:accounts_tenant_changelist", "apartment"),
        ("Users", "admin:accounts_user_changelist", "person"),
        ("Audit list", "admin:accounts_auditevent_changelist", "history"),
        ("Operators’ audit list", "admin:accounts_operatorevent_changelist", "policy"),
        ("Visits of operators", "admin:accounts_impersonation_changelist", "visibility"),
    ),
    "Installation": (
        ("Health", "admin:health", "monitor_heart"),
        ("Announcements", "admin:dashboard_announcement_changelist", "campaign"),
        ("Sign-up", "admin:signup", "person_add"),
    ),
    "Keys": (
        ("Gateway keys", "admin:accounts_gatewaykey_changelist", "key"),
        ("Provider keys", "admin:accounts_providerkey_changelist", "power"),
        ("Management keys", "admin:accounts_managementkey_changelist", "terminal"),
    ),
    "Catalogue": (
        ("Models", "admin:routing_operatormodel_changelist", "category"),
        ("Prices", "admin:billing_operatorprice_changelist", "sell"),
        ("Addresses", "admin:routing_operatorbaseurl_changelist", "link"),
    ),
}


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The site's menu, as unfold wants it."""
    return [
        {
            "title": group,
            "separator": True,
            "items": [
                {"title": title, "icon": icon, "link": reverse(name)} for title, name, icon in items
            ],
        }
        for group, items in _MENU.items()
    ]


def visit(request: HttpRequest) -> list[str] | None:
    """What the header says while the operator looks at a tenant's pages."""
    row = getattr(request, "impersonation", None)
    return [f"Looking at {row.tenant.name}, read only", "danger"] if row else None


class ReadOnly(ModelAdmin):  # type: ignore[misc]
    """Rows that the operator sees and does not touch."""

    compressed_fields = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_staff)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def actor_of(request: HttpRequest) -> Actor:
    """The operator, as the audit list of a tenant names them."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101  the site admits nobody else
    return audit.operator(user)
