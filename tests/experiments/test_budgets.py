"""Money under pressure: several processes, three levels, cancels, faults and kills.

Nothing is overspent at any moment; afterwards nothing is reserved, and what is spent is the sum of
the ledger, exactly.
"""

import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from accounts import tenancy
from accounts.models import Tenant
from billing.models import BudgetWindow
from tests.experiments.spenders import (
    FULL,
    PROCESSES,
    Spenders,
    Watch,
    check_at_rest,
    committed,
    orders,
    settle_down,
)
from tests.factories.accounts import ProjectFactory, TenantFactory, issue_gateway_key
from tests.factories.budgets import make_budget, window_of

CALLERS = 250 if FULL else 20  # in each process
SECONDS = 60 if FULL else 4
KILLS = 5 if FULL else 2
HEAD_ROOM_CALLS = 100_000 if FULL else 2_000

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_hundred_at_once_against_a_budget_for_ten(
    tenant: Tenant, tmp_path: Path, stack: ExitStack
) -> None:
    budget = make_budget(tenant, "0.01", window="total")
    calls = 200 // PROCESSES
    spenders = Spenders(
        stack, tmp_path, orders([tenant], exact=True, calls=calls, callers=calls, seconds=30)
    )
    told = spenders.finish()
    settle_down(tmp_path)

    print(f"200 at once against a budget for 10: {told}")
    assert sum(one["admitted"] for one in told) == 10
    assert sum(one["admitted"] + one["refused"] for one in told) == 200
    assert window_of(budget).spent == Decimal("0.01")
    check_at_rest([budget])


def test_nothing_is_overspent_whoever_is_killed(
    tenant: Tenant, tmp_path: Path, stack: ExitStack
) -> None:
    watch = Watch()
    projects = [ProjectFactory.create(tenant=tenant) for _ in range(2)]
    keys = [issue_gateway_key(tenant).record for _ in range(4)]
    made = [  # used up one after the other, so that there is money to lose at each kill
        make_budget(tenant, "20" if FULL else "0.7", window="total"),
        make_budget(tenant, "6" if FULL else "0.3", window="total", subject=projects[0]),
        make_budget(tenant, "1" if FULL else "0.1", window="total", subject=keys[0]),
        make_budget(tenant, "1000", window="month"),
    ]
    pauses = 0.9 if FULL else 0.1
    spenders = Spenders(
        stack,
        tmp_path,
        orders([tenant], projects, keys, callers=CALLERS, seconds=SECONDS, pauses=pauses),
    )
    most = dict.fromkeys(map(str, made), Decimal(0))
    at_kills, looks = [], 0
    for kill in range(KILLS + 1):
        ends = time.monotonic() + SECONDS / (KILLS + 2)
        while time.monotonic() < ends:
            for budget in made:
                now = committed(budget)
                assert now <= budget.limit
                most[str(budget)] = max(most[str(budget)], now)
            looks += 1
            time.sleep(0.1)
        if kill < KILLS:
            at_kills.append(str(window_of(made[0]).spent))
            spenders.kill_one()
    told = spenders.finish()
    settle_down(tmp_path)

    spent = [f"{window_of(budget).spent} of {budget.limit} ({budget.scope})" for budget in made]
    print(f"{PROCESSES} processes, {CALLERS * PROCESSES} callers, {KILLS} kills, {looks} looks:")
    print(f"{told}; at most {most}; spent {', '.join(spent)}; at the kills {at_kills}; {watch}")
    check_at_rest(made)
    assert all(window_of(budget).spent <= budget.limit for budget in made)
    assert window_of(made[0]).spent > made[0].limit / 2
    assert sum(one["away"] for one in told) == 0


def test_at_twice_the_head_room_nobody_is_refused(
    tenant: Tenant, tmp_path: Path, stack: ExitStack
) -> None:
    limit = Decimal(HEAD_ROOM_CALLS) * 2 / 1000
    budget = make_budget(tenant, str(limit), window="total")
    calls = HEAD_ROOM_CALLS // PROCESSES
    work = orders([tenant], exact=True, calls=calls, callers=CALLERS, seconds=600)
    told = Spenders(stack, tmp_path, work).finish()
    settle_down(tmp_path)

    print(f"twice the head-room: {told}")
    assert [one["refused"] for one in told] == [0] * PROCESSES
    assert sum(one["admitted"] for one in told) == HEAD_ROOM_CALLS
    assert window_of(budget).spent == limit / 2
    check_at_rest([budget])


def test_tenants_do_not_pay_for_each_other(tmp_path: Path, stack: ExitStack) -> None:
    """Each with money enough, so that nobody may be refused, for whatever reason.

    A process has to ask for a tenant's first slice; how long admissions take is said of the others.
    """
    watch = Watch()
    tenants = [TenantFactory.create() for _ in range(250 if FULL else 10)]
    made = [make_budget(one, "1", window="total") for one in tenants]
    work = (
        orders(tenants, callers=CALLERS, seconds=SECONDS, pauses=5.0)
        if FULL
        else orders(tenants, callers=CALLERS, calls=300, seconds=SECONDS)
    )
    told = Spenders(stack, tmp_path, work).finish()
    print(f"{len(tenants)} tenants: {told}; {watch}")
    settle_down(tmp_path)

    check_at_rest(made)
    for one, budget in zip(tenants, made, strict=True):
        with tenancy.tenant_scope(one.pk):
            windows = BudgetWindow.objects.for_tenant(one).filter(spent__gt=0)
            assert {window.budget_id for window in windows} <= {budget.pk}
    assert sum(one["refused"] + one["away"] for one in told) == 0
    if FULL:
        assert max(one["p99_us"] for one in told) <= 20_000
