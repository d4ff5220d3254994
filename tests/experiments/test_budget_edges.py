"""Money at its edges: dearer than reserved, at the change of windows, under a limit that falls."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from django.utils import timezone

from accounts import audit, tenancy, tenant_settings
from accounts.models import Tenant
from billing import budgets, leases
from billing.errors import BudgetExceeded
from billing.models import Attempt, Budget, BudgetWindow, Call
from tests.experiments.spenders import (
    FULL,
    PROCESSES,
    Spenders,
    Watch,
    calls_of,
    check_at_rest,
    orders,
    settle_down,
)
from tests.factories.accounts import ProjectFactory, issue_gateway_key
from tests.factories.budgets import admit, books_in, make_budget, opened, window_of
from tests.servers.gateway import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


# Dearer than reserved -------------------------------------------------------------------------


@pytest.mark.parametrize("callers", [1, 250] if FULL else [2])
def test_past_a_limit_goes_at_most_what_calls_under_way_cost_beyond_their_worst_case(
    tenant: Tenant, tmp_path: Path, stack: ExitStack, callers: int
) -> None:
    watch = Watch()
    projects = [ProjectFactory.create(tenant=tenant) for _ in range(2)]
    keys = [issue_gateway_key(tenant).record for _ in range(2)]
    limits = {1: ("0.4", "0.15", "0.05"), 250: ("8", "3", "1"), 2: ("0.03", "0.015", "0.008")}
    amounts = limits[callers]
    made = [
        make_budget(tenant, amounts[0], window="total"),
        make_budget(tenant, amounts[1], window="total", subject=projects[0]),
        make_budget(tenant, amounts[2], window="total", subject=keys[0]),
    ]
    work = orders([tenant], projects, keys, callers=callers, excess=(0.2, 4))
    told = Spenders(stack, tmp_path, {**work, "seconds": 40 if FULL else 3}).finish()
    settle_down(tmp_path)
    with pytest.raises(BudgetExceeded), books_in(tmp_path) as books:
        asyncio.run(admit(books, opened(tenant, project=None), "0.001"))

    print(f"{callers * PROCESSES} callers, one call in five up to 4 times its worst case: {told}")
    check_at_rest(made)
    for budget in made:
        beyond = sorted(map(_beyond_the_worst_case, calls_of(budget)), reverse=True)
        allowed = sum(beyond[: callers * PROCESSES], Decimal(0))
        over = window_of(budget).spent - budget.limit
        print(f"{budget.scope}: {over} past {budget.limit}, allowed {allowed} of {sum(beyond)}")
        assert over <= allowed
        if budget.scope == "tenant":
            assert over > -Decimal("0.001")  # it was used up
            assert allowed < sum(beyond)  # of all calls, those under way at the end are few
    print(watch)


def _beyond_the_worst_case(call: Call) -> Decimal:
    assert call.cost is not None
    assert call.expected_cost is not None
    worst = 2 * call.expected_cost  # as spenders expect
    return max(Decimal(0), call.cost - worst)


# The change of windows ------------------------------------------------------------------------

# Each with ends of days, of a week or month, and a clock that is put forward or back somewhere.
SPANS = {
    "Europe to winter, America to winter": ("2026-10-24T18:00", "2026-11-02T06:00"),
    "America to summer": ("2026-03-07T12:00", "2026-03-09T12:00"),
    "Europe to summer": ("2026-03-28T12:00", "2026-04-01T12:00"),
    "Lord Howe to winter, by half an hour": ("2026-04-04T03:00", "2026-04-06T09:00"),
}
ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata")


@pytest.mark.parametrize("span", list(SPANS) if FULL else ["Europe to summer"])
def test_each_call_counts_once_in_the_window_in_which_it_began_whatever_the_local_clock(
    tenant: Tenant, tmp_path: Path, stack: ExitStack, span: str
) -> None:
    """Windows are days, weeks and months of UTC: no zone's summer time makes one longer."""
    watch = Watch()
    with tenancy.tenant_scope(tenant.pk):
        tenant_settings.change(tenant, {"time_zone": "Europe/Berlin"}, actor=audit.SYSTEM)
    first, last = (datetime.fromisoformat(at).replace(tzinfo=UTC) for at in SPANS[span])
    made = {
        kind: make_budget(tenant, limit, window=kind, now=first - timedelta(days=2))
        for kind, limit in (
            ("day", "0.3" if FULL else "0.03"),
            ("week", "1000"),
            ("month", "1000"),
            ("total", "1000"),
        )
    }
    seconds = 20 if FULL else 2
    clock = (
        int(first.timestamp() * 1000),
        time.monotonic() + 1,
        (last - first).total_seconds() / seconds,
    )
    work = orders([tenant], callers=100 if FULL else 10, seconds=seconds, clock=clock)
    environments = [{"TZ": zone, "PGTZ": zone} for zone in ZONES]
    spenders = Spenders(stack, tmp_path, work, environments=environments)
    if FULL:
        time.sleep(seconds / 2)
        spenders.kill_one()
    told = spenders.finish()
    settle_down(tmp_path)

    began, costs = _calls_with_costs(tenant)
    print(f"{span}: {len(began)} calls, {told}")
    for kind, budget in made.items():
        expected: defaultdict[str, Decimal] = defaultdict(Decimal)
        for call, at in began.items():
            expected[NAMES[kind](at)] += costs[call]
        windows = _windows(budget)
        found = {NAMES[kind](one.starts_at): one.spent for one in windows if one.spent}
        assert found == {name: cost for name, cost in expected.items() if cost}
        assert len(found) == sum(1 for one in windows if one.spent)  # no window twice
        assert {one.leased for one in windows} == {0}
        assert all(one.spent <= budget.limit for one in windows if one.spent)
        print(f"{kind}: {len(found)} windows, at most {max(found.values())} of {budget.limit}")
    assert sum(one.spent or 0 for one in _windows(made["day"])) == sum(costs.values())
    print(watch)


# What a calendar calls the window, told without the product's arithmetic.
NAMES: dict[str, Callable[[datetime], str]] = {
    "day": lambda at: at.astimezone(UTC).strftime("%Y-%m-%d"),
    "week": lambda at: at.astimezone(UTC).strftime("%G-W%V"),
    "month": lambda at: at.astimezone(UTC).strftime("%Y-%m"),
    "total": lambda _: "total",
}


def _calls_with_costs(tenant: Tenant) -> tuple[dict[UUID, datetime], dict[UUID, Decimal]]:
    """When each call began, and what its attempts cost."""
    with tenancy.tenant_scope(tenant.pk):
        began = dict(Call.objects.for_tenant(tenant).values_list("id", "created_at"))
        costs = dict.fromkeys(began, Decimal(0))
        for call, cost in Attempt.objects.for_tenant(tenant).values_list("call_id", "cost"):
            costs[call] += cost or 0
    return began, costs


def _windows(budget: Budget) -> list[BudgetWindow]:
    with tenancy.tenant_scope(budget.tenant_id):
        rows = BudgetWindow.objects.for_tenant(budget.tenant_id)
        return list(rows.filter(budget=budget, calls="live").order_by("starts_at"))


# A limit that falls ---------------------------------------------------------------------------


def test_a_limit_that_is_lowered_binds_in_every_process_within_a_second(
    tenant: Tenant, tmp_path: Path, stack: ExitStack
) -> None:
    """Calls last up to a second, so at each fall hundreds are under way and give back later."""
    watch = Watch()
    budget = make_budget(tenant, "1000", window="total")
    falls = 10 if FULL else 1
    work = orders(
        [tenant],
        callers=250 if FULL else 10,
        seconds=falls * 5 + 5 if FULL else 5,
        takes=1.0,
        tells_times=FULL,
    )
    spenders = Spenders(stack, tmp_path, work)
    changed = []
    for _ in range(falls):
        time.sleep(2 if FULL else 0.5)
        spent = window_of(budget).spent
        _limit(budget, "0.001")
        low = time.time()
        if FULL:
            time.sleep(3)
        else:  # nobody holds money any more, though callers go on
            wait_for(lambda: window_of(budget).leased == 0, "the lower limit binds", seconds=30)
            time.sleep(2 * sum(leases.RECALL_SECONDS))  # for what others may give back they wait
        assert window_of(budget).spent >= spent > 0
        changed.append((low, time.time()))
        _limit(budget, "1000")
    told = spenders.finish()
    settle_down(tmp_path)
    check_at_rest([budget])

    assert all(one["admitted"] and one["refused"] for one in told), told
    if FULL:
        slowest = []
        for place, one in enumerate(told):
            ends = [ended for _, _, ended in one.pop("times")]
            late = [ended - low for low, high in changed for ended in ends if low < ended < high]
            again = [min(at for at in ends if at > high) - high for _, high in changed]
            slowest.append(max(late, default=0.0))
            print(f"process {place}: last admitted {slowest[-1]:.3f} s after a fall, {one}")
            print(f"first admitted after a rise: {max(again):.3f} s")
        assert max(slowest) <= 1.0
    print(f"{len(told)} processes, {falls} falls, {watch}")


def _limit(budget: Budget, limit: str) -> None:
    with tenancy.tenant_scope(budget.tenant_id):
        budgets.change(budget, limit=Decimal(limit), actor=audit.SYSTEM, now=timezone.now())
