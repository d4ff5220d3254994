"""`/dashboard/team/`: who belongs to the tenant, as what; invitations; and how to part."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts import ids, invitations, members
from accounts.errors import Conflict, InvalidRequest, NotFound, RoleNotAllowed
from accounts.invitations import Invited
from accounts.models import Invitation, Membership
from accounts.roles import Right, Role, has_right
from accounts.tenancy import tenant_scope
from dashboard import mails, saved_views, snippets, weekly
from dashboard.decorators import TenantRequest
from dashboard.forms.team import MAY, InviteForm, RoleForm


def team(request: TenantRequest) -> HttpResponse:
    """The members and open invitations; a POST invites somebody."""
    if request.method == "POST":
        return _invite(request)
    with tenant_scope(request.tenant.pk):
        return _list(request)


def role(request: TenantRequest, member: str) -> HttpResponse:
    row = _find(request, member)
    form = RoleForm(request.POST or None, initial={"role": row.role})
    if request.method == "POST" and form.is_valid():
        try:
            members.change_role(row, role=form.cleaned_data["role"], actor=request.actor)
        except Conflict as problem:
            form.add_error(None, str(problem))
        else:
            return redirect("team")
    status = 422 if form.errors else 200
    return render(request, "dashboard/team_role.html", {"one": row, "form": form}, status=status)


def transfer(request: TenantRequest, member: str) -> HttpResponse:
    """Asks once, then makes another member the owner."""
    row = _find(request, member)
    if request.method == "POST":
        try:
            members.transfer(request.tenant, to=row, actor=request.actor)
        except Conflict as problem:
            messages.error(request, str(problem))
        return redirect("team")
    return _ask(request, "transfer", one=row)


def remove(request: TenantRequest, member: str) -> HttpResponse:
    row = _find(request, member)
    if request.method == "POST":
        try:
            members.remove(row, actor=request.actor)
            _forget(row)
        except Conflict as problem:
            messages.error(request, str(problem))
        return redirect("team")
    return _ask(request, "remove", one=row)


def leave(request: TenantRequest) -> HttpResponse:
    if request.method == "POST":
        try:
            members.remove(request.membership, actor=request.actor)
            _forget(request.membership)
        except Conflict as problem:
            messages.error(request, str(problem))
            return redirect("team")
        return redirect("overview")
    return _ask(request, "leave")


def withdraw(request: TenantRequest, invitation: str) -> HttpResponse:
    rows = Invitation.objects.for_tenant(request.tenant).select_related("tenant")
    row = rows.named("invitation", pk=_id("inv", invitation, "invitation"))
    if request.method == "POST":
        invitations.withdraw(row, actor=request.actor)
        return redirect("team")
    return _ask(request, "withdraw", invitation=row)


def _invite(request: TenantRequest) -> HttpResponse:
    if not has_right(request.membership.role, Right.MANAGE_PEOPLE):
        raise RoleNotAllowed
    form, now = InviteForm(request.POST), timezone.now()
    invited: Invited | None = None
    if form.is_valid():
        try:
            with tenant_scope(request.tenant.pk):
                invited = invitations.invite(
                    request.tenant, **form.cleaned_data, actor=request.actor, now=now
                )
        except (Conflict, InvalidRequest) as problem:
            form.add_error("email", str(problem))
    if invited is None:
        with tenant_scope(request.tenant.pk):
            return _list(request, form)
    return _invited(request, invited)


def _invited(request: TenantRequest, invited: Invited) -> HttpResponse:
    """Mail the link; where that cannot be, show it, this once."""
    record = invited.record
    url = snippets.base_url(request) + reverse("invitation", args=[invited.token])
    context = {
        "inviter": request.actor.name,
        "tenant": request.tenant.name,
        "role": record.get_role_display().lower(),
        "may": MAY[Role(record.role)],
        "url": url,
    }
    subject = f"{request.actor.name} invites you to {request.tenant.name}"
    if mails.send("invitation", to=record.email, subject=subject, context=context):
        messages.success(request, f"The invitation was sent to {record.email}.")
        return redirect("team")
    response = render(
        request,
        "dashboard/team_invited.html",
        {"invitation": record, "url": url, "is_broken": mails.can_send()},
    )
    response["Cache-Control"] = "no-store"
    return response


def _list(request: TenantRequest, form: InviteForm | None = None) -> HttpResponse:
    may_manage = has_right(request.membership.role, Right.MANAGE_PEOPLE)
    context = {
        "now": timezone.now(),
        "people": [(one, MAY[Role(one.role)]) for one in members.of_tenant(request.tenant)],
        "may_manage": may_manage,
        "may_transfer": has_right(request.membership.role, Right.OWN),
        "form": (form or InviteForm()) if may_manage else None,
    }
    if may_manage:
        rows = Invitation.objects.for_tenant(request.tenant).select_related("invited_by")
        context["invitations"] = list(rows)
    return render(request, "dashboard/team.html", context, status=422 if form else 200)


def _ask(
    request: TenantRequest,
    act: str,
    *,
    one: Membership | None = None,
    invitation: Invitation | None = None,
) -> HttpResponse:
    context = {"act": act, "one": one, "invitation": invitation}
    return render(request, "dashboard/team_ask.html", context)


def _forget(membership: Membership) -> None:
    """What was theirs alone in this tenant."""
    saved_views.forget(membership)
    weekly.choose(membership, wanted=False, now=timezone.now())


def _find(request: TenantRequest, member: str) -> Membership:
    rows = Membership.objects.for_tenant(request.tenant).select_related("user", "tenant")
    return rows.named("member", pk=_id("mem", member, "member"))


def _id(prefix: str, text: str, kind: str) -> UUID:
    try:
        return ids.read(prefix, text)
    except ids.InvalidId:
        raise NotFound(kind=kind) from None
