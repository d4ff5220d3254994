"""Money under pressure: several processes, three levels, cancels, faults and kills.

Nothing is overspent at any moment; afterwards nothing is reserved, and what is spent is the sum of
the ledger, exactly.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from accounts import tenancy
from accounts.models import GatewayKey, Project, Tenant
from billing import lease_rows, reconcile
from billing.models import Attempt, Budget, BudgetWindow, Call
from tests.accounts import databases
from tests.billing.processes import Process, running
from tests.factories.accounts import ProjectFactory, TenantFactory, issue_gateway_key
from tests.factories.budgets import leases_of, make_budget, window_of
from tests.servers.gateway import wait_for

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
PROCESSES = 4 if FULL else 2
CALLERS = 250 if FULL else 20  # in each process
SECONDS = 60 if FULL else 4
KILLS = 5 if FULL else 2
HEAD_ROOM_CALLS = 100_000 if FULL else 2_000
PROGRAM = Path(__file__).with_name("spending.py").read_text()

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant() -> Tenant:
    return TenantFactory.create()


class Spenders:
    """Processes that spend; one that is killed is replaced."""

    def __init__(self, stack: ExitStack, folder: Path, orders: dict[str, Any]) -> None:
        self._stack, self._folder, self._orders = stack, folder, orders
        self._seed = 0
        self.running = [self._start() for _ in range(PROCESSES)]

    def _start(self) -> Process:
        self._seed += 1
        orders = {**self._orders, "folder": str(self._folder), "seed": self._seed}
        environment = {
            "DATABASE_URL": databases.url(),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "FLO2_DATA_DIR": str(settings.FLO2_DATA_DIR),
        }
        started = self._stack.enter_context(running(PROGRAM, json.dumps(orders), env=environment))
        assert started.read_line() == "started"
        return started

    def kill_one(self) -> None:
        self.running.pop(0).kill()
        self.running.append(self._start())

    @property
    def living(self) -> set[int]:
        return {one.pid for one in self.running}

    def finish(self) -> list[dict[str, int]]:
        told = []
        for one in self.running:
            told.append(json.loads(one.read_line()))
            assert one.finish() == 0
        return told


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as its:
        yield its


def orders(
    tenants: list[Tenant],
    projects: Sequence[Project] = (),
    keys: Sequence[GatewayKey] = (),
    **rest: Any,
) -> dict[str, Any]:
    by_tenant: dict[str, list[str]] = {}
    for project in projects:
        by_tenant.setdefault(str(project.tenant_id), []).append(str(project.pk))
    given = {
        "tenants": [str(one.pk) for one in tenants], "projects": by_tenant, "exact": False,
        "keys": [(str(one.pk), str(one.lineage)) for one in keys],
        "calls": 10**9, "callers": CALLERS, "seconds": SECONDS,
    }  # fmt: skip
    return {**given, **rest}


def committed(budget: Budget, living: set[int]) -> Decimal:
    """What is spent and what living processes may still spend, in one statement.

    The lease of a dead process is spent by nobody: it stands beside what its journal has brought
    to the books for as long as it takes to release it.
    """
    with tenancy.tenant_scope(budget.tenant_id):
        rows = BudgetWindow.objects.for_tenant(budget.tenant_id).filter(budget=budget, calls="live")
        found = list(rows.values_list("spent", "leases__holder", "leases__amount"))
    spent = found[0][0] if found else Decimal(0)
    held = (amount for _, holder, amount in found if holder and _pid(holder) in living)
    return sum(held, start=spent or Decimal(0))


def _pid(holder: str) -> int:
    return int(holder.rsplit("-", 2)[1])


def settle_down(folder: Path) -> None:
    """What living processes do every ten seconds: take over from the dead."""
    wait_for(lambda: _adopted(folder), "dead journals are shipped", seconds=30)
    lease_rows.release_the_dead(folder, lease_rows.folder_id(folder))


def _adopted(folder: Path) -> bool:
    reconcile.adopt_dead_journals(folder)
    return not list(folder.glob("*.jnl"))


def on_the_books(budget: Budget) -> Decimal:
    """The sum of the attempts that the budget covers, by reading every row."""
    with tenancy.tenant_scope(budget.tenant_id):
        calls = Call.objects.for_tenant(budget.tenant_id).filter(mode="live")
        if budget.project_id:
            calls = calls.filter(project_id=budget.project_id)
        if budget.lineage:
            keys = GatewayKey.objects.for_tenant(budget.tenant_id).filter(lineage=budget.lineage)
            calls = calls.filter(gateway_key_id__in=list(keys.values_list("pk", flat=True)))
        wanted = set(calls.values_list("id", flat=True))
        rows = Attempt.objects.for_tenant(budget.tenant_id).values_list("call_id", "cost")
        return sum((cost for call, cost in rows if cost and call in wanted), Decimal(0))


def check_at_rest(made: list[Budget]) -> None:
    for budget in made:
        window = window_of(budget)
        assert window.spent == on_the_books(budget)
        assert window.leased == 0
        assert leases_of(budget) == {}


def test_two_hundred_at_once_against_a_budget_for_ten(
    tenant: Tenant, tmp_path: Path, stack: ExitStack
) -> None:
    budget = make_budget(tenant, "0.01", window="total")
    spenders = Spenders(
        stack,
        tmp_path,
        orders([tenant], exact=True, calls=200 // PROCESSES, callers=200, seconds=30),
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
    projects = [ProjectFactory.create(tenant=tenant) for _ in range(2)]
    keys = [issue_gateway_key(tenant).record for _ in range(4)]
    limit = "20" if FULL else "1.5"
    made = [
        make_budget(tenant, limit, window="total"),
        make_budget(tenant, "9" if FULL else "0.7", window="total", subject=projects[0]),
        make_budget(tenant, "4" if FULL else "0.3", window="total", subject=keys[0]),
        make_budget(tenant, "1000", window="month"),
    ]
    spenders = Spenders(stack, tmp_path, orders([tenant], projects, keys))
    most: dict[str, Decimal] = {}
    looks = 0
    for kill in range(KILLS + 1):
        ends = time.monotonic() + SECONDS / (KILLS + 2)
        while time.monotonic() < ends:
            for budget in made:
                now = committed(budget, spenders.living)
                assert now <= budget.limit
                most[str(budget)] = max(most.get(str(budget), now), now)
            looks += 1
            time.sleep(0.1)
        if kill < KILLS:
            spenders.kill_one()
    told = spenders.finish()
    settle_down(tmp_path)

    spent = [f"{window_of(budget).spent} of {budget.limit} ({budget.scope})" for budget in made]
    print(f"{PROCESSES} processes, {CALLERS * PROCESSES} callers, {KILLS} kills, {looks} looks:")
    print(f"{told}; at most {most}; spent {', '.join(spent)}")
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
    spenders = Spenders(stack, tmp_path, orders([tenant], exact=True, calls=calls, seconds=600))
    told = spenders.finish()
    settle_down(tmp_path)

    print(f"twice the head-room: {told}")
    assert [one["refused"] for one in told] == [0] * PROCESSES
    assert sum(one["admitted"] for one in told) == HEAD_ROOM_CALLS
    assert window_of(budget).spent == limit / 2
    check_at_rest([budget])


def test_tenants_do_not_pay_for_each_other(tmp_path: Path, stack: ExitStack) -> None:
    tenants = [TenantFactory.create() for _ in range(250 if FULL else 10)]
    made = [make_budget(one, "0.05", window="total") for one in tenants]
    told = Spenders(stack, tmp_path, orders(tenants, calls=3000 if FULL else 300)).finish()
    print(f"{len(tenants)} tenants: {told}")
    settle_down(tmp_path)

    check_at_rest(made)
    for one, budget in zip(tenants, made, strict=True):
        with tenancy.tenant_scope(one.pk):
            windows = BudgetWindow.objects.for_tenant(one).filter(spent__gt=0)
            assert {window.budget_id for window in windows} <= {budget.pk}
