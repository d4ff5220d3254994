"""Budgets are changed and removed while calls are paid from them: nobody waits in a circle."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal
from threading import Event

import pytest
from django.db import connection
from django.utils import timezone

from accounts import audit, tenancy
from accounts.models import Tenant
from billing import budgets, lease_rows, windows
from billing.lease_rows import Holder, WindowKey
from billing.models import Budget, BudgetAlert
from tests.accounts import databases
from tests.factories.budgets import leases_of, make_budget, pico, window_of
from tests.servers.gateway import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), databases.postgresql_only]

HOLDER = Holder("host-1-1", "folder")
InThread = Callable[[Callable[[], None]], "Future[None]"]


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    with ThreadPoolExecutor(1) as threads:

        def start(work: Callable[[], None]) -> "Future[None]":
            def run() -> None:
                try:
                    work()
                finally:
                    connection.close()

            return threads.submit(run)

        yield start


def key_of(budget: Budget) -> WindowKey:
    return WindowKey(budget.pk, "live", windows.milliseconds(window_of(budget).starts_at))


def test_a_budget_may_be_changed_while_money_is_leased_from_it(
    tenant: Tenant, in_thread: InThread
) -> None:
    budget = make_budget(tenant, "100")
    with tenancy.tenant_scope(tenant.pk):
        window = window_of(budget)
        window.spent = Decimal(1)
        window.save(update_fields=["spent"])
    has_changed, is_leasing = Event(), Event()

    def change() -> None:
        with tenancy.tenant_scope(tenant.pk):  # which makes alerts, too
            budgets.change(budget, limit=Decimal(1), actor=audit.SYSTEM, now=timezone.now())
            has_changed.set()
            assert is_leasing.wait(10)

    changing = in_thread(change)
    assert has_changed.wait(10)
    try:
        with tenancy.tenant_scope(tenant.pk):
            window = lease_rows.locked(tenant.pk, key_of(budget)) or window
            lease_rows._add(window, HOLDER, pico("0.5"))
            is_leasing.set()
    finally:
        is_leasing.set()
        changing.result(10)

    assert leases_of(budget) == {HOLDER.name: Decimal("0.5")}
    with tenancy.tenant_scope(tenant.pk):
        assert BudgetAlert.objects.for_tenant(tenant).count() == 3


def test_an_event_on_the_audit_list_keeps_no_call_waiting(
    tenant: Tenant, in_thread: InThread
) -> None:
    budget = make_budget(tenant, "100")
    is_written, may_end = Event(), Event()

    def write() -> None:
        with tenancy.tenant_scope(tenant.pk):
            audit.record(tenant, actor=audit.SYSTEM, action="anything")
            is_written.set()
            assert may_end.wait(30)

    writing = in_thread(write)
    assert is_written.wait(10)
    try:
        with tenancy.tenant_scope(tenant.pk), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
            granted = lease_rows.take(tenant.pk, key_of(budget), HOLDER, pico("0.5"))
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    finally:
        may_end.set()
        writing.result(10)

    assert granted.amount >= pico("0.5")


def test_a_budget_may_be_removed_while_money_is_leased_from_it(
    tenant: Tenant, in_thread: InThread
) -> None:
    budget = make_budget(tenant, "100")
    key = key_of(budget)
    lease_rows.take(tenant.pk, key, HOLDER, pico("0.5"))

    def remove() -> None:
        with tenancy.tenant_scope(tenant.pk):
            budgets.remove(budget, actor=audit.SYSTEM)

    with tenancy.tenant_scope(tenant.pk):
        window = lease_rows.locked(tenant.pk, key)
        assert window is not None
        removing = in_thread(remove)
        wait_for(_somebody_waits_for_us, "the removal waits for the window", seconds=10)
        lease_rows._add(window, HOLDER, pico("0.5"))
    removing.result(10)

    assert lease_rows.take(tenant.pk, key, HOLDER, pico("0.5")) == lease_rows.GONE


def _somebody_waits_for_us() -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    return bool(databases.rows_of(waiting))
