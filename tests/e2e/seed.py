"""`python -m tests.e2e.seed`: a month of calls for the demo tenant, so that pages show something.

Runs beside a gateway that was started with `up --demo`, on the same data directory. Chance is
seeded: two runs draw the same month, ending now.
"""

import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
django.setup()

from django.utils import timezone  # noqa: E402  after Django is set up

from accounts import audit, gateway_keys, invitations, members, provider_keys  # noqa: E402
from accounts.gateway_keys import KeyTerms  # noqa: E402
from accounts.models import GatewayKey, Membership, Project, Tenant, User  # noqa: E402
from accounts.models.provider_key import KeyStatus  # noqa: E402
from accounts.roles import Role  # noqa: E402
from accounts.secret import Secret  # noqa: E402
from accounts.tenancy import tenant_scope  # noqa: E402
from billing import books, pricing, rollups  # noqa: E402
from billing.facts import AttemptEnded, Fact  # noqa: E402
from billing.usage import Usage  # noqa: E402
from dashboard.models import Announcement, SavedView  # noqa: E402
from gateway_project import demo  # noqa: E402
from routing.providers import prices  # noqa: E402
from tests.factories.billing import AttemptEndedFactory, failed, story  # noqa: E402
from tests.factories.training import collect_call  # noqa: E402

DAYS = 30
COLLECTED = 40  # calls, as training data
PLACES = (
    ("groq", "llama-3.3-70b-versatile", 30),
    ("groq", "openai/gpt-oss-120b", 12),
    ("cerebras", "gpt-oss-120b", 22),
    ("openai", "gpt-4.1-mini", 18),
    ("openai", "gpt-5", 4),
    ("openrouter", "deepseek/deepseek-chat", 8),
)
PROJECTS = ("support-bot", "search", "nightly-eval")
PEOPLE = (("ada@example.org", Role.ADMIN), ("linus@example.org", Role.MEMBER))
NEWS = "Maintenance on Sunday from 06:00 to 06:30 UTC: calls go on, pages may be slow."
VIEWS = (
    ("Groq, answered", "mode=live&status=succeeded&provider=groq", "own"),
    ("Failed in support-bot", "mode=live&status=failed&project=support-bot", "shared"),
)
FAULTS = (("rate_limit", 429), ("overloaded", 503), ("timeout", None), ("server", 500))


@dataclass(frozen=True)
class World:
    tenant: Tenant
    projects: list[UUID]
    keys: list[GatewayKey]


def main() -> int:
    world = _prepare()
    chance = random.Random(7)
    now = timezone.now()
    for ago in range(DAYS - 1, -1, -1):
        day = now - timedelta(days=ago)
        busy = 14 if day.weekday() < 5 else 5
        count = round(busy * (1.6 - ago / DAYS) * chance.uniform(0.6, 1.4))
        for _ in range(count):
            books.book(_call(world, _moment(chance, day, now), chance, mode="live"))
    for minutes in (2, 9, 31, 70, 200, 900, 1500):
        books.book(_call(world, now - timedelta(minutes=minutes), chance, mode="test"))
    for number in range(COLLECTED):
        collect_call(world.tenant, at=now - timedelta(minutes=number))
    rollups.add_up()
    return 0


def _prepare() -> World:
    """Projects, keys of ours and of providers."""
    owner = User.objects.get(email=demo.OWNER)
    tenant = members.tenant_named(demo.TENANT, owner=owner)
    assert tenant is not None
    actor = audit.person(owner)
    with tenant_scope(tenant.pk):
        rows = Project.objects.for_tenant(tenant)
        projects = [rows.get_or_create(tenant=tenant, name=name)[0].pk for name in PROJECTS]
        terms = (
            KeyTerms(name="Production", mode="live", project="support-bot"),
            KeyTerms(name="Search service", mode="live", allowed_models=["groq/*", "cerebras/*"]),
            KeyTerms(name="Nightly evaluation", mode="live", allowed_cidrs=["203.0.113.0/24"]),
            KeyTerms(name="Laptop", mode="test"),
        )
        keys = [gateway_keys.issue(tenant, one, actor=actor).record for one in terms]
        _provider_keys(tenant, actor)
        _people(tenant, actor)
        _views(owner, tenant)
    Announcement.objects.create(text=NEWS, starts_at=timezone.now(), created_by="operator")
    return World(tenant, projects, keys)


def _views(owner: User, tenant: Tenant) -> None:
    for name, query, whose in VIEWS:
        SavedView.objects.for_tenant(tenant).create(
            tenant=tenant,
            name=name,
            query=query,
            owner=owner if whose == "own" else None,
            created_by=owner.email,
            created_at=timezone.now(),
        )


def _people(tenant: Tenant, actor: audit.Actor) -> None:
    """Colleagues, and somebody who has not answered yet."""
    for email, role in PEOPLE:
        user, _ = User.objects.get_or_create(email=email)
        Membership.objects.for_tenant(tenant).get_or_create(
            user=user, defaults={"tenant": tenant, "role": role}
        )
    invitations.invite(
        tenant, email="grace@example.org", role=Role.VIEWER, actor=actor, now=timezone.now()
    )


def _provider_keys(tenant: Tenant, actor: audit.Actor) -> None:
    now = timezone.now()
    found = (
        ("groq", "gsk_9f8e7d6c5b4a39281706", "", KeyStatus.VALID, "", 24),
        ("cerebras", "csk-0a1b2c3d4e5f60718293", "trial account", KeyStatus.VALID, "", 8),
        ("openai", "sk-proj-abcdef0123456789", "team", KeyStatus.NO_CREDIT,
         "OpenAI: You exceeded your current quota, please check your plan", None),
    )  # fmt: skip
    for provider, secret, label, status, reason, models in found:
        key = provider_keys.add(
            tenant, provider=provider, secret=Secret(secret), label=label, actor=actor
        )
        provider_keys.record_check(key, status=status, now=now, reason=reason, models_found=models)


def _moment(chance: random.Random, day: datetime, now: datetime) -> datetime:
    hour = min(23, max(0, round(chance.gauss(14, 4))))
    at = day.replace(hour=hour, minute=chance.randrange(60), second=chance.randrange(60))
    return at if at < now else now - timedelta(minutes=chance.randrange(2, 600))


def _call(world: World, at: datetime, chance: random.Random, *, mode: str) -> list[Fact]:
    place = chance.randrange(len(PROJECTS))
    key = world.keys[3] if mode == "test" else world.keys[place]
    attempts = list(_attempts(at, chance))
    ended = attempts[-1]
    is_answered = ended.outcome == "answered"
    fell_back = len(attempts) > 1
    settled = {
        "status": "succeeded" if is_answered else "failed",
        "http_status": 200 if is_answered else 502,
        "error_code": "" if is_answered else "provider_error",
        "strategy": "cheapest",
        "reason": f"fallback:{attempts[-2].outcome}" if fell_back else "cheapest",
        "latency_ms": ended.ended_ms + 1,
        "first_token_ms": ended.first_token_ms,
        "overhead_us": chance.randrange(350, 1400),
    }
    return story(
        world.tenant,
        attempts=attempts,
        settled=settled,
        opened_at=int(at.timestamp() * 1000),
        mode=mode,
        key=key.pk,
        project=world.projects[place],
        stream=chance.random() < 0.6,
        requested_model="auto" if chance.random() < 0.7 else ended.model,
        tags=("beta",) if chance.random() < 0.2 else (),
    )


def _attempts(at: datetime, chance: random.Random) -> Iterator[AttemptEnded]:
    """Mostly one that answers; now and then others fail before it."""
    began, number = chance.randrange(1, 4), 1
    while chance.random() < 0.09 and number < 4:
        outcome, status = chance.choice(FAULTS)
        provider, model = _place(chance)
        took = chance.randrange(40, 900)
        yield failed(
            "", number, provider=provider, model=model, outcome=outcome, http_status=status,
            role="primary" if number == 1 else "fallback", started_ms=began,
            first_token_ms=None, ended_ms=began + took,
            message="Rate limit reached for requests" if status == 429 else "",
        )  # fmt: skip
        began, number = began + took + 1, number + 1
    yield _answer(at, chance, number=number, began=began)


def _answer(at: datetime, chance: random.Random, *, number: int, began: int) -> AttemptEnded:
    provider, model = _place(chance)
    usage = Usage(
        input_uncached=chance.randrange(200, 6000),
        cache_read=chance.choice((0, 0, 0, 1024, 2048)),
        output_visible=chance.randrange(30, 1500),
        reasoning=chance.choice((0, 0, 0, 400)),
    )
    price = prices.listed(provider, model, today=at.date())
    cost: Decimal | None = pricing.cost_of(usage, price) if price else None
    first = chance.randrange(90, 700)
    is_estimated = chance.random() < 0.03
    return AttemptEndedFactory.build(
        call="", number=number, provider=provider, model=model,
        role="primary" if number == 1 else "fallback", started_ms=began,
        first_token_ms=began + first, ended_ms=began + first + chance.randrange(200, 4000),
        usage=usage, usage_source="estimated" if is_estimated else "reported", cost=cost,
        cost_status="unpriced" if cost is None else "estimated" if is_estimated else "priced",
        price=price,
    )  # fmt: skip


def _place(chance: random.Random) -> tuple[str, str]:
    provider, model, _ = chance.choices(PLACES, weights=[weight for *_, weight in PLACES])[0]
    return provider, model


if __name__ == "__main__":
    sys.exit(main())
