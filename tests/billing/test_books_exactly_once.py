"""However often, in whatever pieces and by whomever facts are shipped: the books are the same."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids
from accounts.models import Tenant
from billing import books, rollups
from billing.facts import Fact
from tests.accounts.databases import postgresql_only
from tests.accounts.depth import examples
from tests.accounts.threads import at_once
from tests.billing import bookkeeping
from tests.billing.stories import Story, batches, interleaved, stories
from tests.factories.accounts import TenantFactory
from tests.factories.billing import story

State = tuple[Any, ...]


def state() -> State:
    return bookkeeping.calls(), bookkeeping.attempts(), bookkeeping.hours_with_deltas()


def single_pass(told: list[Story]) -> State:
    """The books after each call was booked once, by itself."""
    bookkeeping.clear()
    for one in told:
        books.book(one.facts)
    expected = state()
    bookkeeping.clear()
    return expected


@pytest.fixture
def tenants(db: None) -> list[Tenant]:
    return [TenantFactory.create(), TenantFactory.create()]


def some_stories(data: st.DataObject, tenants: list[Tenant], most: int = 5) -> list[Story]:
    keys: list[UUID | None] = [None, ids.new()]
    one = st.one_of(*(stories(tenant.pk, key) for tenant in tenants for key in keys))
    return data.draw(st.lists(one, min_size=1, max_size=most))


@given(data=st.data())
@examples(40)
def test_facts_in_random_batches_repeated_at_random_are_booked_once(
    tenants: list[Tenant], data: st.DataObject
) -> None:
    told = some_stories(data, tenants)
    expected = single_pass(told)

    for batch in data.draw(batches(data.draw(interleaved(told)))):
        books.book(batch)

    assert state() == expected


@given(data=st.data())
@examples(30)
def test_two_owners_who_ship_the_same_in_different_pieces_book_it_once(
    tenants: list[Tenant], data: st.DataObject
) -> None:
    told = some_stories(data, tenants)
    expected = single_pass(told)
    facts = data.draw(interleaved(told))
    owners: dict[str, list[list[Fact]]] = {
        name: data.draw(batches(facts)) for name in ("one", "other")
    }

    while any(owners.values()):
        name = data.draw(st.sampled_from([name for name, left in owners.items() if left]))
        books.book(owners[name].pop(0), cursor=(name, len(owners[name])))

    assert state() == expected


@given(data=st.data())
@examples(20)
def test_folding_in_between_changes_nothing(tenants: list[Tenant], data: st.DataObject) -> None:
    told = some_stories(data, tenants)
    expected = single_pass(told)

    for batch in data.draw(batches(data.draw(interleaved(told)))):
        books.book(batch)
        if data.draw(st.booleans()):
            rollups.add_up()

    assert state() == expected


@given(data=st.data())
@examples(20)
def test_the_expectation_that_nothing_was_handed_in_before_may_be_wrong(
    tenants: list[Tenant], data: st.DataObject
) -> None:
    told = some_stories(data, tenants)
    expected = single_pass(told)
    books.book(told[0].facts)

    books.book([fact for one in told for fact in one.facts], may_repeat=False)

    assert state() == expected


@given(data=st.data())
@examples(20)
def test_what_is_told_of_new_bookings_adds_up_to_the_books(
    tenants: list[Tenant], data: st.DataObject
) -> None:
    told = some_stories(data, tenants)
    bookkeeping.clear()
    booked = [
        new
        for batch in data.draw(batches(data.draw(interleaved(told))))
        for new in books.book(batch)
    ]

    assert sum(new.settled is not None for new in booked) == len(told)
    assert sum(len(new.attempts) for new in booked) == sum(len(one.ended) for one in told)


@pytest.mark.django_db(transaction=True)
def test_owners_in_threads_at_once_book_each_call_once() -> None:
    tenant = TenantFactory.create()
    facts = [fact for _ in range(200) for fact in story(tenant)]

    def ship(size: int) -> int:
        return sum(
            len(books.book(facts[start : start + size])) for start in range(0, len(facts), size)
        )

    answers = at_once(*(lambda size=size: ship(size) for size in (30, 60, 90, 600)))

    assert sum(answer for answer in answers if isinstance(answer, int)) >= 200
    assert [answer for answer in answers if not isinstance(answer, int)] == []
    assert len(bookkeeping.calls()) == len(bookkeeping.attempts()) == 200
    (sums,) = bookkeeping.hours_with_deltas().values()
    assert (sums["calls"], sums["attempts"]) == (200, 200)


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_call_that_somebody_else_books_while_we_look_is_booked_once() -> None:
    tenant = TenantFactory.create()
    facts = story(tenant)
    seen: list[str] = []

    def meanwhile(execute: Any, sql: str, *rest: Any) -> Any:
        """After our look at the rows there are, another shipper writes the same call."""
        answer = execute(sql, *rest)
        if 'FROM "billing_call"' in sql and not seen:
            seen.append(sql)
            at_once(lambda: books.book(facts))
        return answer

    with connection.execute_wrapper(meanwhile):
        assert books.book(facts) == []

    assert len(seen) == 1
    (sums,) = bookkeeping.hours_with_deltas().values()
    assert (sums["calls"], sums["attempts"]) == (1, 1)
