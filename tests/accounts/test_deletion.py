"""Forgetting a tenant: what ends at once, what is erased later, and what is left alone."""

from datetime import UTC, datetime, timedelta

import pytest
from django.apps import apps
from django.db import models

from accounts import audit, deletion, gateway_keys, provider_keys, vault
from accounts.deletion import CALLS_END_WITHIN
from accounts.models import GatewayKey, Membership, ProviderKey, Tenant, User
from accounts.roles import Role
from accounts.tenancy import TenantOwned, system_scope, tenant_scope
from billing.models import Attempt, Call, SpendDelta
from tests.factories.accounts import (
    MembershipFactory,
    ProjectFactory,
    UserFactory,
    add_provider_key,
    issue_gateway_key,
)
from tests.factories.billing import book_call
from tests.factories.budgets import make_budget

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + CALLS_END_WITHIN


def filled_tenant() -> Membership:
    owner = MembershipFactory.create()
    tenant = owner.tenant
    project = ProjectFactory.create(tenant=tenant, name="shop")
    issue_gateway_key(tenant, project=project.name)
    add_provider_key(tenant)
    make_budget(tenant, "25", now=NOW)
    book_call(tenant)
    return owner


def begin(owner: Membership) -> None:
    with tenant_scope(owner.tenant_id):
        deletion.begin(owner.tenant, actor=audit.person(owner.user), now=NOW)


def rows_of(tenant: Tenant) -> dict[str, int]:
    with system_scope():
        counts = {
            model.__name__: model.objects.for_tenant(tenant.pk).count()
            for model in deletion.tables()
        }
    return {name: count for name, count in counts.items() if count}


def test_keys_and_secrets_end_at_once() -> None:
    owner = filled_tenant()
    begin(owner)

    tenant = Tenant.objects.get(pk=owner.tenant_id)
    with tenant_scope(tenant.pk):
        assert not GatewayKey.objects.for_tenant(tenant).filter(revoked_at=None).exists()
        assert not ProviderKey.objects.for_tenant(tenant).exists()
        assert not Membership.objects.for_tenant(tenant).exists()
    assert bytes(tenant.sealed_data_key) == b""
    with pytest.raises(vault.SealBroken):
        vault.unwrap(b"", tenant=tenant.pk, masters=vault.master_keys(_masters()))


def _masters() -> str:
    from django.conf import settings

    return str(settings.FLO2_MASTER_KEYS)


def test_rows_wait_until_running_calls_are_on_the_books_and_then_all_go() -> None:
    owner, neighbour = filled_tenant(), filled_tenant()
    before = rows_of(neighbour.tenant)
    begin(owner)

    assert deletion.erase_due(LATER - timedelta(seconds=1)) == 0
    assert rows_of(owner.tenant)["Call"] == 1
    book_call(owner.tenant_id)  # it was running
    assert deletion.erase_due(LATER) == 1

    assert rows_of(owner.tenant) == {}
    assert not Tenant.objects.filter(pk=owner.tenant_id).exists()
    assert rows_of(neighbour.tenant) == before
    assert deletion.erase_due(LATER) == 0


def test_many_rows_go_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletion, "PORTION", 2)
    owner = filled_tenant()
    for _ in range(4):
        book_call(owner.tenant)
    begin(owner)
    deletion.erase_due(LATER)

    assert rows_of(owner.tenant) == {}


def test_logins_that_belong_nowhere_else_go_too() -> None:
    owner, elsewhere = filled_tenant(), MembershipFactory.create()
    MembershipFactory.create(tenant=owner.tenant, user=elsewhere.user, role=Role.VIEWER)
    operator = UserFactory.create(is_staff=True)
    MembershipFactory.create(tenant=owner.tenant, user=operator, role=Role.ADMIN)
    stranger = UserFactory.create()
    begin(owner)

    left = set(User.objects.values_list("pk", flat=True))
    assert owner.user_id not in left
    assert {elsewhere.user_id, operator.pk, stranger.pk} <= left


def test_every_table_that_belongs_to_tenants_is_erased_before_what_it_points_at() -> None:
    order = deletion.tables()
    places = {model: place for place, model in enumerate(order)}

    assert {Call, Attempt, SpendDelta, GatewayKey} <= set(order)
    for model in order:
        for field in model._meta.concrete_fields:
            target = field.remote_field.model if field.remote_field else None
            if target in places and target is not model:
                assert places[model] < places[target], (model, target)


def test_no_table_with_a_tenant_escapes() -> None:
    """A model that points at tenants without being TenantOwned would be forgotten."""
    loose = [
        model.__name__
        for model in apps.get_models()
        if not issubclass(model, TenantOwned)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and field.remote_field.model is Tenant
    ]

    assert loose == []


def test_a_gateway_that_had_the_keys_in_memory_is_told() -> None:
    from accounts.models import Change

    owner = filled_tenant()
    begin(owner)

    kinds = set(Change.objects.filter(tenant=owner.tenant_id).values_list("kind", flat=True))
    assert {gateway_keys.KIND, provider_keys.KIND, "tenant"} <= kinds
