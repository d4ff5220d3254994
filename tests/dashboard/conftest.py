"""A tenant with somebody in every role, something on each page, and a stranger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone

from accounts import gateway_keys, ids, invitations, members
from accounts.audit import SYSTEM
from accounts.invitations import Invited
from accounts.models import (
    GatewayKey,
    ManagementKey,
    Membership,
    Project,
    ProviderKey,
    Tenant,
    User,
)
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from billing import webhooks
from billing.models import Budget, Call, Webhook
from dashboard.models import SavedView
from routing import policies
from routing.models import Experiment
from tests.factories.accounts import (
    MembershipFactory,
    ProjectFactory,
    TenantFactory,
    UserFactory,
    add_provider_key,
    issue_gateway_key,
)
from tests.factories.billing import book_call
from tests.factories.budgets import make_budget
from tests.factories.experiments import running_experiment
from tests.factories.training import collect_call

LogIn = Callable[[User], Client]


@dataclass(frozen=True)
class World:
    tenant: Tenant
    people: dict[str, User]
    stranger: User
    key: GatewayKey
    management_key: ManagementKey
    provider_key: ProviderKey
    call: Call
    budget: Budget
    webhook: Webhook
    experiment: Experiment
    invited: Invited
    project: Project
    saved_view: SavedView

    @property
    def owner(self) -> User:
        return self.people[Role.OWNER]

    def membership_of(self, role: str) -> Membership:
        with tenant_scope(self.tenant.pk):
            return next(one for one in members.of_tenant(self.tenant) if one.role == role)

    def path(self, route: str) -> str:
        """A route of PAGES with ids of this tenant filled in."""
        for place, value in {
            "dashboard/keys/management/<str:key>": ids.show("key", self.management_key.pk),
            "dashboard/keys/<str:key>": ids.show("key", self.key.pk),
            "dashboard/providers/<str:key>": ids.show("pkey", self.provider_key.pk),
            "dashboard/budgets/<str:budget>": ids.show("bud", self.budget.pk),
            "dashboard/team/<str:member>": ids.show("mem", self.membership_of(Role.MEMBER).pk),
            "dashboard/webhooks/<str:hook>": ids.show("wh", self.webhook.pk),
            "<str:project>": ids.show("proj", self.project.pk),
            "<str:invitation>": ids.show("inv", self.invited.record.pk),
            "<str:token>": self.invited.token,
            "<str:call>": ids.show("call", self.call.id),
            "dashboard/policies/<str:name>": "default",
            "dashboard/experiments/<str:experiment>": ids.show("exp", self.experiment.pk),
            "<str:report>": "no-link-of-ours",
            "<str:view>": ids.show("view", self.saved_view.pk),
            "<slug:slug>": "quickstart",
        }.items():
            tail = place.rpartition("/")[2]
            if place in route:
                route = route.replace(tail, value)
        return f"/{route}"


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


@pytest.fixture
def world(db: None, now: datetime) -> World:
    tenant = TenantFactory.create(name="Acme", first_live_call_at=now)
    people = {}
    for role in Role.values:
        people[role] = MembershipFactory.create(tenant=tenant, role=role).user
    key = issue_gateway_key(tenant, name="Production").record
    with tenant_scope(tenant.pk):
        gateway_keys.issue_management_key(tenant, name="Scripts", actor=SYSTEM)
        management_key = ManagementKey.objects.for_tenant(tenant).get()
        policies.save(tenant, "default", {"strategy": "cheapest"}, actor=SYSTEM)
        invited = invitations.invite(
            tenant, email="new@example.org", role=Role.MEMBER, actor=SYSTEM, now=now
        )
        saved_view = SavedView.objects.for_tenant(tenant).create(
            tenant=tenant, name="Beta", query="mode=live&tag=beta", created_by="ada", created_at=now
        )
        webhook, _ = webhooks.create(
            tenant, url="https://hooks.acme-corp.com/flo2", budget=None, actor=SYSTEM, now=now
        )
    call = book_call(
        tenant, key=key.pk, opened_at=milliseconds(now - timedelta(minutes=5)), tags=("beta",)
    )
    collect_call(tenant, call=call.id, at=call.created_at)
    return World(
        tenant=tenant,
        people=people,
        stranger=UserFactory.create(),
        key=key,
        management_key=management_key,
        provider_key=add_provider_key(tenant),
        call=call,
        budget=make_budget(tenant, "25", now=now),
        webhook=webhook,
        experiment=running_experiment(tenant, now=now),
        invited=invited,
        project=ProjectFactory.create(tenant=tenant, name="shop"),
        saved_view=saved_view,
    )


@pytest.fixture
def log_in(client: Client) -> LogIn:
    def log_in(user: User) -> Client:
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def owner(world: World, log_in: LogIn) -> Client:
    """A browser in which the tenant's owner is logged in."""
    return log_in(world.owner)


@pytest.fixture
def operator(db: None) -> User:
    user: User = UserFactory.create(email="ops@example.org", is_staff=True, is_superuser=True)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    return user


@pytest.fixture
def browser(operator: User, log_in: LogIn) -> Client:
    return log_in(operator)


@pytest.fixture
def mail_is_sent(settings: Any) -> None:
    """As with EMAIL_URL set: addresses are verified."""
    settings.EMAIL_CONFIG = {"EMAIL_HOST": "mail.example.org"}
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
