"""The audit list: what was done stays done, and whoever meddles with a row is found out."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from accounts import audit, ids, tenancy
from accounts.models import AuditEvent, Tenant
from tests.accounts.depth import examples
from tests.accounts.threads import at_once
from tests.factories.accounts import TenantFactory, UserFactory

DETAILS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=10),
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.decimals(-1000, 1000, places=2).map(float)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
    | st.lists(st.integers(0, 9), max_size=3),
    max_size=4,
)


def record(tenant: Tenant, count: int = 1, **details: Any) -> None:
    with tenancy.tenant_scope(tenant.pk):
        for number in range(count):
            audit.record(
                tenant, actor=audit.SYSTEM, action="policy.changed", subject=f"{number}", **details
            )


def first_broken(tenant: Tenant) -> int | None:
    with tenancy.tenant_scope(tenant.pk):
        return audit.first_broken(tenant)


def change(tenant: Tenant, number: int, /, **fields: Any) -> None:
    with tenancy.tenant_scope(tenant.pk):
        rows = AuditEvent.objects.for_tenant(tenant).filter(number=number)
        assert rows.update(**fields) == 1


@pytest.mark.django_db
def test_events_are_numbered_in_order_and_follow_from_each_other() -> None:
    tenant, other = TenantFactory.create(), TenantFactory.create()
    record(tenant, 3)
    record(other, 2)
    record(tenant, 2)
    with tenancy.tenant_scope(tenant.pk):
        rows = list(AuditEvent.objects.for_tenant(tenant).order_by("number"))

    assert [event.number for event in rows] == [1, 2, 3, 4, 5]
    assert bytes(rows[0].previous_hash) == audit.FIRST
    assert [bytes(event.previous_hash) for event in rows[1:]] == [
        bytes(event.hash) for event in rows[:-1]
    ]
    assert first_broken(tenant) is None
    assert first_broken(other) is None


@pytest.mark.django_db
def test_an_empty_list_is_whole() -> None:
    assert first_broken(TenantFactory.create()) is None


@pytest.mark.django_db
@given(details=DETAILS)
@examples(30)
def test_the_chain_holds_whatever_the_details_are(details: dict[str, Any]) -> None:
    tenant = TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        audit.record(tenant, actor=audit.SYSTEM, action="a", weight=1.0, of=details)

    assert first_broken(tenant) is None


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize(
    "field",
    [
        {"actor": "nobody"},
        {"action": "policy.read"},
        {"subject": "other"},
        {"details": {"harmless": True}},
        {"hash": b"\x01" * 32},
        {"previous_hash": b"\x01" * 32},
    ],
)
def test_an_edited_event_is_named(number: int, field: dict[str, Any]) -> None:
    tenant = TenantFactory.create()
    record(tenant, 5)
    change(tenant, number, **field)

    assert first_broken(tenant) == number


@pytest.mark.django_db
def test_a_moved_clock_is_named() -> None:
    tenant = TenantFactory.create()
    record(tenant, 3)
    with tenancy.tenant_scope(tenant.pk):
        event = AuditEvent.objects.for_tenant(tenant).get(number=2)
    change(tenant, 2, at=event.at + timedelta(microseconds=1))

    assert first_broken(tenant) == 2


@pytest.mark.django_db
def test_an_edited_event_that_is_hashed_anew_breaks_the_one_after_it() -> None:
    tenant = TenantFactory.create()
    record(tenant, 4)
    with tenancy.tenant_scope(tenant.pk):
        event = AuditEvent.objects.for_tenant(tenant).get(number=2)
        event.actor = "nobody"
        event.hash = audit.hash_of(event)
        event.save()

    assert first_broken(tenant) == 3


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 2, 3])
def test_where_an_event_was_removed_is_named(number: int) -> None:
    tenant = TenantFactory.create()
    record(tenant, 4)
    with tenancy.tenant_scope(tenant.pk):
        AuditEvent.objects.for_tenant(tenant).filter(number=number).delete()

    assert first_broken(tenant) == number


@pytest.mark.django_db
def test_a_removed_event_is_named_though_the_numbers_were_closed_up() -> None:
    tenant = TenantFactory.create()
    record(tenant, 4)
    with tenancy.tenant_scope(tenant.pk):
        AuditEvent.objects.for_tenant(tenant).filter(number=2).delete()
    for number in (3, 4):
        change(tenant, number, number=number - 1)

    assert first_broken(tenant) == 2


@pytest.mark.django_db
def test_an_inserted_event_is_named() -> None:
    tenant = TenantFactory.create()
    record(tenant, 4)
    for number in (4, 3):
        change(tenant, number, number=number + 1)
    with tenancy.tenant_scope(tenant.pk):
        event = AuditEvent.objects.for_tenant(tenant).get(number=2)
        event.pk, event.number, event.previous_hash = ids.new(), 3, event.hash
        event.hash = audit.hash_of(event)
        event.save(force_insert=True)

    assert first_broken(tenant) == 4


@pytest.mark.django_db
def test_two_events_that_changed_places_are_named() -> None:
    tenant = TenantFactory.create()
    record(tenant, 4)
    for number, place in ((2, 99), (3, 2), (99, 3)):
        change(tenant, number, number=place)

    assert first_broken(tenant) == 2


@pytest.mark.django_db
def test_an_event_of_another_tenant_does_not_fit_in() -> None:
    tenant, other = TenantFactory.create(), TenantFactory.create()
    record(tenant, 2)
    record(other, 2)
    with tenancy.system_scope():
        AuditEvent.objects.filter(tenant=tenant, number=2).delete()
        AuditEvent.objects.filter(tenant=other, number=2).update(tenant=tenant)

    assert first_broken(tenant) == 2


@pytest.mark.django_db
def test_a_number_is_given_once() -> None:
    tenant = TenantFactory.create()
    record(tenant, 2)
    with pytest.raises(IntegrityError):
        change(tenant, 2, number=1)


@pytest.mark.django_db(transaction=True)
def test_events_that_are_recorded_at_once_stand_in_one_chain() -> None:
    tenant = TenantFactory.create()

    answers = at_once(*[lambda: record(tenant, 5)] * 4)

    assert answers == [None] * 4
    with tenancy.tenant_scope(tenant.pk):
        assert AuditEvent.objects.for_tenant(tenant).count() == 20
    assert first_broken(tenant) is None


@pytest.mark.django_db
def test_an_event_says_who_did_it() -> None:
    user = UserFactory.create(email="ada@example.org")

    assert audit.person(user).name == "ada@example.org"
    assert audit.operator(user).name == "operator: ada@example.org"
    assert audit.person(user).user == user
    assert (audit.SYSTEM.name, audit.SYSTEM.user) == ("flo2", None)


@pytest.mark.django_db
def test_a_long_subject_is_cut_and_the_chain_holds() -> None:
    tenant = TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        audit.record(tenant, actor=audit.SYSTEM, action="a", subject="x" * 500)
        assert len(AuditEvent.objects.for_tenant(tenant).get().subject) == 200

    assert first_broken(tenant) is None
