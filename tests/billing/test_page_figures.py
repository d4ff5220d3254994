"""Figures of the pages: use of keys and tenants, health of providers, latency; folded or not."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids, tenancy
from accounts.models import Tenant
from billing import key_use, latency, provider_health, rollups, tenant_use
from billing.key_use import KeyUse
from billing.latency import percentile
from tests.factories.accounts import TenantFactory
from tests.factories.billing import NOON, AttemptEndedFactory, book_call, failed

AT_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW = AT_NOON + timedelta(minutes=30)
HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["waiting", "folded"])
def fold(request: pytest.FixtureRequest) -> bool:
    """Whether the deltas are folded before the question is asked."""
    return bool(request.param == "folded")


def settle(*, folded: bool) -> None:
    if folded:
        rollups.add_up()


class TestKeyUse:
    def ask(self, tenant: Tenant) -> dict[UUID, KeyUse]:
        with tenancy.tenant_scope(tenant.pk):
            return key_use.of_keys(tenant.pk, now=NOW)

    def test_the_last_hour_the_calls_and_the_cost_of_a_key(self, fold: bool) -> None:
        tenant, key = TenantFactory.create(), ids.new()
        book_call(tenant, key=key, opened_at=NOON - HOUR_MS)
        book_call(tenant, key=key, opened_at=NOON + 60_000)
        book_call(tenant, key=ids.new())
        book_call(TenantFactory.create(), key=key)
        settle(folded=fold)

        assert self.ask(tenant)[key] == KeyUse(2, Decimal("0.004"), AT_NOON, is_exact=True)

    def test_use_of_long_ago_tells_when_and_counts_nothing(self) -> None:
        tenant, key = TenantFactory.create(), ids.new()
        book_call(tenant, key=key, opened_at=NOON - 40 * DAY_MS)
        rollups.add_up()

        day = datetime(2026, 10, 11, tzinfo=UTC)
        assert self.ask(tenant) == {key: KeyUse(0, Decimal(0), day, is_exact=False)}

    def test_sums_and_last_use_are_of_days_that_a_page_can_read(self) -> None:
        tenant, now_and_then, forgotten = TenantFactory.create(), ids.new(), ids.new()
        for ago in (29, 30, 399):
            book_call(tenant, key=now_and_then, opened_at=NOON - ago * DAY_MS)
        book_call(tenant, key=forgotten, opened_at=NOON - 400 * DAY_MS)
        rollups.add_up()

        with CaptureQueriesContext(connection) as asked:
            use = self.ask(tenant)

        day = datetime(2026, 10, 22, tzinfo=UTC)
        assert use == {now_and_then: KeyUse(1, Decimal("0.002"), day, is_exact=False)}
        of_days = [one["sql"] for one in asked if "billing_spendday" in one["sql"]]
        assert all('"day" >=' in sql for sql in of_days)


class TestTenantUse:
    def test_calls_and_money_of_a_day_and_a_month(self, fold: bool) -> None:
        tenant, other = TenantFactory.create(), TenantFactory.create()
        for opened_at, mode in [(NOON, "live"), (NOON, "test"), (NOON - 20 * DAY_MS, "live")]:
            book_call(tenant, opened_at=opened_at, mode=mode)
        settle(folded=fold)
        with tenancy.system_scope():
            found = tenant_use.of_tenants([tenant.pk, other.pk], now=NOW)

        use = found[tenant.pk]
        assert (use.calls_24h, use.cost_24h, use.cost_30d, use.last_day) == (
            2,
            Decimal("0.002"),
            Decimal("0.004"),
            date(2026, 11, 20),
        )
        assert found[other.pk] == tenant_use.TenantUse()


class TestProviderHealth:
    def test_each_hour_of_the_last_day_has_its_attempts_and_failures(self, fold: bool) -> None:
        tenant = TenantFactory.create()
        refused = failed("", provider="cerebras")
        answered = AttemptEndedFactory.build(call="", number=2)
        book_call(tenant, attempts=[refused, answered], opened_at=NOON)
        book_call(tenant, opened_at=NOON - HOUR_MS)
        book_call(tenant, opened_at=NOON - DAY_MS)  # too long ago
        book_call(tenant, mode="test")
        settle(folded=fold)
        with tenancy.tenant_scope(tenant.pk):
            groq, cerebras = provider_health.last_day(tenant.pk, mode="live", now=NOW)

        assert (groq.provider, groq.attempts, groq.failed, groq.share) == ("groq", 2, 0, 1.0)
        assert (cerebras.provider, cerebras.share) == ("cerebras", 0.0)
        assert [hour.attempts for hour in groq.hours] == [0] * 22 + [1, 1]
        assert groq.hours[-1].start == AT_NOON
        assert groq.hours[0].share is None


class TestLatency:
    @given(values=st.lists(st.integers(0, 10**6), min_size=1), share=st.integers(1, 100))
    def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
        self, values: list[int], share: int
    ) -> None:
        found = percentile(values, share)
        assert found in values

        def reached(limit: int) -> bool:
            return 100 * sum(value <= limit for value in values) >= share * len(values)

        assert reached(found)
        assert not any(reached(value) for value in values if value < found)

    def test_there_is_no_percentile_of_nothing(self) -> None:
        assert percentile([], 50) is None

    def test_only_answered_calls_of_users_count(self) -> None:
        tenant = TenantFactory.create()
        for number, (status, purpose) in enumerate(
            [("succeeded", "user"), ("failed", "user"), ("succeeded", "judge")]
        ):
            latency_ms = 100 * (number + 1)
            book_call(tenant, purpose=purpose, settled={"status": status, "latency_ms": latency_ms})
        with tenancy.tenant_scope(tenant.pk):
            found = latency.of_last_calls(tenant.pk, mode="live")
            none = latency.of_last_calls(tenant.pk, mode="test")

        assert (found.calls, found.p50_ms, found.p95_ms) == (1, 100, 100)
        assert (found.first_token_p50_ms, found.first_token_p95_ms) == (40, 40)
        assert (none.calls, none.p50_ms) == (0, None)
