"""`/docs/`: how to call the gateway, with the reader's own base URL filled in."""

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts import members
from accounts.models import GatewayKey
from accounts.roles import Right, has_right
from accounts.tenancy import tenant_scope
from dashboard import snippets
from dashboard.client_programs import PROGRAMS
from dashboard.decorators import TENANT
from dashboard.error_codes import ERROR_CODES
from routing.simulation import FAULTS


@dataclass(frozen=True)
class Topic:
    slug: str
    title: str
    summary: str


TOPICS = (
    Topic("quickstart", "Quick start", "A first call with curl, Python or JavaScript."),
    Topic("clients", "Clients", "SDKs, frameworks and coding agents: a base URL and a key."),
    Topic("models", "Model names", "auto, pinned names, families, and how fallback works."),
    Topic("policies", "Policies", "Who may answer, in which order; tried before they are saved."),
    Topic("options", "Request options", "What a request can ask of the gateway itself."),
    Topic("budgets", "Budgets and limits", "Hard and soft budgets, rates, what a caller is told."),
    Topic("experiments", "Experiments", "Two ways to answer, compared by a blind judge."),
    Topic("cache", "Response cache", "The same request again, at once and at no cost; opt-in."),
    Topic("training-data", "Training data", "Calls collected, to fine-tune models on; opt-in."),
    Topic("headers", "Response headers", "Who answered, why, what it cost, how long it took."),
    Topic("testing", "Test mode", "A sandbox on this machine, and outages to rehearse."),
    Topic("errors", "Errors", "Every error code: what it means and what to do."),
)


@require_GET
def index(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/index.html", _context(request))


@require_GET
def topic(request: HttpRequest, slug: str) -> HttpResponse:
    found = next((one for one in TOPICS if one.slug == slug), None)
    if found is None:
        raise Http404("There is no such page of documentation.")
    return render(request, f"docs/{found.slug}.html", {**_context(request), "topic": found})


def _context(request: HttpRequest) -> dict[str, object]:
    base, key = snippets.base_url(request), _newest_key(request)
    return {
        "topics": TOPICS,
        "base": base,
        "key": key,
        "programs": [program.at(base) for program in PROGRAMS],
        "quick_starts": snippets.quick_starts(base),
        "export": snippets.export(f"{key.shown.partition('…')[0]}…" if key else "flo2_test_…"),
        "curl": snippets.curl(base),
        "rehearsal": snippets.rehearsal(base),
        "training_export": snippets.training_export(base),
        "error_codes": ERROR_CODES,
        "faults": sorted(FAULTS),
    }


def _newest_key(request: HttpRequest) -> GatewayKey | None:
    """The reader's newest gateway key, of which the pages show the beginning and the end."""
    if not request.user.is_authenticated:
        return None
    membership = members.current(request.user, request.session.get(TENANT))
    if membership is None or not has_right(membership.role, Right.MANAGE_KEYS):
        return None
    with tenant_scope(membership.tenant_id):
        keys = GatewayKey.objects.for_tenant(membership.tenant_id).filter(revoked_at=None)
        return keys.first()
