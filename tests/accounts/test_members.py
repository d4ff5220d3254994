"""Who belongs to which tenant, and what the operator may do to a tenant."""

from datetime import UTC, datetime

import pytest

from accounts import audit, ids, members, tenancy
from accounts.errors import Conflict, InvalidRequest
from accounts.models import AuditEvent, Change, Tenant
from accounts.roles import Role
from tests.factories.accounts import MembershipFactory, TenantFactory, UserFactory

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_the_tenants_of_a_person_are_theirs_alone_oldest_first() -> None:
    user = UserFactory.create()
    first = MembershipFactory.create(user=user, role=Role.VIEWER)
    MembershipFactory.create()
    second = MembershipFactory.create(user=user)

    assert members.of_user(user) == [first, second]
    assert [membership.tenant for membership in members.of_user(user)] == [
        first.tenant,
        second.tenant,
    ]


def test_the_current_tenant_is_the_one_chosen_if_the_person_belongs_to_it() -> None:
    user = UserFactory.create()
    oldest, chosen = MembershipFactory.create(user=user), MembershipFactory.create(user=user)
    foreign = MembershipFactory.create()

    assert members.current(user, str(chosen.tenant_id)) == chosen
    for wanted in (None, "", "nonsense", str(foreign.tenant_id), str(ids.new())):
        assert members.current(user, wanted) == oldest


def test_who_belongs_nowhere_has_no_current_tenant() -> None:
    assert members.current(UserFactory.create(), None) is None


def test_a_removed_member_falls_back_to_another_tenant() -> None:
    user = UserFactory.create()
    kept, gone = MembershipFactory.create(user=user), MembershipFactory.create(user=user)
    tenant = str(gone.tenant_id)
    with tenancy.system_scope():
        gone.delete()

    assert members.current(user, tenant) == kept


def test_a_suspension_is_kept_announced_and_audited_and_can_be_lifted() -> None:
    tenant, user = TenantFactory.create(), UserFactory.create(email="op@example.org")
    members.suspend(tenant, reason="spam", actor=audit.operator(user), now=NOW)
    suspended = Tenant.objects.get(pk=tenant.pk)
    members.restore(tenant, reason="sorted out", actor=audit.operator(user))
    restored = Tenant.objects.get(pk=tenant.pk)

    assert (suspended.is_suspended, suspended.suspended_at) == (True, NOW)
    assert suspended.suspended_reason == "spam"
    assert (restored.is_suspended, restored.suspended_reason) == (False, "")
    with tenancy.tenant_scope(tenant.pk):
        events = AuditEvent.objects.for_tenant(tenant).order_by("number")
        assert [(event.actor, event.action, event.subject) for event in events] == [
            ("operator: op@example.org", "tenant.suspended", "spam"),
            ("operator: op@example.org", "tenant.restored", "sorted out"),
        ]
    assert [(c.kind, c.tenant) for c in Change.objects.all()] == [("tenant", tenant.pk)] * 2


def test_a_tenant_is_found_by_name_among_those_of_its_owner() -> None:
    mine, foreign = (MembershipFactory.create(tenant__name="Acme") for _ in range(2))

    assert members.tenant_named("Acme", owner=mine.user) == mine.tenant
    assert members.tenant_named("Other", owner=mine.user) is None
    assert mine.tenant != foreign.tenant


def test_all_tenants_are_listed_in_order() -> None:
    made = [TenantFactory.create().pk for _ in range(3)]

    assert members.tenant_ids() == sorted(made)


def test_roles_change_by_action_and_the_change_is_audited() -> None:
    row = MembershipFactory.create(role=Role.MEMBER)
    with tenancy.tenant_scope(row.tenant_id):
        for role in (Role.ADMIN, Role.ADMIN):
            members.change_role(row, role=role, actor=audit.SYSTEM)
        row.refresh_from_db()
        events = AuditEvent.objects.for_tenant(row.tenant_id)

        assert row.role == Role.ADMIN
        assert [(one.action, one.subject, one.details) for one in events] == [
            ("member.role_changed", row.user.email, {"role": "admin", "before": "member"})
        ]


def test_an_owner_can_neither_be_demoted_nor_removed_and_nobody_promoted_to_owner() -> None:
    owner = MembershipFactory.create()
    other = MembershipFactory.create(tenant=owner.tenant, role=Role.ADMIN)
    with tenancy.tenant_scope(owner.tenant_id):
        with pytest.raises(Conflict, match="Transfer"):
            members.change_role(owner, role=Role.MEMBER, actor=audit.SYSTEM)
        with pytest.raises(Conflict, match="Transfer"):
            members.remove(owner, actor=audit.person(owner.user))
        with pytest.raises(InvalidRequest):
            members.change_role(other, role=Role.OWNER, actor=audit.SYSTEM)

        assert [one.role for one in members.of_tenant(owner.tenant)] == [Role.OWNER, Role.ADMIN]


def test_a_transfer_leaves_exactly_one_owner() -> None:
    owner = MembershipFactory.create()
    heir = MembershipFactory.create(tenant=owner.tenant, role=Role.VIEWER)
    with tenancy.tenant_scope(owner.tenant_id):
        members.transfer(owner.tenant, to=heir, actor=audit.person(owner.user))
        with pytest.raises(Conflict, match="already"):
            members.transfer(owner.tenant, to=heir, actor=audit.person(owner.user))

        people = members.of_tenant(owner.tenant)
        assert [(one.user, one.role) for one in people] == [
            (heir.user, Role.OWNER),
            (owner.user, Role.ADMIN),
        ]


@pytest.mark.parametrize("by_themselves", [True, False])
def test_the_audit_list_tells_leaving_from_being_removed(by_themselves: bool) -> None:
    row = MembershipFactory.create(role=Role.MEMBER)
    actor = audit.person(row.user if by_themselves else UserFactory.create())
    with tenancy.tenant_scope(row.tenant_id):
        members.remove(row, actor=actor)
        event = AuditEvent.objects.for_tenant(row.tenant_id).get()

        assert event.action == ("member.left" if by_themselves else "member.removed")
        assert members.of_tenant(row.tenant) == []
