"""The clock is set forth or back, by an hour or a day: nothing is lost, windows count right."""

import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import tenancy
from billing import books, journal, reconcile, rollups, verification
from billing.facts import CallOpened, CallSettled
from billing.journal import Journal
from billing.models import BudgetWindow
from tests.accounts.depth import examples
from tests.billing import bookkeeping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import NOON, book_call, story
from tests.factories.budgets import make_budget

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
JUMPS = st.sampled_from([0, 1000, HOUR_MS, DAY_MS, -1000, -HOUR_MS, -DAY_MS])


@pytest.mark.django_db
@given(jumps=st.lists(JUMPS, min_size=1, max_size=8))
@examples(20)
def test_a_call_counts_in_the_window_in_which_it_started(jumps: list[int]) -> None:
    bookkeeping.clear()
    tenant = TenantFactory.create()
    make_budget(tenant, "1000", now=NOW - timedelta(days=30), window="day")
    at, expected = NOON, defaultdict[datetime, Decimal](Decimal)
    for jump in jumps:
        at += jump
        call = book_call(tenant, opened_at=at)
        day = call.created_at.replace(hour=0, minute=0, second=0, microsecond=0)
        expected[day] += call.cost or 0

    with tenancy.system_scope():
        rows = BudgetWindow.objects.filter(tenant=tenant, calls="live", spent__gt=0)
        assert {row.starts_at: row.spent for row in rows} == expected
    assert verification.verify(tenant.pk).differences == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The wall clock in nanoseconds, to be set."""
    now = [1_795_176_000_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    return now


@pytest.mark.django_db(transaction=True)
def test_files_of_a_journal_are_read_in_order_though_the_clock_went_back(
    tmp_path: Path, clock: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = TenantFactory.create()
    opened, ended, settled = story(tenant)
    monkeypatch.setattr(journal, "ROTATE_BYTES", 1)
    its = Journal(tmp_path)
    for fact in (opened, ended, settled):
        clock[0] -= DAY_MS * 1_000_000
        its.append(fact)
    its.close()

    reconcile.adopt_dead_journals(tmp_path)

    assert list(bookkeeping.statuses().values()) == ["succeeded"]
    assert verification.verify(tenant.pk).differences == []


@pytest.mark.django_db
def test_a_call_given_up_by_a_clock_that_ran_ahead_is_settled_after_all() -> None:
    tenant = TenantFactory.create()
    make_budget(tenant, "10", now=NOW)
    opened, ended, settled = story(tenant)
    assert isinstance(opened, CallOpened)
    assert isinstance(settled, CallSettled)
    books.book([opened])
    tomorrow = NOW + timedelta(days=1)

    reconcile.give_up_overdue(tomorrow)
    given_up = list(bookkeeping.statuses().values())
    rollups.add_up()
    books.book([ended, settled])

    assert given_up == ["unknown"]
    assert list(bookkeeping.statuses().values()) == ["succeeded"]
    assert bookkeeping.attempts()[0]["cost"] == Decimal("0.002")
    assert verification.verify(tenant.pk).differences == []
