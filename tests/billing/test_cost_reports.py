"""Overheads, forecast, doubts and what-if: each figure can be followed to its calls."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import tenancy
from accounts.models import Tenant
from billing import corrections, cost_reports, pricing
from billing.corrections import Span
from billing.periods import Period
from billing.pricing import Price, Rates, Tier
from billing.usage import Usage
from tests.accounts.depth import examples
from tests.billing import bookkeeping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import NOON, AttemptEndedFactory, book_call, failed

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
MONTH = Period(date(2026, 11, 1), date(2026, 11, 30))
DAY_MS = 86_400_000


def asked(tenant: Tenant, report: Any, *about: Any, **rest: Any) -> Any:
    with tenancy.tenant_scope(tenant.pk):
        return report(tenant.pk, *about, **{"mode": "live", **rest})


def costing(amount: str, **changes: Any) -> Any:
    return AttemptEndedFactory.build(call="", cost=Decimal(amount), **changes)


class TestOverhead:
    def test_losers_judges_and_shadows_are_told_apart(self, tenant: Tenant) -> None:
        book_call(tenant, attempts=[costing("1", outcome="lost"), costing("2", number=2)])
        book_call(tenant, attempts=[costing("4")], purpose="judge")
        book_call(tenant, attempts=[costing("8")], purpose="shadow")
        book_call(tenant, attempts=[costing("16", outcome="lost")], mode="test")
        book_call(tenant, attempts=[costing("32", outcome="lost")], opened_at=NOON - 40 * DAY_MS)

        found = asked(tenant, cost_reports.overhead, MONTH)

        assert (found.race, found.judge, found.shadow) == (1, 4, 8)
        assert found.total == 13

    def test_nothing_counts_twice(self, tenant: Tenant) -> None:
        racing = [costing("1", outcome="lost"), costing("2", number=2)]
        book_call(tenant, attempts=racing, purpose="shadow")

        assert asked(tenant, cost_reports.overhead, MONTH).total == 3


class TestForecast:
    def test_each_day_left_goes_like_the_week_before(self, tenant: Tenant) -> None:
        for ago in range(1, 11):
            book_call(tenant, attempts=[costing("2")], opened_at=NOON - ago * DAY_MS)
        book_call(tenant, attempts=[costing("0.5")])

        found = asked(tenant, cost_reports.forecast, now=NOW)

        assert (found.spent, found.today, found.per_day) == (Decimal("20.5"), Decimal("0.5"), 2)
        assert found.days_left == 10
        assert found.basis == (date(2026, 11, 13), date(2026, 11, 19))
        assert found.total == Decimal("20.5") + Decimal("1.5") + 20

    def test_a_day_that_is_dearer_than_usual_is_not_made_cheaper(self, tenant: Tenant) -> None:
        book_call(tenant, attempts=[costing("1")], opened_at=NOON - DAY_MS)
        book_call(tenant, attempts=[costing("5")])

        assert asked(tenant, cost_reports.forecast, now=NOW).total == 6 + 10

    def test_days_before_the_first_call_do_not_pull_the_mean_down(self, tenant: Tenant) -> None:
        book_call(tenant, attempts=[costing("3")], opened_at=NOON - 2 * DAY_MS)

        found = asked(tenant, cost_reports.forecast, now=NOW)

        assert found.basis == (date(2026, 11, 18), date(2026, 11, 19))
        assert found.per_day == Decimal("1.5")

    def test_without_a_full_day_there_is_no_forecast(self, tenant: Tenant) -> None:
        book_call(tenant)

        found = asked(tenant, cost_reports.forecast, now=NOW)

        assert (found.spent, found.total) == (Decimal("0.002"), None)

    def test_the_week_before_may_lie_in_the_month_before(self, tenant: Tenant) -> None:
        second = datetime(2026, 11, 2, 18, tzinfo=UTC)
        first = NOON - 19 * DAY_MS
        for ago in range(6):
            book_call(tenant, attempts=[costing("1")], opened_at=first - ago * DAY_MS)

        found = asked(tenant, cost_reports.forecast, now=second)

        assert found.spent == 1
        assert found.basis is not None
        assert found.basis[0].month == 10


class TestUnpriced:
    def test_models_are_listed_with_what_was_asked_of_them(self, tenant: Tenant) -> None:
        def without(model: str) -> Any:
            return AttemptEndedFactory.build(
                call="", number=2, model=model, cost=None, cost_status="unpriced"
            )

        for model in ("new", "new", "newer"):
            book_call(tenant, attempts=[failed(""), without(model)])
        book_call(tenant, attempts=[without("new")], mode="test")

        found = asked(tenant, cost_reports.unpriced, MONTH)

        assert [(one.model, one.attempts) for one in found] == [("new", 2), ("newer", 1)]
        assert found[0].usage == Usage(input_uncached=2000, output_visible=1000)


class TestReported:
    @pytest.mark.parametrize(
        ("ours", "theirs", "differs"),
        [("1", "1.01", False), ("1", "1.02", True), ("1", "0.98", True), ("0", "0", False),
         ("0", "0.1", True)],
    )  # fmt: skip
    def test_more_than_one_percent_is_too_much(self, ours: str, theirs: str, differs: bool) -> None:
        assert cost_reports.differs(Decimal(ours), Decimal(theirs)) is differs

    def test_what_we_took_from_the_provider_is_no_second_opinion(self, tenant: Tenant) -> None:
        said = Decimal("0.5")
        book_call(tenant, attempts=[costing("0.5", cost_status="reported", reported_cost=said)])
        book_call(tenant, attempts=[costing("0.4", reported_cost=said)])

        [found] = asked(tenant, cost_reports.reported, MONTH)

        assert (found.attempts, found.ours, found.theirs) == (1, Decimal("0.4"), said)
        assert found.is_off


class TestWhatIf:
    PRICE = Price(
        source="catalogue",
        rates=Rates(Decimal(1), Decimal(4), cache_read=Decimal("0.1"), per_request=Decimal("0.01")),
        tiers=(
            Tier(1000, Rates(Decimal(2), Decimal(6))),
            Tier(4000, Rates(Decimal(3), Decimal(9), per_request=Decimal("0.5"))),
        ),
    )

    @given(
        usages=st.lists(
            st.builds(
                Usage,
                input_uncached=st.integers(0, 3000),
                cache_read=st.integers(0, 3000),
                output_visible=st.integers(0, 9000),
                reasoning=st.integers(0, 900),
            ),
            min_size=1,
            max_size=6,
        )
    )
    @examples(20)
    def test_the_sum_is_that_of_the_calls_one_by_one(self, usages: list[Usage]) -> None:
        bookkeeping.clear()
        tenant = TenantFactory.create()
        for usage in usages:
            book_call(tenant, attempts=[costing("0.002", usage=usage)])

        found = asked(tenant, cost_reports.what_if, MONTH, self.PRICE)

        assert found.instead == sum(pricing.cost_of(usage, self.PRICE) for usage in usages)
        assert found.actual == Decimal("0.002") * len(usages)

    def test_only_answers_to_users_are_compared(self, tenant: Tenant) -> None:
        book_call(tenant)
        book_call(tenant, purpose="judge")
        book_call(tenant, settled={"status": "failed"})
        book_call(tenant, mode="test")

        assert asked(tenant, cost_reports.what_if, MONTH, self.PRICE).calls == 1

    def test_corrections_count(self, tenant: Tenant) -> None:
        free = AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")
        book_call(tenant, attempts=[free])
        price = Price(source="tenant", rates=Rates(Decimal(2), Decimal(2)))
        with tenancy.tenant_scope(tenant.pk):
            span = Span(period=MONTH, mode="live")
            corrections.reprice(tenant.pk, span, lambda *_: price, by="me", now=NOW, apply=True)

        found = asked(tenant, cost_reports.what_if, MONTH, self.PRICE)

        assert (found.actual, found.unpriced) == (Decimal("0.003"), 0)
