"""A call that nobody settles becomes unknown; a settlement that comes late wins."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Tenant
from billing import books, reconcile, rollups
from billing.facts import GATEWAY_DIED, CallOpened, Fact
from billing.models import SpendDay, SpendDelta
from billing.rows import CallFacts
from tests.accounts.depth import examples
from tests.billing import bookkeeping
from tests.billing.stories import stories
from tests.factories.accounts import TenantFactory
from tests.factories.billing import (
    AttemptEndedFactory,
    AttemptStartedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    failed,
)

pytestmark = pytest.mark.django_db
DEADLINE = datetime(2026, 11, 20, 12, 15, tzinfo=UTC)
LATE = DEADLINE + timedelta(seconds=61)


def opened(tenant: Tenant, **changes: object) -> CallOpened:
    return CallOpenedFactory.build(tenant=tenant.pk, **changes)


def test_an_open_call_is_given_up_a_minute_after_its_deadline() -> None:
    its = opened(TenantFactory.create())
    books.book([its])

    assert reconcile.give_up_overdue(DEADLINE + timedelta(seconds=60)) == []
    assert list(bookkeeping.statuses().values()) == ["open"]
    (booked,) = reconcile.give_up_overdue(LATE)
    assert booked.settled is not None
    assert list(bookkeeping.statuses().values()) == ["unknown"]
    assert reconcile.give_up_overdue(LATE + timedelta(days=1)) == []


def test_what_is_assumed_of_an_unknown_call_is_what_was_expected_of_its_attempt() -> None:
    its = opened(TenantFactory.create())
    books.book([its])
    reconcile.give_up_overdue(LATE)
    (call,), (attempt,) = bookkeeping.calls(), bookkeeping.attempts()

    assert (call["status"], call["reason"], call["cost"], call["cost_status"]) == (
        "unknown",
        GATEWAY_DIED,
        Decimal("0.003"),
        "estimated",
    )
    assert (attempt["provider"], attempt["model"]) == ("groq", "llama-3.3-70b")
    assert (attempt["outcome"], attempt["error_code"]) == ("cut", GATEWAY_DIED)
    assert (attempt["input_uncached"], attempt["usage_source"]) == (900, "estimated")
    assert bookkeeping.sums_of(SpendDelta)["failed_calls"] == 1
    assert bookkeeping.sums_of(SpendDelta)["estimated"] == Decimal("0.003")


def test_an_unknown_call_of_an_unknown_price_costs_null_and_not_zero() -> None:
    books.book([opened(TenantFactory.create(), expected_cost=None)])
    reconcile.give_up_overdue(LATE)
    (call,) = bookkeeping.calls()

    assert (call["cost"], call["cost_status"]) == (None, "unpriced")
    assert bookkeeping.sums_of(SpendDelta)["unpriced_calls"] == 1


def test_an_unknown_call_that_had_no_target_cost_nothing() -> None:
    books.book([opened(TenantFactory.create(), targets=(), expected_cost=None)])
    reconcile.give_up_overdue(LATE)

    assert bookkeeping.calls()[0]["cost"] == 0
    assert bookkeeping.attempts() == []


def test_attempts_that_had_ended_are_kept_as_they_were() -> None:
    its = opened(TenantFactory.create())
    cut = AttemptEndedFactory.build(call=its.call, outcome="cut", cost=Decimal("0.001"))
    books.book([its, cut])
    reconcile.give_up_overdue(LATE)
    (call,), (attempt,) = bookkeeping.calls(), bookkeeping.attempts()

    assert (attempt["error_code"], attempt["cost"]) == ("", Decimal("0.001"))
    assert (call["cost"], call["attempts"]) == (Decimal("0.001"), 1)


def test_a_late_settlement_replaces_what_was_assumed() -> None:
    its = opened(TenantFactory.create())
    answered = AttemptEndedFactory.build(call=its.call)
    settled = CallSettledFactory.build(call=its.call)
    books.book([its])
    reconcile.give_up_overdue(LATE)
    rollups.add_up()
    books.book([answered, settled])
    (call,), (attempt,) = bookkeeping.calls(), bookkeeping.attempts()

    assert (call["status"], call["cost"], call["cost_status"]) == (
        "succeeded",
        Decimal("0.002"),
        "priced",
    )
    assert (attempt["outcome"], attempt["cost"]) == ("answered", Decimal("0.002"))
    difference = bookkeeping.sums_of(SpendDelta)
    assert difference["cost"] == Decimal("-0.001")
    assert (difference["calls"], difference["attempts"], difference["failed"]) == (0, 0, -1)
    rollups.add_up()
    total = bookkeeping.sums_of(SpendDay)
    assert (total["calls"], total["succeeded"], total["failed_calls"]) == (1, 1, 0)
    assert (total["cost"], total["estimated"]) == (Decimal("0.002"), 0)


def test_a_late_settlement_keeps_the_attempts_that_were_no_assumption() -> None:
    """The first attempt was shipped long before the process was cut off, the second never ended."""
    its = opened(TenantFactory.create())
    first = AttemptEndedFactory.build(call=its.call, outcome="cut", cost=Decimal("0.001"))
    second = AttemptEndedFactory.build(call=its.call, number=2, cost=Decimal("0.004"))
    books.book([its, first])
    reconcile.give_up_overdue(LATE)
    books.book([second, CallSettledFactory.build(call=its.call, cost=Decimal("0.005"))])

    assert [(a["number"], a["outcome"]) for a in bookkeeping.attempts()] == [
        (1, "cut"),
        (2, "answered"),
    ]
    assert (bookkeeping.calls()[0]["attempts"], bookkeeping.calls()[0]["cost"]) == (
        2,
        Decimal("0.005"),
    )
    total = bookkeeping.sums_of(SpendDelta)
    assert (total["attempts"], total["cost"], total["rescued"]) == (2, Decimal("0.005"), 1)


def test_late_attempts_of_a_call_that_is_never_settled_change_what_it_cost() -> None:
    its = opened(TenantFactory.create())
    books.book([its])
    reconcile.give_up_overdue(LATE)
    rollups.add_up()
    first = AttemptEndedFactory.build(call=its.call, outcome="cut", cost=Decimal("0.001"))
    second = AttemptEndedFactory.build(call=its.call, number=2, cost=Decimal("0.004"))
    for facts in ([second], [first], [first, second]):
        books.book(facts)
    (call,) = bookkeeping.calls()

    assert (call["status"], call["attempts"]) == ("unknown", 2)
    assert call["cost"] == sum(a["cost"] for a in bookkeeping.attempts()) == Decimal("0.005")
    assert [a["error_code"] for a in bookkeeping.attempts()] == ["", ""]
    rollups.add_up()
    total = bookkeeping.sums_of(SpendDay)
    assert (total["calls"], total["failed_calls"], total["attempts"]) == (1, 1, 2)
    assert (total["cost"], total["estimated"]) == (Decimal("0.005"), 0)


def test_a_late_attempt_leaves_what_is_assumed_of_another() -> None:
    its = opened(TenantFactory.create())
    facts = CallFacts(opened=its)
    facts.add(AttemptStartedFactory.build(call=its.call))
    books.book([its, *reconcile._unknown(facts)])
    assert bookkeeping.calls()[0]["cost"] == Decimal("0.007")

    books.book([AttemptEndedFactory.build(call=its.call, cost=Decimal("0.001"))])
    (call,) = bookkeeping.calls()

    assert (call["cost"], call["cost_status"], call["attempts"]) == (
        Decimal("0.005"),
        "estimated",
        2,
    )
    assert bookkeeping.sums_of(SpendDelta)["cost"] == Decimal("0.005")


def test_what_was_assumed_twice_counts_once() -> None:
    its = opened(TenantFactory.create())
    books.book([its])
    reconcile.give_up_overdue(LATE)
    before = bookkeeping.calls(), bookkeeping.attempts(), bookkeeping.hours_with_deltas()
    unknown = reconcile._unknown(CallFacts(opened=its))
    books.book(unknown)

    assert (
        bookkeeping.calls(),
        bookkeeping.attempts(),
        bookkeeping.hours_with_deltas(),
    ) == before


@given(data=st.data())
@examples(40)
def test_wherever_a_process_was_cut_off_the_late_rest_makes_the_books_whole(
    data: st.DataObject,
) -> None:
    bookkeeping.clear()
    tenant = TenantFactory.create()
    told = data.draw(stories(tenant.pk))
    books.book(told.facts)
    expected = bookkeeping.calls(), bookkeeping.attempts(), bookkeeping.hours_with_deltas()
    bookkeeping.clear()

    size = data.draw(st.integers(1, len(told.facts) - 1))
    books.book(told.cut(size).facts)
    assert len(reconcile.give_up_overdue(LATE + timedelta(days=2))) == 1
    rest: list[Fact] = list(told.facts if data.draw(st.booleans()) else told.facts[size:])
    books.book(rest)

    (call,) = bookkeeping.calls()
    assert [{**call, "attempts": None}] == [{**row, "attempts": None} for row in expected[0]]
    assert bookkeeping.attempts() == expected[1]
    assert bookkeeping.hours_with_deltas() == expected[2]
    assert call["attempts"] == len(expected[1])


def test_an_attempt_that_was_started_and_lost_is_assumed_from_the_journal_of_the_dead() -> None:
    its = opened(TenantFactory.create())
    started = AttemptStartedFactory.build(call=its.call)
    facts = CallFacts(opened=its)
    for fact in (failed(its.call), started):
        facts.add(fact)
    lost, settled = reconcile._unknown(facts)

    assert (lost.number, lost.provider, lost.cost) == (2, "openai", Decimal("0.004"))  # type: ignore[union-attr]
    assert settled.cost == Decimal("0.004")  # type: ignore[union-attr]
    assert settled.call == its.call
