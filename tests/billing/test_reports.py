"""Reports agree with the books at every moment, and with each other."""

import importlib
import threading
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids, tenancy
from accounts.models import Tenant
from billing import books, reports, rollups
from billing.facts import AttemptEnded
from billing.models import TagDay, TagDelta
from billing.models.spend import SUMS
from billing.periods import Period
from billing.reports import GROUPS, SpendRow, Totals, UnknownGroup
from tests.accounts.depth import examples
from tests.accounts.threads import in_a_thread
from tests.billing import bookkeeping, reference
from tests.billing.stories import Story, stories
from tests.factories.accounts import ProjectFactory, TenantFactory, issue_gateway_key
from tests.factories.billing import (
    NOON,
    AttemptEndedFactory,
    book_call,
    call_id,
    failed,
    story,
)

TODAY = date(2026, 11, 20)
WEEK = Period(TODAY - timedelta(3), TODAY + timedelta(3))
DAY_MS = 24 * 3_600_000


def spend(
    tenant: Tenant, *group_by: str, mode: str = "live", period: Period = WEEK
) -> list[SpendRow]:
    with tenancy.tenant_scope(tenant.pk):
        return reports.spend(tenant.pk, period, mode=mode, group_by=group_by)


def total(tenant: Tenant, mode: str = "live", period: Period = WEEK) -> Totals:
    with tenancy.tenant_scope(tenant.pk):
        return reports.total(tenant.pk, period, mode=mode)


def summed(rows: list[SpendRow]) -> Totals:
    return sum((row.totals for row in rows), Totals())


def as_sums(totals: Totals) -> dict[str, Any]:
    return {name: value for name in SUMS if (value := getattr(totals, name))}


def book(data: st.DataObject, tenant: Tenant) -> list[Story]:
    """Calls on empty books, some of them folded."""
    bookkeeping.clear()
    told = data.draw(st.lists(stories(tenant.pk), min_size=1, max_size=6))
    for one in told:
        books.book(one.facts)
        if data.draw(st.booleans()):
            rollups.add_up()
    return told


def test_the_totals_of_a_report_are_the_sums_of_the_roll_ups() -> None:
    assert set(Totals.__dataclass_fields__) == set(SUMS)


@pytest.mark.django_db
@given(data=st.data(), group=st.sampled_from([(), *((name,) for name in GROUPS), tuple(GROUPS)]))
@examples(60)
def test_the_rows_of_every_grouping_add_up_to_the_books(
    data: st.DataObject, group: tuple[str, ...]
) -> None:
    tenant = TenantFactory.create()
    told = book(data, tenant)
    for mode in ("live", "test"):
        expected = reference.total(one for one in told if one.opened.mode == mode)
        expected = {name: value for name, value in expected.items() if value}

        assert as_sums(summed(spend(tenant, *group, mode=mode))) == expected
        assert as_sums(total(tenant, mode)) == expected


@pytest.mark.django_db
@given(data=st.data())
@examples(40)
def test_the_rows_by_tag_are_the_sums_over_the_calls_that_have_it(data: st.DataObject) -> None:
    tenant = TenantFactory.create()
    told = [one for one in book(data, tenant) if one.opened.mode == "live"]
    rows = {row.group["tag"]: as_sums(row.totals) for row in spend(tenant, "tag")}

    assert rows == {
        tag: {name: value for name, value in reference.total(tagged).items() if value}
        for tag in "abc"
        if (tagged := [one for one in told if tag in one.opened.tags])
    }


@pytest.mark.django_db
@given(data=st.data())
@examples(20)
def test_the_migration_sums_calls_up_by_tag_as_booking_does(data: st.DataObject) -> None:
    tenant = TenantFactory.create()
    book(data, tenant)
    booked = {mode: spend(tenant, "tag", mode=mode) for mode in ("live", "test")}
    with tenancy.system_scope():
        TagDelta.objects.all().delete()
        TagDay.objects.all().delete()

    migration = importlib.import_module("billing.migrations.0011_sum_up_tags")
    migration.sum_up(None, SimpleNamespace(connection=connection))

    assert {mode: spend(tenant, "tag", mode=mode) for mode in booked} == booked


@pytest.mark.django_db
@given(data=st.data())
@examples(20)
def test_a_report_does_not_change_when_what_waits_is_folded(data: st.DataObject) -> None:
    tenant = TenantFactory.create()
    book(data, tenant)
    groupings = [(), ("day", "provider"), ("key",), ("tag",)]
    before = [spend(tenant, *group) for group in groupings]
    rollups.add_up()

    assert [spend(tenant, *group) for group in groupings] == before


@pytest.mark.django_db(transaction=True)
def test_reports_asked_for_while_others_fold_never_miss_or_double_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 1)
    tenant, done = TenantFactory.create(), threading.Event()
    for number in range(60):
        books.book(story(tenant, policy=f"p{number}", tags=("a",)))
    seen: set[tuple[int, Decimal]] = set()

    def fold() -> None:
        rollups.add_up()
        done.set()

    thread = in_a_thread(fold)
    while not done.is_set():
        for group in ((), ("day",), ("policy",), ("tag",)):
            rows = spend(tenant, *group)
            seen.add((summed(rows).calls, summed(rows).cost))
    thread.join()

    assert seen == {(60, Decimal("0.12"))}


@pytest.mark.django_db
def test_a_call_by_fallback_counts_once_and_its_attempts_under_their_providers() -> None:
    tenant = TenantFactory.create()
    refused = failed("", provider="cerebras", model="gpt-oss-120b")
    book_call(tenant, attempts=[refused, AttemptEndedFactory.build(call="", number=2)])
    rows = {row.group["provider"]: row.totals for row in spend(tenant, "provider")}

    assert rows == {
        "groq": Totals(
            calls=1,
            succeeded=1,
            rescued=1,
            attempts=1,
            input_tokens=1000,
            output_tokens=500,
            cost=Decimal("0.002"),
        ),
        "cerebras": Totals(attempts=1, failed=1),
    }


@pytest.mark.django_db
def test_days_are_in_order_and_other_groups_dearest_first() -> None:
    tenant = TenantFactory.create()
    for days, provider, cost in [(1, "a", "1"), (0, "b", "3"), (0, "c", "2"), (-1, "d", "1")]:
        attempt = AttemptEndedFactory.build(call="", provider=provider, cost=Decimal(cost))
        book_call(tenant, attempts=[attempt], opened_at=NOON + days * DAY_MS)

    assert [row.group["provider"] for row in spend(tenant, "provider")] == ["b", "c", "a", "d"]
    assert [tuple(row.group.values()) for row in spend(tenant, "day", "provider")] == [
        ("2026-11-19", "d"),
        ("2026-11-20", "b"),
        ("2026-11-20", "c"),
        ("2026-11-21", "a"),
    ]


@pytest.mark.django_db
def test_projects_and_keys_are_shown_by_name() -> None:
    tenant = TenantFactory.create()
    project = ProjectFactory.create(tenant=tenant, name="web")
    key = issue_gateway_key(tenant, name="Laptop").record
    gone = ids.new()
    book_call(tenant, project=project.pk, key=key.pk)
    book_call(tenant, project=gone)
    names = {tuple(row.group.values()) for row in spend(tenant, "project", "key")}

    assert names == {("web", f"Laptop (…{key.last4})"), (str(gone), "")}


@pytest.mark.django_db
def test_a_period_includes_its_first_and_last_moment_and_no_other() -> None:
    tenant, day = TenantFactory.create(), Period(TODAY, TODAY)
    midnight = NOON - DAY_MS // 2
    for opened_at in (midnight - 1, midnight, midnight + DAY_MS - 1, midnight + DAY_MS):
        book_call(tenant, opened_at=opened_at, call=call_id(opened_at - 40_000), tags=("a",))

    assert total(tenant, period=day).calls == 2
    assert summed(spend(tenant, "tag", period=day)).calls == 2
    rollups.add_up()
    assert total(tenant, period=day).calls == 2


@pytest.mark.django_db
def test_test_calls_never_mix_into_live_money() -> None:
    tenant = TenantFactory.create()
    book_call(tenant, mode="test")

    assert total(tenant) == Totals()
    assert spend(tenant, "provider") == []
    assert total(tenant, "test").calls == 1


@pytest.mark.django_db
def test_a_stranger_sees_nothing() -> None:
    book_call(TenantFactory.create(), tags=("a",))
    stranger = TenantFactory.create()

    assert total(stranger) == Totals()
    for group in [*GROUPS, "tag"]:
        assert spend(stranger, group) == []


@pytest.mark.django_db
def test_an_unpriced_call_is_counted_and_not_charged_as_zero() -> None:
    tenant = TenantFactory.create()
    unknown: list[AttemptEnded] = [
        AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")
    ]
    book_call(tenant, attempts=unknown, tags=("a",))
    book_call(tenant, tags=("a",))

    for totals in (total(tenant), summed(spend(tenant, "tag"))):
        assert (totals.calls, totals.unpriced_calls, totals.cost) == (2, 1, Decimal("0.002"))


@pytest.mark.django_db
@pytest.mark.parametrize("group", [("colour",), ("tag", "day"), ("day", "tenant_id"), ("",)])
def test_what_spend_cannot_be_grouped_by_is_refused(group: tuple[str, ...]) -> None:
    with pytest.raises(UnknownGroup):
        spend(TenantFactory.create(), *group)


@pytest.mark.django_db
def test_what_an_answer_cost_counts_the_calls_that_failed() -> None:
    tenant = TenantFactory.create()
    book_call(tenant)
    book_call(tenant, settled={"status": "failed"})

    assert total(tenant).cost_per_success == Decimal("0.004")
    assert Totals().cost_per_success is None
