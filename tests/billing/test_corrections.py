"""Corrected prices: new rows say what past calls cost, settled rows stay as they are."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from hypothesis import given
from hypothesis import strategies as st

from accounts import tenancy
from accounts.models import Tenant
from billing import books, corrections, money, reports, rollups, verification
from billing.corrections import Outcome, Span
from billing.facts import AttemptEnded
from billing.models import BudgetWindow, Correction, SpendDelta
from billing.periods import Period
from billing.pricing import Price, Rates, Tier, Variant
from billing.usage import Usage
from tests.accounts.databases import postgresql_only
from tests.accounts.depth import examples
from tests.accounts.threads import at_once
from tests.billing import bookkeeping
from tests.billing.stories import stories
from tests.factories.accounts import TenantFactory
from tests.factories.billing import NOON, AttemptEndedFactory, book_call, failed
from tests.factories.budgets import make_budget

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONTH = Period(date(2026, 11, 1), date(2026, 11, 30))
DAY_MS = 86_400_000


def price(rate: str) -> Price:
    return Price(source="tenant", rates=Rates(Decimal(rate), Decimal(rate)))


def reprice(tenant: Tenant, rate: str, *, apply: bool = True, **span: Any) -> Outcome:
    """Everything of November at so many dollars per million tokens."""
    wanted = Span(**{"period": MONTH, "mode": "live", **span})
    with tenancy.tenant_scope(tenant.pk):
        return corrections.reprice(
            tenant.pk, wanted, lambda *_: price(rate), by="me@acme.test", now=NOW, apply=apply
        )


def total(tenant: Tenant) -> reports.Totals:
    with tenancy.tenant_scope(tenant.pk):
        return reports.total(tenant.pk, MONTH, mode="live")


def unpriced() -> Any:
    return AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")


def test_settled_rows_stay_as_they_are(tenant: Tenant) -> None:
    book_call(tenant)
    book_call(tenant, attempts=[unpriced()])
    before = bookkeeping.calls(), bookkeeping.attempts()

    reprice(tenant, "7")

    assert (bookkeeping.calls(), bookkeeping.attempts()) == before


def test_sums_follow_at_once_and_exactly(tenant: Tenant) -> None:
    book_call(tenant)  # 1500 tokens for 0.002
    rollups.add_up()

    outcome = reprice(tenant, "7")

    assert (outcome.attempts, outcome.before, outcome.after) == (
        1,
        Decimal("0.002"),
        Decimal("0.0105"),
    )
    assert total(tenant).cost == Decimal("0.0105")
    assert total(tenant).calls == 1


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_looking_at_the_calls_of_a_span_keeps_nobody_from_booking(tenant: Tenant) -> None:
    book_call(tenant)
    answers: list[object] = []

    def price_on(*_: object) -> Price:
        def book() -> None:
            with tenancy.system_scope():
                table = SpendDelta._meta.db_table
                with connection.cursor() as cursor:
                    cursor.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE NOWAIT")

        answers.extend(at_once(book))
        return price("7")

    with tenancy.tenant_scope(tenant.pk):
        corrections.reprice(
            tenant.pk, Span(period=MONTH, mode="live"), price_on, by="me", now=NOW, apply=True
        )

    looked, written = answers
    assert looked is None
    assert isinstance(written, DatabaseError)  # now the books are held


def test_an_unpriced_call_gets_its_price(tenant: Tenant) -> None:
    book_call(tenant, attempts=[unpriced()])
    assert (total(tenant).unpriced_calls, total(tenant).cost) == (1, Decimal(0))

    outcome = reprice(tenant, "2")

    assert outcome.newly_priced == 1
    assert (total(tenant).unpriced_calls, total(tenant).cost) == (0, Decimal("0.003"))


def test_a_call_of_which_one_attempt_has_no_price_yet_stays_unpriced(tenant: Tenant) -> None:
    other = AttemptEndedFactory.build(
        call="", number=2, provider="openai", model="new", cost=None, cost_status="unpriced"
    )
    lost = AttemptEndedFactory.build(call="", outcome="lost", cost=None, cost_status="unpriced")
    book_call(tenant, attempts=[lost, other])

    reprice(tenant, "2", provider="groq")
    assert total(tenant).unpriced_calls == 1
    reprice(tenant, "2", provider="openai")
    assert total(tenant).unpriced_calls == 0
    assert verification.verify(tenant.pk).differences == []


def test_estimates_stay_estimates(tenant: Tenant) -> None:
    guessed = AttemptEndedFactory.build(
        call="", cost=None, cost_status="unpriced", usage_source="estimated"
    )
    book_call(tenant, attempts=[guessed])

    reprice(tenant, "2")

    assert total(tenant).estimated == total(tenant).cost == Decimal("0.003")


def test_a_call_of_another_tier_of_service_is_priced_at_that_tier_again(tenant: Tenant) -> None:
    def attempt(service: str) -> AttemptEnded:
        paid = Price(source="list", rates=Rates(Decimal(1), Decimal(1)), service=service)
        return AttemptEndedFactory.build(call="", price=paid)

    flex = Variant("flex", Rates(Decimal(1), Decimal(1)))
    listed = Price(source="list", rates=Rates(Decimal(2), Decimal(2)), variants=(flex,))
    book_call(tenant, attempts=[attempt("flex")])
    book_call(tenant, attempts=[attempt("priority")])

    with tenancy.tenant_scope(tenant.pk):
        span = Span(period=MONTH, mode="live")
        corrections.reprice(tenant.pk, span, lambda *_: listed, by="me", now=NOW, apply=True)

    # 1500 tokens at a dollar per million, and at a guess of twice the usual two dollars
    assert total(tenant).cost == Decimal("0.0015") + Decimal("0.006")
    assert total(tenant).estimated == Decimal("0.006")


def test_the_last_correction_rules_and_all_are_kept(tenant: Tenant) -> None:
    book_call(tenant)
    for rate in ("7", "3", "5"):
        reprice(tenant, rate)

    with tenancy.system_scope():
        rows = list(Correction.objects.order_by("sequence"))
    assert [row.sequence for row in rows] == [1, 2, 3]
    assert [row.cost for row in rows] == [Decimal("0.0105"), Decimal("0.0045"), Decimal("0.0075")]
    assert rows[2].was == rows[1].cost
    assert total(tenant).cost == Decimal("0.0075")


def test_the_same_price_again_changes_nothing(tenant: Tenant) -> None:
    book_call(tenant)
    reprice(tenant, "7")

    assert reprice(tenant, "7").attempts == 0
    with tenancy.system_scope():
        assert Correction.objects.count() == 1


def test_looking_first_writes_nothing(tenant: Tenant) -> None:
    book_call(tenant)

    outcome = reprice(tenant, "7", apply=False)

    assert outcome.change == Decimal("0.0085")
    assert total(tenant).cost == Decimal("0.002")


def test_only_what_was_asked_for_is_priced_again(tenant: Tenant) -> None:
    other = TenantFactory.create()
    book_call(tenant)
    book_call(tenant, mode="test")
    book_call(tenant, opened_at=NOON - 40 * DAY_MS)
    book_call(other)

    assert reprice(tenant, "7", provider="openai").attempts == 0
    assert reprice(tenant, "7", model="other").attempts == 0
    assert reprice(tenant, "7", provider="groq", model="llama-3.3-70b").attempts == 1
    assert total(other).cost == Decimal("0.002")


def test_what_used_nothing_costs_nothing_still(tenant: Tenant) -> None:
    answered = AttemptEndedFactory.build(call="", number=2)
    book_call(tenant, attempts=[failed(""), answered])

    assert reprice(tenant, "7").attempts == 1


def test_an_assumed_end_is_left_to_the_true_one(tenant: Tenant) -> None:
    assumed = AttemptEndedFactory.build(call="", error_code="gateway_died", outcome="cut")
    book_call(tenant, attempts=[assumed], settled={"status": "unknown"})

    assert reprice(tenant, "7").attempts == 0


def test_budgets_count_what_calls_cost_after_all(tenant: Tenant) -> None:
    make_budget(tenant, "10", now=NOW)
    book_call(tenant)

    reprice(tenant, "7")

    with tenancy.system_scope():
        assert BudgetWindow.objects.get(calls="live").spent == Decimal("0.0105")


def test_a_report_by_tag_agrees(tenant: Tenant) -> None:
    book_call(tenant, tags=("nightly",))
    book_call(tenant, tags=("nightly",), attempts=[unpriced()])

    reprice(tenant, "7")

    with tenancy.tenant_scope(tenant.pk):
        [row] = reports.spend(tenant.pk, MONTH, mode="live", group_by=("tag",))
    assert (row.totals.cost, row.totals.unpriced_calls) == (Decimal("0.021"), 0)


@given(data=st.data())
@examples(15)
def test_whatever_is_corrected_the_books_agree_and_can_be_made_anew(data: st.DataObject) -> None:
    bookkeeping.clear()
    tenant = TenantFactory.create()
    make_budget(tenant, "1000", now=NOW)
    for one in data.draw(st.lists(stories(tenant.pk), min_size=1, max_size=5)):
        books.book(one.facts)
        if data.draw(st.booleans()):
            rollups.add_up()
    for rate in data.draw(st.lists(st.sampled_from(["0", "1.5", "40"]), max_size=3)):
        reprice(tenant, rate, provider=data.draw(st.sampled_from(["", "groq"])))
    assert verification.verify(tenant.pk).differences == []

    rollups.add_up()
    kept = bookkeeping.days()
    for day in verification.days_of(tenant.pk):
        rollups.rebuild_day(tenant.pk, day)
    assert bookkeeping.days() == kept
    assert verification.verify(tenant.pk).differences == []


def test_a_tier_is_that_of_each_request(tenant: Tenant) -> None:
    large = AttemptEndedFactory.build(call="", usage=Usage(input_uncached=300_000))
    book_call(tenant, attempts=[large])
    book_call(tenant)
    tiered = Price(
        source="catalogue",
        rates=Rates(Decimal(1), Decimal(1)),
        tiers=(Tier(200_000, Rates(Decimal(2), Decimal(2))),),
    )
    with tenancy.tenant_scope(tenant.pk):
        outcome = corrections.reprice(
            tenant.pk,
            Span(period=MONTH, mode="live"),
            lambda *_: tiered,
            by="me",
            now=NOW,
            apply=True,
        )
    assert outcome.after == Decimal("0.6") + Decimal("0.0015")
    assert money.to_pico(total(tenant).cost) == money.to_pico(outcome.after)
