"""Invitations: whom they count for, how long, and how often."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts import audit, invitations
from accounts.errors import Conflict, InvalidRequest, NotFound
from accounts.invitations import LASTS, Invited
from accounts.models import AuditEvent, Invitation, Membership, Tenant
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from tests.factories.accounts import MembershipFactory, TenantFactory, UserFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HERS = "ada@example.org"


def invite(tenant: Tenant, email: str = HERS, role: str = Role.MEMBER) -> Invited:
    with tenant_scope(tenant.pk):
        return invitations.invite(tenant, email=email, role=role, actor=audit.SYSTEM, now=NOW)


def test_its_receiver_joins_with_the_role_and_the_link_is_used_up() -> None:
    tenant, ada = TenantFactory.create(), UserFactory.create(email=HERS)
    token = invite(tenant, " Ada@Example.org ", Role.VIEWER).token

    joined = invitations.accept(token, user=ada, now=NOW)

    assert (joined.tenant, joined.user, joined.role) == (tenant, ada, Role.VIEWER)
    with pytest.raises(NotFound):
        invitations.accept(token, user=ada, now=NOW)
    with tenant_scope(tenant.pk):
        actions = AuditEvent.objects.for_tenant(tenant).order_by("number")
        assert [(one.action, one.subject) for one in actions] == [
            ("invitation.made", HERS),
            ("member.joined", HERS),
        ]


def test_it_counts_for_a_week() -> None:
    token = invite(TenantFactory.create()).token

    assert invitations.find(token, now=NOW + LASTS - timedelta(seconds=1)).email == HERS
    with pytest.raises(NotFound):
        invitations.find(token, now=NOW + LASTS)


def test_nobody_else_can_accept_it() -> None:
    tenant, bob = TenantFactory.create(), UserFactory.create()
    token = invite(tenant).token

    with pytest.raises(Conflict, match=HERS):
        invitations.accept(token, user=bob, now=NOW)
    with tenant_scope(tenant.pk):
        assert not Membership.objects.for_tenant(tenant).exists()


def test_a_second_invitation_ends_the_first_one() -> None:
    tenant = TenantFactory.create()
    first, second = invite(tenant), invite(tenant, role=Role.ADMIN)

    with pytest.raises(NotFound):
        invitations.find(first.token, now=NOW)
    assert invitations.find(second.token, now=NOW).role == Role.ADMIN


def test_two_tenants_may_invite_the_same_person() -> None:
    first, second = invite(TenantFactory.create()), invite(TenantFactory.create())
    ada = UserFactory.create(email=HERS)

    assert {invitations.accept(one.token, user=ada, now=NOW).tenant for one in (first, second)} == {
        first.record.tenant,
        second.record.tenant,
    }


def test_a_withdrawn_one_is_unknown() -> None:
    tenant = TenantFactory.create()
    made = invite(tenant)
    with tenant_scope(tenant.pk):
        invitations.withdraw(made.record, actor=audit.SYSTEM)

    with pytest.raises(NotFound):
        invitations.find(made.token, now=NOW)


def test_members_are_not_invited_again_and_nobody_as_owner() -> None:
    member = MembershipFactory.create(user__email=HERS)

    with pytest.raises(Conflict, match="already"):
        invite(member.tenant)
    with pytest.raises(InvalidRequest):
        invite(member.tenant, "other@example.org", Role.OWNER)


def test_a_member_who_accepts_keeps_the_role_that_they_have() -> None:
    tenant, ada = TenantFactory.create(), UserFactory.create(email=HERS)
    token = invite(tenant).token
    MembershipFactory.create(tenant=tenant, user=ada, role=Role.ADMIN)

    assert invitations.accept(token, user=ada, now=NOW).role == Role.ADMIN


def test_open_invitations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    tenant = TenantFactory.create()
    for number in range(2):
        invite(tenant, f"person{number}@example.com")

    with pytest.raises(Conflict, match="open invitations"):
        invite(tenant, "one-more@example.com")
    invite(tenant, "person1@example.com")  # in place of its own


def test_the_token_is_not_stored() -> None:
    made = invite(TenantFactory.create())

    with tenant_scope(made.record.tenant_id):
        row = Invitation.objects.for_tenant(made.record.tenant_id).values().get()
    assert made.token not in repr(row)
    assert len(bytes(row["digest"])) == 32
