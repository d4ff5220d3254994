"""Hours and days are the sums of calls and attempts, however and how often they are folded."""

import threading
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import tenancy
from accounts.models import Tenant
from billing import books, reconcile, rollups
from billing.models import SpendDay, SpendDelta, SpendHour
from billing.models.spend import SUMS
from tests.accounts.depth import FULL, examples
from tests.accounts.threads import at_once
from tests.billing import bookkeeping, reference
from tests.billing.stories import Story, stories
from tests.factories.accounts import TenantFactory
from tests.factories.billing import COST, NOON, call_id, story

TODAY = date(2026, 11, 20)
MIDNIGHT = 1_795_132_800_000  # 2026-11-20 00:00 UTC


def some(data: st.DataObject, tenant: Tenant) -> list[Story]:
    return data.draw(st.lists(stories(tenant.pk), min_size=1, max_size=6))


def without_zeros(groups: dict[tuple[Any, ...], dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    return {
        key: {name: value for name, value in sums.items() if value}
        for key, sums in groups.items()
        if any(sums.values())
    }


def waiting() -> int:
    with tenancy.system_scope():
        return SpendDelta.objects.count()


@pytest.mark.django_db
@given(data=st.data())
@examples(40)
def test_what_is_folded_is_the_sum_of_calls_and_attempts(data: st.DataObject) -> None:
    bookkeeping.clear()
    told = some(data, TenantFactory.create())
    for one in told:
        books.book(one.facts)
        if data.draw(st.booleans()):
            rollups.add_up()
    rollups.add_up()

    expected = without_zeros(reference.by_group(told))
    assert without_zeros(bookkeeping.rolled_up(SpendHour, "hour")) == expected
    assert waiting() == 0


@pytest.mark.django_db
@given(data=st.data())
@examples(30)
def test_a_day_is_the_sum_of_its_hours(data: st.DataObject) -> None:
    bookkeeping.clear()
    tenant = TenantFactory.create()
    for one in some(data, tenant):
        books.book(one.facts)
    rollups.add_up()

    summed: dict[tuple[Any, ...], dict[str, Any]] = {}
    for (owner, hour, *rest), sums in bookkeeping.rolled_up(SpendHour, "hour").items():
        day = summed.setdefault((owner, hour.date(), *rest), dict.fromkeys(SUMS, 0))
        for name in SUMS:
            day[name] += sums[name]
    assert without_zeros(bookkeeping.days()) == without_zeros(summed)


@pytest.mark.django_db
@given(data=st.data())
@examples(30)
def test_a_day_made_anew_is_the_day_that_grew(data: st.DataObject) -> None:
    bookkeeping.clear()
    tenant, other = TenantFactory.create(), TenantFactory.create()
    told = some(data, tenant)
    for one in [*told, *some(data, other)]:
        size = data.draw(st.integers(1, len(one.facts)))
        books.book(one.facts[:size])
        if data.draw(st.booleans()):
            books.book(one.facts[size:])
        if data.draw(st.booleans()):
            rollups.add_up()
    if data.draw(st.booleans()):
        rollups.add_up()
    before = without_zeros(bookkeeping.hours_with_deltas())

    for day in {reference.hour_of(one).date() for one in told}:
        rollups.rebuild_day(tenant.pk, day)

    assert without_zeros(bookkeeping.rolled_up(SpendHour, "hour")) == before


@pytest.mark.django_db
def test_a_day_made_anew_forgets_what_should_not_have_been_there() -> None:
    tenant, other = TenantFactory.create(), TenantFactory.create()
    for owner in (tenant, other):
        books.book(story(owner))
    rollups.add_up()
    expected = bookkeeping.days()
    with tenancy.system_scope():
        for model in (SpendHour, SpendDay):
            model.objects.filter(tenant=tenant).update(calls=99, cost=7)
    books.book(story(tenant, opened_at=NOON + 24 * 3_600_000))
    rollups.rebuild_day(tenant.pk, TODAY)

    assert {key: sums for key, sums in bookkeeping.days().items() if key[1] == TODAY} == expected
    assert bookkeeping.sums_of(SpendDay, tenant.pk)["calls"] == 2


@pytest.mark.django_db
@pytest.mark.parametrize("opened_at", [MIDNIGHT, MIDNIGHT + 30_000, MIDNIGHT - 1])
def test_a_call_that_arrived_before_midnight_belongs_to_the_day_it_was_opened(
    opened_at: int,
) -> None:
    tenant = TenantFactory.create()
    books.book(story(tenant, opened_at=opened_at, call=call_id(opened_at - 59_000)))
    rollups.add_up()
    grown = bookkeeping.days()
    for day in (date(2026, 11, 19), TODAY, date(2026, 11, 21)):
        rollups.rebuild_day(tenant.pk, day)

    assert bookkeeping.days() == grown
    assert {key[1] for key in grown} == {datetime.fromtimestamp(opened_at / 1000, tz=UTC).date()}


@pytest.mark.django_db
def test_an_unknown_call_that_is_settled_late_leaves_the_same_day() -> None:
    tenant = TenantFactory.create()
    opened, *rest = story(tenant)
    books.book([opened])
    deadline = bookkeeping.calls()[0]["deadline"]
    reconcile.give_up_overdue(deadline + 2 * reconcile.GRACE)
    rollups.add_up()
    books.book(rest)
    rollups.add_up()
    grown = bookkeeping.days()
    rollups.rebuild_day(tenant.pk, TODAY)

    assert bookkeeping.days() == grown


@pytest.mark.django_db
def test_more_deltas_than_one_chunk_are_folded_to_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 10)
    tenant = TenantFactory.create()
    for number in range(25):
        books.book(story(tenant, policy=f"p{number % 3}"))

    assert rollups.add_up() == 25
    assert rollups.add_up() == 0
    assert waiting() == 0
    assert bookkeeping.sums_of(SpendHour)["calls"] == 25


@pytest.mark.django_db
def test_a_whole_chunk_of_deltas_is_folded_in_one_statement() -> None:
    tenant = TenantFactory.create()
    count = rollups.CHUNK + 1 if FULL else 1500
    facts = [fact for number in range(count) for fact in story(tenant, policy=f"p{number}")]
    books.book(facts, may_repeat=False)

    assert rollups.add_up() == count
    assert bookkeeping.sums_of(SpendDay)["calls"] == count


@pytest.mark.django_db(transaction=True)
def test_folding_in_threads_at_once_doubles_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rollups, "CHUNK", 7)
    tenant = TenantFactory.create()
    for number in range(120):
        books.book(story(tenant, policy=f"p{number % 5}"))

    folded = at_once(*[rollups.add_up] * 4)
    rollups.add_up()

    assert [count for count in folded if not isinstance(count, int)] == []
    assert waiting() == 0
    assert bookkeeping.sums_of(SpendHour)["calls"] == 120
    assert bookkeeping.sums_of(SpendDay)["cost"] == 120 * COST


@pytest.mark.django_db(transaction=True)
def test_a_day_made_anew_while_calls_are_booked_and_folded_is_exact() -> None:
    tenant, done = TenantFactory.create(), threading.Event()

    def book() -> None:
        for _ in range(80):
            books.book(story(tenant))
        done.set()

    def rebuild() -> None:
        while not done.wait(0.003):  # else SQLite's lock would never be free for long
            rollups.rebuild_day(tenant.pk, TODAY)

    def fold() -> None:
        while not done.wait(0.003):
            rollups.add_up()

    assert at_once(book, rebuild, fold) == [None] * 3
    rollups.add_up()

    assert bookkeeping.sums_of(SpendHour)["calls"] == 80
    assert bookkeeping.sums_of(SpendDay)["attempts"] == 80
