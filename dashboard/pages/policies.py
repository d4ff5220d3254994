"""`/dashboard/policies/`: how calls are routed; tried and replayed before they are saved."""

import difflib
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import whole_numbers
from accounts.errors import Conflict, GatewayError, NotFound, RoleNotAllowed
from accounts.models import GatewayKey
from accounts.roles import Right, has_right
from accounts.whole_numbers import NotAWholeNumber
from dashboard.decorators import TenantRequest
from dashboard.forms.policies import (
    JsonForm,
    NameForm,
    PolicyForm,
    TryForm,
    initial_of,
    shown,
)
from routing import dry_run, labels, policies, policy_terms, replay
from routing.dry_run import Desk
from routing.models import Policy, PolicyVersion
from routing.policy_terms import PolicyInForce, Terms, WrongFields

EXAMPLE = {"strategy": "balanced", "quality": 5}
MOST_VERSIONS = 2**31 - 1
MOST_SHOWN = 60  # excluded candidates
TAKEN = "There is a policy of this name already. Change that one, or choose another name."


@dataclass
class Desktop:
    """What stands on the page of one policy: the draft, and what was found out about it."""

    policy: Policy | None
    document: Any
    name: str = ""
    name_form: NameForm | None = None
    form: PolicyForm | None = None
    json_form: JsonForm | None = None
    try_form: TryForm = field(default_factory=TryForm)
    found: dict[str, Any] = field(default_factory=dict)
    status: int = 200


@require_safe
def policies_page(request: TenantRequest) -> HttpResponse:
    """Every policy with the keys that have it."""
    rows = policies.in_force(request.tenant)
    by_policy: dict[str, list[str]] = {}
    keys = GatewayKey.objects.for_tenant(request.tenant).filter(revoked_at=None)
    for name, key in keys.exclude(policy="").values_list("policy", "name"):
        by_policy.setdefault(name, []).append(key)
    listed = [
        (row, policy_terms.read(row.document), by_policy.get(row.policy.name, [])) for row in rows
    ]
    context = {
        "policies": listed,
        "can_edit": _can_edit(request),
        "default": policies.DEFAULT,
        "learned": labels.told(request.tenant.pk, request.mode, timezone.now()),
    }
    return render(request, "dashboard/policies.html", context)


def new(request: TenantRequest) -> HttpResponse:
    """A form with an example to begin with."""
    desktop = Desktop(policy=None, document=EXAMPLE, name_form=NameForm(request.POST or None))
    return _answer(request, desktop)


def policy(request: TenantRequest, name: str) -> HttpResponse:
    """One policy: the form and JSON side by side, dry run, replay, versions."""
    row = policies.find(request.tenant, name)
    if request.method == "POST" and "roll_back" in request.POST:
        return _roll_back(request, name, request.POST["roll_back"])
    current = policies.version(row)
    return _answer(request, Desktop(policy=row, document=current.document, name=name))


def delete(request: TenantRequest, name: str) -> HttpResponse:
    """Asks once. A policy that keys have cannot be deleted."""
    row, now = policies.find(request.tenant, name), timezone.now()
    if request.method == "POST":
        try:
            policies.delete(request.tenant, name, actor=request.actor, now=now)
        except Conflict as problem:
            messages.error(request, str(problem))
            return redirect("policy", name)
        return redirect("policies")
    keys = policies.keys_with(request.tenant, name, now)
    return render(request, "dashboard/policy_delete.html", {"policy": row, "keys": keys})


def _answer(request: TenantRequest, desktop: Desktop) -> HttpResponse:
    if request.method == "POST" and (saved := _act(request, desktop)):
        return saved
    return _page(request, desktop)


def _act(request: TenantRequest, desktop: Desktop) -> HttpResponse | None:
    """Try, replay or save the draft of the form or of the JSON; None shows the page again."""
    action, _, source = request.POST.get("do", "").partition(":")
    terms = _read_draft(request, desktop, source)
    desktop.try_form = TryForm(request.POST)
    if desktop.name_form is not None:
        desktop.name_form = NameForm(request.POST)
        named = desktop.name_form.is_valid()
        desktop.name = desktop.name_form.cleaned_data.get("name", "")
        if action == "save" and named and policies.exists(request.tenant, desktop.name):
            desktop.name_form.add_error("name", TAKEN)
            named = False
        if action == "save" and not named:
            terms = None
    if terms is None:
        desktop.status = 422
        return None
    if action == "save":
        return _save(request, desktop)
    if not desktop.try_form.is_valid():
        desktop.status = 422
    elif has_right(request.membership.role, Right.CALL):
        _find_out(request, desktop, terms, action)
    else:
        raise RoleNotAllowed
    return None


def _read_draft(request: TenantRequest, desktop: Desktop, source: str) -> Terms | None:
    """The terms of the draft; both ways in then show it. None where it has problems."""
    written: PolicyForm | JsonForm
    written = JsonForm(request.POST) if source == "json" else PolicyForm(request.POST)
    terms = None
    if written.is_valid():
        document = written.said()
        try:
            terms = policy_terms.read(document)
        except WrongFields as wrong:
            written.add_problems(wrong.by_field)
        else:
            desktop.document = document
    if terms is None:  # what was written stands there again, with what is wrong
        desktop.form = written if isinstance(written, PolicyForm) else None
        desktop.json_form = written if isinstance(written, JsonForm) else None
    return terms


def _save(request: TenantRequest, desktop: Desktop) -> HttpResponse | None:
    _must_edit(request)
    try:
        saved = policies.save(request.tenant, desktop.name, desktop.document, actor=request.actor)
    except Conflict as problem:
        messages.error(request, str(problem))
        return None
    messages.success(request, f"{desktop.name} version {saved.version.number} is in force.")
    return redirect("policy", desktop.name)


def _roll_back(request: TenantRequest, name: str, version: str) -> HttpResponse:
    _must_edit(request)
    try:
        number = whole_numbers.read(version, least=1, most=MOST_VERSIONS)
    except NotAWholeNumber:
        raise NotFound(kind="version of this policy") from None
    saved = policies.roll_back(request.tenant, name, number, actor=request.actor)
    messages.success(
        request, f"Version {saved.version.number} is in force: version {number} once more."
    )
    return redirect("policy", name)


def _find_out(request: TenantRequest, desktop: Desktop, terms: Terms, action: str) -> None:
    """The plan of a request by the draft, or what the last days would have been."""
    wishes = desktop.try_form.cleaned_data
    desk = Desk(request.tenant.pk, mode=request.mode, now=timezone.now())
    number = desktop.policy.version if desktop.policy else 0
    draft = PolicyInForce(desktop.name or "draft", number, terms)
    if action == "replay":
        found = replay.of_policy(desk, draft.name, draft, days=wishes["days"])
        desktop.found = {"replay": found}
        return
    asked = dry_run.request(
        wishes["model"] or "auto",
        input_tokens=wishes["input_tokens"],
        max_tokens=wishes["max_tokens"],
        needs=frozenset(wishes["needs"]),
    )
    try:
        plan = desk.explained(asked, draft)
    except GatewayError as problem:
        desktop.try_form.add_error("model", str(problem))
        desktop.status = 422
        return
    desktop.found = {
        "plan": plan,
        "excluded": plan["excluded"][:MOST_SHOWN],
        "more_excluded": max(0, len(plan["excluded"]) - MOST_SHOWN),
    }


def _page(request: TenantRequest, desktop: Desktop) -> HttpResponse:
    document = desktop.document
    context: dict[str, Any] = {
        "policy": desktop.policy,
        "name_form": desktop.name_form,
        "form": desktop.form or PolicyForm(initial=initial_of(document)),
        "json_form": desktop.json_form or JsonForm(initial={"document": shown(document)}),
        "try_form": desktop.try_form,
        "can_edit": _can_edit(request),
        "can_try": has_right(request.membership.role, Right.CALL),
        "default": policies.DEFAULT,
        "is_draft": request.method == "POST",
        **desktop.found,
    }
    if desktop.policy:
        desk = Desk(request.tenant.pk, mode=request.mode, now=timezone.now())
        versions = policies.versions(desktop.policy)
        context["versions"] = versions
        context["warnings"] = desk.warnings(policy_terms.read(document))
        context |= _comparison(versions, request.GET.get("compare", ""))
    return render(request, "dashboard/policy.html", context, status=desktop.status)


def _comparison(versions: list[PolicyVersion], number: str) -> dict[str, Any]:
    """What the version in force says otherwise than an earlier one, line by line."""
    old = next((row for row in versions if str(row.number) == number), None)
    if old is None:
        return {}
    before, after = (shown(row.document).splitlines() for row in (old, versions[0]))
    lines = [line for line in difflib.ndiff(before, after) if not line.startswith("?")]
    return {"compared": old, "diff": [(line[0], line[2:]) for line in lines]}


def _can_edit(request: TenantRequest) -> bool:
    return has_right(request.membership.role, Right.MANAGE_ROUTING)


def _must_edit(request: TenantRequest) -> None:
    if not _can_edit(request):
        raise RoleNotAllowed
