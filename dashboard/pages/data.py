"""`/dashboard/data/`: training data: what is collected, a look at it, its export and its end."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import ids, tenant_settings
from accounts.errors import InvalidRequest, NotFound, RoleNotAllowed
from accounts.models import GatewayKey, Project
from accounts.models.gateway_key import Mode
from accounts.roles import Right, has_right
from accounts.tenant_settings import Settings
from dashboard.decorators import TenantRequest
from dashboard.forms.data import LookForm, TermsForm
from routing import policies
from routing.models import CollectedCall
from routing.training_data import exporting, rows, terms
from routing.training_data.rows import SHARE_BYTES, Holdings

ROWS = 25
PREVIEW = 160  # characters of what was said


@dataclass(frozen=True)
class Line:
    """A collected call in the list: the last words of the user, and the first of the reply."""

    row: CollectedCall
    asked: str
    answered: str
    score: float | None


@dataclass(frozen=True)
class Said:
    """A message as people read it."""

    role: str
    text: str
    calls: tuple[dict[str, Any], ...] = ()
    answers: str = ""  # the id of the call that it is the result of


@dataclass(frozen=True)
class Names:
    """What forms offer."""

    projects: list[Project]
    keys: list[GatewayKey]
    policies: list[str]


def data(request: TenantRequest) -> HttpResponse:
    """A POST switches collecting on or off, or changes what is collected."""
    its, names = tenant_settings.read(request.tenant.pk), _names(request)
    post = request.POST if request.method == "POST" else None
    form = _terms_form(its, names, post if post and post.get("do") != "off" else None)
    if post is not None:
        if not _may(request):
            raise RoleNotAllowed
        if _changed(request, form):
            return redirect("data")
    look = LookForm(request.GET, projects=names.projects, keys=names.keys, policies=names.policies)
    context = {
        **_shown(request, its, look),
        "its": its,
        "form": form if _may(request) else None,
        "look": look,
        "is_narrow": its.collect != "{}",
        "share_bytes": SHARE_BYTES,
    }
    return render(request, "dashboard/data.html", context, status=422 if form.errors else 200)


@require_GET
def export(request: TenantRequest) -> HttpResponseBase:
    """What the filters of the page let through, as JSON lines."""
    names = _names(request)
    look = LookForm(request.GET, projects=names.projects, keys=names.keys, policies=names.policies)
    return exporting.answer(request.tenant, look.wanted(request.mode), timezone.now())


def delete(request: TenantRequest) -> HttpResponse:
    """Asks once; then all of it is gone, live and test."""
    now = timezone.now()
    if request.method == "POST":
        gone = rows.erase(request.tenant, actor=request.actor, now=now)
        messages.success(request, f"Deleted: {gone:,} collected calls.")
        return redirect("data")
    its = tenant_settings.read(request.tenant.pk)
    held = {mode: _held(request, its, mode, now) for mode in Mode.values}
    context = {
        "calls": sum(one.calls for one in held.values()),
        "size": sum(one.size for one in held.values()),
        "is_on": its.store_content,
    }
    return render(request, "dashboard/data_delete.html", context)


def collected(request: TenantRequest, call: str) -> HttpResponse:
    """One collected call in full; a POST deletes it."""
    tenant, its = request.tenant, tenant_settings.read(request.tenant.pk)
    row = rows.find(tenant.pk, _id(call), since=rows.kept_since(its, timezone.now()))
    if request.method == "POST":
        rows.erase_one(row)
        messages.success(request, "Deleted. The call itself stays on the books.")
        return redirect("data")
    lines = [line for _, line in rows.opened(tenant, [row])]
    example = json.loads(lines[0]) if lines else {}
    context = {
        "row": row,
        "said": list(_said(example)),
        "tools": example.get("tools", ()),
        "line": json.dumps(example, indent=2, ensure_ascii=False),
        "opens": bool(lines),
        "score": rows.scores_of(tenant.pk, [row]).get(row.pk),
        "expires_at": row.created_at + timedelta(days=its.retention_days),
    }
    return render(request, "dashboard/data_call.html", context)


def _may(request: TenantRequest) -> bool:
    """Whether somebody may see and change content."""
    return has_right(request.membership.role, Right.MANAGE_TENANT)


def _names(request: TenantRequest) -> Names:
    return Names(
        list(Project.objects.for_tenant(request.tenant).order_by("name", "id")),
        list(GatewayKey.objects.for_tenant(request.tenant)),
        [policy.name for policy in policies.listed(request.tenant)],
    )


def _terms_form(its: Settings, names: Names, post: Any) -> TermsForm:
    return TermsForm(
        its, projects=names.projects, keys=names.keys, policies=names.policies, data=post
    )


def _changed(request: TenantRequest, form: TermsForm) -> bool:
    """Do what the form says; False if it cannot be done, and says why."""
    wishes: dict[str, Any] = {"store_content": False}
    if request.POST.get("do") != "off":
        if not form.is_valid():
            return False
        wishes = form.wishes()
        if request.POST.get("do") == "on":
            wishes["store_content"] = True
    try:
        now_on = terms.change(
            request.tenant, wishes, actor=request.actor, now=timezone.now()
        ).store_content
    except InvalidRequest as problem:
        form.add_error(None, str(problem))
        return False
    told = {
        "on": "Collecting is on: calls that begin from now on are kept.",
        "off": "Collecting is off. What is there stays until you delete it or its time is up.",
    }
    saved = "Saved." if now_on else "Saved. Collecting is still off."
    messages.success(request, told.get(request.POST.get("do", ""), saved))
    return True


def _shown(request: TenantRequest, its: Settings, look: LookForm) -> dict[str, Any]:
    """How much there is; and the calls themselves, for those who may see them."""
    now, tenant = timezone.now(), request.tenant
    held = _held(request, its, request.mode, now)
    wanted = look.wanted(request.mode)
    if not (_may(request) and held.calls):
        return {"held": held, "lines": [], "may_see": _may(request)}
    cursor = request.GET.get("cursor", "")
    found = rows.of(tenant.pk, wanted, since=rows.kept_since(its, now))
    some, more = rows.page(found, before=_id(cursor) if cursor else None, limit=ROWS)
    scores = rows.scores_of(tenant.pk, some)
    lines = [_line(row, line, scores.get(row.pk)) for row, line in rows.opened(tenant, some)]
    following = ids.show("call", some[-1].pk) if more else ""
    return {"held": held, "lines": lines, "may_see": True, "next": following, "cursor": cursor}


def _held(request: TenantRequest, its: Settings, mode: str, now: datetime) -> Holdings:
    return rows.holdings(request.tenant.pk, mode=mode, since=rows.kept_since(its, now))


def _line(row: CollectedCall, line: bytes, score: float | None) -> Line:
    said = list(_said(json.loads(line)))
    asked = next((one.text for one in reversed(said) if one.role == "user" and one.text), "")
    reply = said[-1]
    called = ", ".join(f"{call['name']}()" for call in reply.calls)
    return Line(row, _short(asked), _short(reply.text or called), score)


def _said(example: dict[str, Any]) -> Iterator[Said]:
    for message in example.get("messages", ()):
        called = message.get("tool_calls", ())
        calls = tuple({**call["function"], "id": call["id"]} for call in called)
        yield Said(
            message["role"],
            _text(message.get("content")),
            calls,
            message.get("tool_call_id", ""),
        )


def _text(content: Any) -> str:
    """A content as text; pictures and files are named."""
    if not isinstance(content, list):
        return str(content or "")
    return "\n\n".join(part.get("text") or f"({part.get('type')})" for part in content)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]}…"


def _id(text: str) -> UUID:
    try:
        return ids.read("call", text)
    except ids.InvalidId:
        raise NotFound(kind="collected call") from None
