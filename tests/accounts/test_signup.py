"""A new tenant has an owner, a data key and a project; its first keys are shown once."""

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import IntegrityError

from accounts import audit, signup, tenancy, tokens, vault
from accounts.models import AuditEvent, GatewayKey, Membership, Project, Tenant, User
from accounts.roles import Role
from accounts.signup import FirstKeys
from tests.accounts.threads import at_once
from tests.factories.accounts import TenantFactory, UserFactory

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_who_signs_up_owns_a_tenant_with_a_data_key_and_a_project() -> None:
    user = UserFactory.create(email="ada@example.org")

    tenant = signup.create_tenant(user)

    with tenancy.tenant_scope(tenant.pk):
        membership = Membership.objects.for_tenant(tenant).get()
        project = Project.objects.for_tenant(tenant).get()
        event = AuditEvent.objects.for_tenant(tenant).get()
    assert tenant.name == "ada"
    assert (membership.user, membership.role) == (user, Role.OWNER)
    assert project.name == "default"
    assert (event.action, event.actor, event.subject) == (
        "tenant.created",
        "ada@example.org",
        "ada",
    )
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    sealed = bytes(Tenant.objects.get(pk=tenant.pk).sealed_data_key)
    assert len(vault.unwrap(sealed, tenant=tenant.pk, masters=masters)) == 32


@pytest.mark.django_db
def test_a_tenant_may_be_named() -> None:
    assert signup.create_tenant(UserFactory.create(), name="Analytical Engines").name == (
        "Analytical Engines"
    )


@pytest.mark.django_db
def test_two_tenants_of_one_person_have_different_data_keys() -> None:
    user = UserFactory.create()
    one, other = signup.create_tenant(user), signup.create_tenant(user)

    assert bytes(one.sealed_data_key) != bytes(other.sealed_data_key)


@pytest.mark.django_db
def test_the_first_keys_are_shown_once() -> None:
    user = UserFactory.create()
    tenant = signup.create_tenant(user)

    first = signup.issue_first_keys(tenant, actor=audit.person(user), now=NOW)
    second = signup.issue_first_keys(tenant, actor=audit.person(user), now=NOW)

    assert first is not None
    assert first.live.reveal().startswith("flo2_live_")
    assert first.test.reveal().startswith("flo2_test_")
    assert all(tokens.is_well_formed(its.reveal()) for its in (first.live, first.test))
    assert second is None
    with tenancy.tenant_scope(tenant.pk):
        assert GatewayKey.objects.for_tenant(tenant).count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_requests_at_once_exactly_one_gets_the_first_keys() -> None:
    tenant = TenantFactory.create()

    answers = at_once(*[lambda: signup.issue_first_keys(tenant, actor=audit.SYSTEM, now=NOW)] * 4)

    assert sorted(type(answer).__name__ for answer in answers) == [
        FirstKeys.__name__,
        "NoneType",
        "NoneType",
        "NoneType",
    ]
    with tenancy.tenant_scope(tenant.pk):
        keys = GatewayKey.objects.for_tenant(tenant).order_by("mode")
        assert [key.mode for key in keys] == ["live", "test"]


class TestUsers:
    @pytest.mark.django_db
    def test_an_address_is_one_person_however_it_is_written(self) -> None:
        user = User.objects.create_user("  Ada@Example.ORG ")

        assert user.email == "ada@example.org"
        assert User.objects.get_by_natural_key(" ADA@example.org") == user
        with pytest.raises(IntegrityError):
            UserFactory.create(email="ADA@example.org")

    @pytest.mark.django_db
    def test_an_address_in_capitals_does_not_get_past_the_database(self) -> None:
        user = UserFactory.create()

        with pytest.raises(IntegrityError):
            User.objects.filter(pk=user.pk).update(email="Ada@example.org")

    @pytest.mark.django_db
    def test_an_operator_is_staff_and_a_person_is_not(self) -> None:
        operator = User.objects.create_superuser("root@example.org", "correct horse battery")
        person = UserFactory.create()

        assert (operator.is_staff, operator.is_superuser) == (True, True)
        assert (person.is_staff, person.is_superuser) == (False, False)
        assert operator.check_password("correct horse battery")

    @pytest.mark.django_db
    def test_a_person_belongs_to_a_tenant_once_and_in_a_role_that_exists(self) -> None:
        user, tenant = UserFactory.create(), TenantFactory.create()
        with tenancy.tenant_scope(tenant.pk):
            rows = Membership.objects.for_tenant(tenant)
            rows.create(tenant=tenant, user=user, role=Role.VIEWER)
        for role in (Role.OWNER, "root"):
            with pytest.raises(IntegrityError), tenancy.tenant_scope(tenant.pk):
                Membership.objects.for_tenant(tenant).create(
                    tenant=tenant, user=UserFactory.create() if role == "root" else user, role=role
                )
