"""The operator's list of tenants: what they use, and the way to suspend one.

It is here and not in `accounts`, because use is counted here.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from unfold.decorators import action
from unfold.decorators import display as labelled
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from accounts import impersonation, members
from accounts.models import GatewayKey, Tenant, User
from accounts.operator_site import ReadOnly, actor_of, site
from billing import money, tenant_use
from billing.tenant_use import TenantUse

_USE = "use_of_tenant"  # where a row keeps what was counted for it


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="The members of the tenant see it.",
    )


def _limit(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"{help_text} Empty: no limit.",
    )


class LimitsForm(forms.Form):
    most_keys = _limit("Gateway keys", "That work at a time; those beyond it go on working.")
    most_members = _limit("Members", "Open invitations included.")
    key_requests_per_minute = _limit(
        "Requests per minute", "Of each gateway key; a lower limit of the key's own holds."
    )


@admin.register(Tenant, site=site)
class TenantAdmin(ReadOnly):
    list_display = (
        "name", "standing", "created_at", "key_count", "calls_24h", "spend_24h", "spend_30d",
        "limits", "last_seen",
    )  # fmt: skip
    search_fields = ("name",)
    ordering = ("-created_at", "id")
    fields = (
        "name", "created_at", "suspended_at", "suspended_reason", "first_keys_shown_at",
        "key_count", "most_keys", "most_members", "key_requests_per_minute", "calls_24h",
        "spend_24h", "spend_30d", "last_seen",
    )  # fmt: skip
    actions_detail = ("look", "set_limits", "suspend", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        counted = GatewayKey.objects.filter(tenant=OuterRef("pk"), revoked_at=None).order_by()
        keys = counted.values("tenant").annotate(count=Count("pk")).values("count")
        found: QuerySet[Tenant] = super().get_queryset(request)
        return found.annotate(
            keys_in_force=Coalesce(Subquery(keys, output_field=IntegerField()), 0)
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page of the list, with the use of just these tenants."""
        page = super().get_changelist_instance(request)
        page.result_list = _with_use(list(page.result_list))
        return page

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        return _with_use([found])[0] if found else None

    @labelled(  # type: ignore[untyped-decorator]
        description="Standing", label={"active": "success", "suspended": "danger"}
    )
    def standing(self, tenant: Tenant) -> str:
        return "suspended" if tenant.is_suspended else "active"

    @admin.display(description="Keys", ordering="keys_in_force")
    def key_count(self, tenant: Tenant) -> int:
        return int(getattr(tenant, "keys_in_force", 0))

    @admin.display(description="Calls, 24 h")
    def calls_24h(self, tenant: Tenant) -> int:
        return _use(tenant).calls_24h

    @admin.display(description="Spend, 24 h")
    def spend_24h(self, tenant: Tenant) -> str:
        return _usd(_use(tenant).cost_24h)

    @admin.display(description="Spend, 30 d")
    def spend_30d(self, tenant: Tenant) -> str:
        return _usd(_use(tenant).cost_30d)

    @admin.display(description="Limits")
    def limits(self, tenant: Tenant) -> str:
        named = {
            "keys": tenant.most_keys,
            "members": tenant.most_members,
            "requests/min": tenant.key_requests_per_minute,
        }
        return ", ".join(f"{name} {most:,}" for name, most in named.items() if most) or "none"

    @admin.display(description="Last call")
    def last_seen(self, tenant: Tenant) -> date | None:
        return _use(tenant).last_day

    def has_act_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        return bool(request.user.is_staff)

    def has_suspend_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        return bool(request.user.is_staff) and not _is_suspended(object_id)

    def has_restore_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        return bool(request.user.is_staff) and _is_suspended(object_id)

    @action(  # type: ignore[untyped-decorator]
        description="Suspend", url_path="suspend", permissions=["suspend"], icon="block"
    )
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the reason, then refuses the tenant's calls from the next second on."""
        tenant = get_object_or_404(Tenant, pk=object_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            members.suspend(tenant, reason=reason, actor=actor_of(request), now=timezone.now())
            messages.success(request, f"{tenant.name} is suspended: its calls are refused.")
            return redirect("admin:accounts_tenant_change", object_id)
        return self._ask(request, tenant, "admin/tenant_suspend.html", form)

    @action(  # type: ignore[untyped-decorator]
        description="Restore", url_path="restore", permissions=["restore"], icon="undo"
    )
    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the reason, then lets the tenant call again."""
        tenant = get_object_or_404(Tenant, pk=object_id)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            members.restore(tenant, reason=form.cleaned_data["reason"], actor=actor_of(request))
            messages.success(request, f"{tenant.name} may call again.")
            return redirect("admin:accounts_tenant_change", object_id)
        return self._ask(request, tenant, "admin/tenant_restore.html", form)

    @action(  # type: ignore[untyped-decorator]
        description="Limits", url_path="limits", permissions=["act"], icon="speed"
    )
    def set_limits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The operator's limits on keys, members and rates."""
        tenant = get_object_or_404(Tenant, pk=object_id)
        names = list(LimitsForm.base_fields)
        given = {name: getattr(tenant, name) for name in names}
        form = LimitsForm(request.POST if request.method == "POST" else None, initial=given)
        if request.method == "POST" and form.is_valid():
            members.set_limits(tenant, form.cleaned_data, actor=actor_of(request))
            messages.success(request, f"The limits of {tenant.name} hold from now on.")
            return redirect("admin:accounts_tenant_change", object_id)
        return self._ask(request, tenant, "admin/tenant_limits.html", form)

    @action(  # type: ignore[untyped-decorator]
        description="Look at its pages", url_path="look", permissions=["act"], icon="visibility"
    )
    def look(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the reason, then shows the tenant's pages as a viewer sees them, read only."""
        tenant = get_object_or_404(Tenant, pk=object_id, deleting_since=None)
        form = ReasonForm(request.POST or None)
        operator = request.user
        if request.method == "POST" and form.is_valid() and isinstance(operator, User):
            reason, now = form.cleaned_data["reason"], timezone.now()
            visit = impersonation.start(tenant, operator=operator, reason=reason, now=now)
            request.session[impersonation.SESSION_KEY] = str(visit.pk)
            return redirect("overview")
        return self._ask(request, tenant, "admin/tenant_look.html", form)

    def _ask(
        self, request: HttpRequest, tenant: Tenant, template: str, form: Any = None
    ) -> HttpResponse:
        shared = {"opts": self.opts, "tenant": tenant, "form": form, "title": tenant.name}
        return render(request, template, {**self.admin_site.each_context(request), **shared})


@site.page("impersonation/end/", "impersonation_end")
def end_look(request: HttpRequest) -> HttpResponse:
    """Back to the operator's own eyes."""
    kept = request.session.pop(impersonation.SESSION_KEY, None)
    visit = getattr(request, "impersonation", None)
    if request.method == "POST" and visit:
        impersonation.end(visit.pk, now=timezone.now(), by=impersonation.BUTTON)
        messages.success(request, f"You no longer look at the pages of {visit.tenant.name}.")
    elif kept:
        request.session[impersonation.SESSION_KEY] = kept
    return redirect("admin:accounts_tenant_changelist")


def _with_use(tenants: list[Tenant]) -> list[Tenant]:
    uses = tenant_use.of_tenants([tenant.pk for tenant in tenants], now=timezone.now())
    for tenant in tenants:
        setattr(tenant, _USE, uses[tenant.pk])
    return tenants


def _use(tenant: Tenant) -> TenantUse:
    use: TenantUse = getattr(tenant, _USE, tenant_use.UNUSED)
    return use


def _is_suspended(object_id: str) -> bool:
    return Tenant.objects.filter(pk=object_id).exclude(suspended_at=None).exists()


def _usd(amount: Decimal) -> str:
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${money.plain(round(amount, 6))}"
