"""`/dashboard/settings/`: the account's name, one's own login, and the end of the account."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import deletion, export, members, tenant_settings
from accounts.errors import RoleNotAllowed, Unavailable
from accounts.models import GatewayKey, Membership, ProviderKey, User
from accounts.roles import Right, has_right
from dashboard import weekly
from dashboard.decorators import TenantRequest
from dashboard.forms.settings import AccountForm, DeleteForm, MailsForm
from routing import content


def settings(request: TenantRequest) -> HttpResponse:
    """A POST changes the account's name and time zone."""
    may_manage = has_right(request.membership.role, Right.MANAGE_TENANT)
    its = tenant_settings.read(request.tenant.pk)
    given = {"name": request.tenant.name, "time_zone": its.time_zone}
    form = AccountForm(request.POST or None, initial=given)
    if request.method == "POST":
        if not may_manage:
            raise RoleNotAllowed
        if form.is_valid():
            members.rename(request.tenant, form.cleaned_data["name"], actor=request.actor)
            wish = {"time_zone": form.cleaned_data["time_zone"]}
            tenant_settings.change(request.tenant, wish, actor=request.actor)
            return redirect("settings")
    context = {
        "form": form if may_manage else None,
        "mails_form": MailsForm(initial={"weekly": weekly.is_wanted(request.membership)}),
        "may_export": may_manage,
        "its": its,
        "may_delete": has_right(request.membership.role, Right.OWN),
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/settings.html", context, status=status)


@require_POST
def end_sessions(request: TenantRequest) -> HttpResponse:
    """Every browser but this one is logged out."""
    user = cast("User", request.user)
    members.end_sessions(user)
    update_session_auth_hash(request, user)
    messages.success(request, "All other sessions have ended.")
    return redirect("settings")


@require_POST
def choose_mails(request: TenantRequest) -> HttpResponse:
    """Which mails this member gets from this tenant."""
    form = MailsForm(request.POST)
    form.is_valid()
    wanted = form.cleaned_data["weekly"]
    weekly.choose(request.membership, wanted=wanted, now=timezone.now())
    told = "You get the first report next Monday." if wanted else "You get no weekly report."
    messages.success(request, told)
    return redirect("settings")


@require_POST
def export_account(request: TenantRequest) -> HttpResponseBase:
    """Everything but secrets as one file, sent while it is read."""
    now = timezone.now()
    export.note(request.tenant, actor=request.actor)
    name = export.file_name(request.tenant, now)
    return StreamingHttpResponse(
        export.lines(request.tenant.pk, now=now),
        content_type=export.CONTENT_TYPE,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def delete_content(request: TenantRequest) -> HttpResponse:
    """Asks once; then everything that was kept of what was said is gone."""
    if request.method == "POST":
        try:
            gone = content.erase(request.tenant, actor=request.actor, now=timezone.now())
        except Unavailable as problem:
            messages.error(request, str(problem))
        else:
            told = (
                f"{gone.collected_calls:,} collected calls, {gone.cached_answers:,} cached answers,"
                f" {gone.samples:,} samples of experiments, {gone.comments:,} comments"
            )
            messages.success(request, f"All content is deleted: {told}.")
        return redirect("settings")
    return render(request, "dashboard/content_delete.html")


@sensitive_post_parameters("password")
def delete(request: TenantRequest) -> HttpResponse:
    """Asks once, for the name and the password; then nobody can call or log in any more."""
    user = cast("User", request.user)
    form = DeleteForm(request.tenant, user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        deletion.begin(request.tenant, actor=request.actor, now=timezone.now())
        logout(request)
        return render(request, "site/deleted.html", {"name": form.cleaned_data["name"]})
    tenant = request.tenant
    context = {
        "form": form,
        "keys": GatewayKey.objects.for_tenant(tenant).filter(revoked_at=None).count(),
        "provider_keys": ProviderKey.objects.for_tenant(tenant).count(),
        "people": Membership.objects.for_tenant(tenant).count(),
    }
    status = 422 if form.errors else 200
    return render(request, "dashboard/tenant_delete.html", context, status=status)
