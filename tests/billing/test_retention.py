"""Calls are kept as long as wanted; sums stay, and the books still agree."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import tenancy
from accounts.models import Tenant
from billing import corrections, retention, rollups, verification
from billing.corrections import Span
from billing.models import Attempt, Call, Correction
from billing.periods import Period
from billing.pricing import Price, Rates
from tests.accounts.databases import postgresql_only, rows_of
from tests.billing import bookkeeping
from tests.factories.billing import NOON, book_call
from tests.factories.budgets import make_budget

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
DAY_MS = 86_400_000


def test_calls_that_are_too_old_go_and_their_sums_stay(tenant: Tenant) -> None:
    for ago in (0, 30, 31, 90):
        book_call(tenant, opened_at=NOON - ago * DAY_MS)
    rollups.add_up()
    days = bookkeeping.days()

    assert retention.forget(NOW, keep_days=30) == 2

    with tenancy.system_scope():
        assert Call.objects.count() == Attempt.objects.count() == 2
    assert bookkeeping.days() == days


def test_zero_keeps_all(tenant: Tenant) -> None:
    book_call(tenant, opened_at=NOON - 4000 * DAY_MS)

    assert retention.forget(NOW, keep_days=0) == 0
    assert len(bookkeeping.calls()) == 1


def test_what_waits_to_be_summed_is_summed_before_it_goes(tenant: Tenant) -> None:
    book_call(tenant, opened_at=NOON - 90 * DAY_MS)

    retention.forget(NOW, keep_days=30)

    [day] = bookkeeping.days().values()
    assert day["cost"] == Decimal("0.002")


def test_the_books_still_agree_and_the_rest_can_be_made_anew(tenant: Tenant) -> None:
    make_budget(tenant, "10", now=NOW - timedelta(days=95))
    for ago in (0, 2, 90):
        book_call(tenant, opened_at=NOON - ago * DAY_MS)

    retention.forget(NOW, keep_days=30)

    assert verification.verify(tenant.pk).differences == []
    call_command("rebuild_rollups")
    assert verification.verify(tenant.pk).differences == []
    assert len(bookkeeping.days()) == 3
    with pytest.raises(CommandError):
        call_command("rebuild_rollups", first="2026-08-01")
    with pytest.raises(rollups.NotKept):
        rollups.rebuild_day(tenant.pk, (NOW - timedelta(days=90)).date())


def test_keeping_longer_again_does_not_bring_them_back(tenant: Tenant) -> None:
    book_call(tenant, opened_at=NOON - 90 * DAY_MS)
    retention.forget(NOW, keep_days=30)

    retention.forget(NOW, keep_days=300)

    assert verification.verify(tenant.pk).differences == []


def test_corrections_go_with_their_calls(tenant: Tenant) -> None:
    book_call(tenant, opened_at=NOON - 90 * DAY_MS)
    price = Price(source="tenant", rates=Rates(Decimal(7), Decimal(7)))
    long_ago = (NOW - timedelta(days=90)).date()
    with tenancy.tenant_scope(tenant.pk):
        span = Span(period=Period(long_ago, long_ago), mode="live")
        corrections.reprice(tenant.pk, span, lambda *_: price, by="me", now=NOW, apply=True)

    retention.forget(NOW, keep_days=30)

    with tenancy.system_scope():
        assert not Correction.objects.exists()
    assert next(iter(bookkeeping.days().values()))["cost"] == Decimal("0.0105")


def test_a_correction_stays_with_a_call_whose_id_is_older_than_itself(tenant: Tenant) -> None:
    """Its id was made before midnight, and the call after it."""
    midnight = NOON - 30 * DAY_MS - DAY_MS // 2
    book_call(tenant, opened_at=midnight - 1)
    price = Price(source="tenant", rates=Rates(Decimal(7), Decimal(7)))
    day = (NOW - timedelta(days=31)).date()
    with tenancy.tenant_scope(tenant.pk):
        span = Span(period=Period(day, day), mode="live")
        corrections.reprice(tenant.pk, span, lambda *_: price, by="me", now=NOW, apply=True)
    with tenancy.system_scope():
        Call.objects.update(created_at=NOW - timedelta(days=30))

        retention.forget(NOW, keep_days=30)

        assert Call.objects.count() == Correction.objects.count() == 1


def partitions() -> list[str]:
    return [
        name
        for (name,) in rows_of(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " JOIN pg_class p ON p.oid = i.inhparent"
            " WHERE p.relname IN ('billing_call', 'billing_attempt') AND c.relkind = 'r' ORDER BY 1"
        )
    ]


@postgresql_only
@pytest.mark.django_db(transaction=True)
class TestPartitions:
    @pytest.fixture(autouse=True)
    def partitions_go(self, transactional_db: None) -> Iterator[None]:
        """They are not rows: no test gets rid of them by itself."""
        yield
        with connection.cursor() as cursor:
            for name in partitions():
                if not name.endswith("_rest"):
                    cursor.execute(f"DROP TABLE {name}")

    def test_the_months_to_come_have_theirs_once(self) -> None:
        made = retention.prepare(NOW)

        assert sorted(made) == [
            "billing_attempt_2026_12", "billing_attempt_2027_01",
            "billing_call_2026_12", "billing_call_2027_01",
        ]  # fmt: skip
        assert retention.prepare(NOW) == []

    def test_calls_go_to_the_partition_of_their_month(self, tenant: Tenant) -> None:
        retention.prepare(NOW)
        for days in (0, 20, 50, 120):
            book_call(tenant, opened_at=NOON + days * DAY_MS)

        with tenancy.system_scope():
            found = rows_of(
                "SELECT tableoid::regclass::text, count(*) FROM billing_call GROUP BY 1"
            )
        assert dict(found) == {
            "billing_call_rest": 2, "billing_call_2026_12": 1, "billing_call_2027_01": 1,
        }  # fmt: skip

    def test_they_are_under_row_level_security(self) -> None:
        made = retention.prepare(NOW)

        secured = rows_of(
            "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
        )
        assert set(made) <= {name for (name,) in secured}

    def test_a_month_that_is_too_old_is_dropped_whole(self, tenant: Tenant) -> None:
        retention.prepare(NOW)
        book_call(tenant, opened_at=NOON + 20 * DAY_MS)
        later = NOW + timedelta(days=90)

        retention.forget(later, keep_days=30)

        assert "billing_call_2026_12" not in partitions()
        assert "billing_call_2027_01" in partitions()
        assert bookkeeping.calls() == []
        assert verification.verify(tenant.pk).differences == []

    def test_a_clock_that_ran_ahead_does_not_stop_anything(self, tenant: Tenant) -> None:
        book_call(tenant, opened_at=NOON + 20 * DAY_MS)

        made = retention.prepare(NOW)

        assert "billing_call_2027_01" in made
        assert "billing_call_2026_12" not in made
        assert len(bookkeeping.calls()) == 1
