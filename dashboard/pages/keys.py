"""`/dashboard/keys/`: gateway keys, and the management keys of admins."""

from datetime import datetime, timedelta

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import gateway_keys, ids
from accounts.errors import Conflict, InvalidRequest, NotFound
from accounts.models import GatewayKey, ManagementKey, Project
from accounts.roles import Right, has_right
from accounts.secret import Secret
from billing import key_use
from dashboard import snippets
from dashboard.decorators import TenantRequest
from dashboard.forms.keys import NewKeyForm, NewManagementKeyForm, RollForm
from routing import policies


def keys(request: TenantRequest) -> HttpResponse:
    """The list; a POST makes a key and shows its text, this once."""
    if request.method == "POST":
        return _create(request)
    return _list(request, timezone.now())


def revoke(request: TenantRequest, key: str) -> HttpResponse:
    """Asks once, then ends the key."""
    row, now = _find(request, key), timezone.now()
    if request.method == "POST":
        gateway_keys.revoke(row, actor=request.actor, now=now)
        return redirect("keys")
    use = key_use.of_keys(request.tenant.pk, now=now).get(row.pk, key_use.UNUSED)
    context = {"key": row, "use": use, "now": now}
    return render(request, "dashboard/key_revoke.html", context)


def roll(request: TenantRequest, key: str) -> HttpResponse:
    """A new key on the same terms; the old one goes on for a while."""
    row, now = _find(request, key), timezone.now()
    form = RollForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            issued = gateway_keys.roll(row, overlap=form.length, actor=request.actor, now=now)
        except Conflict as problem:
            form.add_error(None, str(problem))
        else:
            return _issued(request, issued.text, issued.record)
    return render(request, "dashboard/key_roll.html", {"key": row, "form": form})


def create_management_key(request: TenantRequest) -> HttpResponse:
    if request.method != "POST":
        return redirect("keys")
    form = NewManagementKeyForm(request.POST)
    if not form.is_valid():
        return _list(request, timezone.now(), management_form=form)
    name = form.cleaned_data["name"]
    text = gateway_keys.issue_management_key(request.tenant, name=name, actor=request.actor)
    return _issued(request, text)


def revoke_management_key(request: TenantRequest, key: str) -> HttpResponse:
    rows = ManagementKey.objects.for_tenant(request.tenant).select_related("tenant")
    row = rows.named("management key", pk=_id(key))
    if request.method == "POST":
        gateway_keys.revoke(row, actor=request.actor, now=timezone.now())
        return redirect("keys")
    return render(request, "dashboard/management_key_revoke.html", {"key": row})


def _create(request: TenantRequest) -> HttpResponse:
    now = timezone.now()
    form = NewKeyForm(_projects(request), policies=_policies(request), now=now, data=request.POST)
    if form.is_valid():
        try:
            issued = gateway_keys.issue(request.tenant, form.terms(), actor=request.actor)
        except InvalidRequest as problem:
            form.add_error(problem.param if problem.param in form.fields else None, str(problem))
        else:
            return _issued(request, issued.text, issued.record)
    return _list(request, now, form=form)


def _list(
    request: TenantRequest,
    now: datetime,
    *,
    form: NewKeyForm | None = None,
    management_form: NewManagementKeyForm | None = None,
) -> HttpResponse:
    rows = list(GatewayKey.objects.for_tenant(request.tenant).select_related("project"))
    uses = key_use.of_keys(request.tenant.pk, now=now)
    listed = [(key, uses.get(key.pk, key_use.UNUSED)) for key in rows]
    context = {
        "now": now,
        "looked_back_to": now - timedelta(days=key_use.LOOK_BACK_DAYS),
        "keys": [item for item in listed if _works(item[0], now)],
        "ended_keys": [item for item in listed if not _works(item[0], now)],
        "form": form or NewKeyForm(_projects(request), policies=_policies(request), now=now),
    }
    if has_right(request.membership.role, Right.MANAGE_TENANT):
        management = ManagementKey.objects.for_tenant(request.tenant).filter(revoked_at=None)
        context["management_keys"] = list(management)
        context["management_form"] = management_form or NewManagementKeyForm()
    status = 422 if (form or management_form) else 200
    return render(request, "dashboard/keys.html", context, status=status)


def _works(key: GatewayKey, now: datetime) -> bool:
    return not key.is_revoked and (key.expires_at is None or key.expires_at > now)


def _issued(request: TenantRequest, text: Secret, key: GatewayKey | None = None) -> HttpResponse:
    """The one answer that holds the key's text; nobody may keep a copy of it on the way."""
    base = snippets.base_url(request)
    shown = text.reveal()
    context = {"text": shown, "key": key, "curl": snippets.curl(base, key=shown), "base": base}
    response = render(request, "dashboard/key_issued.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _projects(request: TenantRequest) -> list[Project]:
    return list(Project.objects.for_tenant(request.tenant))


def _policies(request: TenantRequest) -> list[str]:
    return list(policies.listed(request.tenant).values_list("name", flat=True))


def _find(request: TenantRequest, key: str) -> GatewayKey:
    rows = GatewayKey.objects.for_tenant(request.tenant).select_related("tenant", "project")
    return rows.named("gateway key", pk=_id(key))


def _id(text: str) -> object:
    try:
        return ids.read("key", text)
    except ids.InvalidId:
        raise NotFound(kind="key") from None
