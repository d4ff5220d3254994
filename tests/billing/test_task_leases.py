"""A task of the timetable has one holder at a time."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from billing import books, task_leases, tasks
from billing.models import TaskLease
from tests.accounts.threads import at_once
from tests.billing import bookkeeping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import CallOpenedFactory, book_call

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_who_comes_while_it_is_held_does_not_get_it() -> None:
    with task_leases.held("a", at_most=MINUTE) as first:
        with (
            task_leases.held("a", at_most=MINUTE) as second,
            task_leases.held("b", at_most=MINUTE) as other,
        ):
            assert (first, second, other) == (True, False, True)
        with task_leases.held("a", at_most=MINUTE) as third:
            assert not third
    with task_leases.held("a", at_most=MINUTE) as fourth:
        assert fourth


@pytest.mark.django_db
def test_a_task_that_fails_gives_its_lease_back() -> None:
    with pytest.raises(ZeroDivisionError), task_leases.held("a", at_most=MINUTE):
        _ = 1 // 0
    with task_leases.held("a", at_most=MINUTE) as mine:
        assert mine


@pytest.mark.django_db
def test_the_lease_of_a_dead_holder_ends_by_time() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        dead = task_leases.held("a", at_most=MINUTE)
        assert dead.__enter__()
        clock.shift(timedelta(seconds=59))
        with task_leases.held("a", at_most=MINUTE) as early:
            assert not early
        clock.shift(timedelta(seconds=1))
        with task_leases.held("a", at_most=MINUTE) as in_time:
            assert in_time


@pytest.mark.django_db
def test_a_holder_that_is_late_does_not_end_the_lease_of_the_next() -> None:
    """Both are of one process, whose workers were forked from one parent."""
    with time_machine.travel(NOON, tick=False) as clock:
        with task_leases.held("a", at_most=MINUTE) as slow:
            clock.shift(2 * MINUTE)
            successor = task_leases.held("a", at_most=MINUTE)
            assert (slow, successor.__enter__()) == (True, True)
        with task_leases.held("a", at_most=MINUTE) as third:
            assert not third


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_it() -> None:
    leave = threading.Event()

    def take() -> bool:
        with task_leases.held("a", at_most=MINUTE) as mine:
            if mine:
                leave.wait(10)
            else:
                leave.set()
            return mine

    answers = at_once(*[take] * 4)

    assert sorted(map(str, answers)) == ["False", "False", "False", "True"]
    assert TaskLease.objects.count() == 1


@pytest.mark.django_db
def test_tasks_do_their_work_once_and_nothing_while_another_host_is_at_it() -> None:
    tenant = TenantFactory.create()
    book_call(tenant)
    with task_leases.held("add_up_spend", at_most=MINUTE):
        assert tasks.add_up_spend() == 0
    assert tasks.add_up_spend() == 1
    assert tasks.add_up_spend() == 0


@pytest.mark.django_db
def test_the_timetable_settles_overdue_calls_and_forgets_old_changes() -> None:
    books.book([CallOpenedFactory.build(tenant=TenantFactory.create().pk, opened_at=0)])

    assert tasks.settle_overdue_calls() == 1
    assert tasks.settle_overdue_calls() == 0
    assert list(bookkeeping.statuses().values()) == ["unknown"]
    assert tasks.forget_old_changes() == 0
    assert tasks.forget_shipped_journals() == 0


@pytest.mark.django_db
def test_a_lease_given_back_by_a_clock_that_ran_ahead_is_free() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        clock.shift(timedelta(days=1))
        with task_leases.held("a", at_most=MINUTE) as ahead:
            assert ahead
        clock.shift(timedelta(days=-1))
        with task_leases.held("a", at_most=MINUTE) as mine:
            assert mine


@pytest.mark.django_db
def test_the_lease_of_one_who_died_while_the_clock_ran_ahead_is_free() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        clock.shift(timedelta(days=1))
        dead = task_leases.held("a", at_most=MINUTE)
        assert dead.__enter__()
        clock.shift(timedelta(days=-1))
        with task_leases.held("a", at_most=MINUTE) as mine:
            assert mine
