"""Processes that spend budgets, and what the books say afterwards."""

import json
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts import tenancy
from accounts.models import GatewayKey, Project, Tenant
from billing import lease_rows, reconcile
from billing.models import Attempt, Budget, BudgetWindow, Call
from tests.accounts import databases
from tests.billing.processes import Process, running
from tests.factories.budgets import leases_of, window_of
from tests.servers.gateway import wait_for

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
PROCESSES = 4 if FULL else 2
PROGRAM = Path(__file__).with_name("spending.py").read_text()


class Spenders:
    """Processes that spend; one that is killed is replaced."""

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        orders: dict[str, Any],
        *,
        environments: Sequence[dict[str, str]] = (),
    ) -> None:
        self._stack, self._folder, self._orders = stack, folder, orders
        self._environments = environments
        self._seed = 0
        self.running = [self._start() for _ in range(PROCESSES)]
        for one in self.running:
            assert one.read_line() == "started"

    def _start(self) -> Process:
        place = self._seed % PROCESSES
        self._seed += 1
        orders = {"folder": str(self._folder), "seed": self._seed, "place": (place, PROCESSES)}
        environment = {
            "DATABASE_URL": databases.url(),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "FLO2_DATA_DIR": str(settings.FLO2_DATA_DIR),
            "FLO2_WORKERS": str(PROCESSES),
            **(self._environments[place] if self._environments else {}),
        }
        argument = json.dumps({**self._orders, **orders})
        return self._stack.enter_context(running(PROGRAM, argument, env=environment))

    def kill_one(self) -> None:
        self.running.pop(0).kill()
        started = self._start()
        assert started.read_line() == "started"
        self.running.append(started)

    def finish(self) -> list[dict[str, Any]]:
        told = []
        for one in self.running:
            told.append(json.loads(one.read_line()))
            assert one.finish() == 0
        return told


def orders(
    tenants: list[Tenant],
    projects: Sequence[Project] = (),
    keys: Sequence[GatewayKey] = (),
    **rest: Any,
) -> dict[str, Any]:
    """What spenders do until their time is over, unless something else is said."""
    by_tenant: dict[str, list[str]] = {}
    for project in projects:
        by_tenant.setdefault(str(project.tenant_id), []).append(str(project.pk))
    given = {
        "tenants": [str(one.pk) for one in tenants], "projects": by_tenant,
        "keys": [(str(one.pk), str(one.lineage)) for one in keys], "calls": 10**9,
    }  # fmt: skip
    return {**given, **rest}


def committed(budget: Budget) -> Decimal:
    """What is spent and what processes, dead ones included, may still spend, in one statement."""
    with tenancy.tenant_scope(budget.tenant_id):
        rows = BudgetWindow.objects.for_tenant(budget.tenant_id).filter(budget=budget, calls="live")
        found = list(rows.values_list("spent", "leases__amount"))
    spent = found[0][0] if found else Decimal(0)
    return sum((amount for _, amount in found if amount), start=spent or Decimal(0))


def settle_down(folder: Path) -> None:
    """What living processes do every ten seconds: take over from the dead."""
    wait_for(lambda: _adopted(folder), "dead journals are shipped", seconds=30)
    lease_rows.release_the_dead(folder, lease_rows.folder_id(folder))


def _adopted(folder: Path) -> bool:
    reconcile.adopt_dead_journals(folder)
    return not list(folder.glob("*.jnl"))


def calls_of(budget: Budget) -> list[Call]:
    """All calls that the budget covers."""
    with tenancy.tenant_scope(budget.tenant_id):
        calls = Call.objects.for_tenant(budget.tenant_id).filter(mode="live")
        if budget.project_id:
            calls = calls.filter(project_id=budget.project_id)
        if budget.lineage:
            keys = GatewayKey.objects.for_tenant(budget.tenant_id).filter(lineage=budget.lineage)
            calls = calls.filter(gateway_key_id__in=list(keys.values_list("pk", flat=True)))
        return list(calls)


def on_the_books(budget: Budget) -> Decimal:
    """The sum of the attempts that the budget covers, by reading every row."""
    wanted = {call.id for call in calls_of(budget)}
    with tenancy.tenant_scope(budget.tenant_id):
        rows = Attempt.objects.for_tenant(budget.tenant_id).values_list("call_id", "cost")
        return sum((cost for call, cost in rows if cost and call in wanted), Decimal(0))


def check_at_rest(made: list[Budget]) -> None:
    """Of budgets with one window each: it has what the books have, and nobody holds a lease."""
    for budget in made:
        window = window_of(budget)
        assert window.spent == on_the_books(budget)
        assert window.leased == 0
        assert leases_of(budget) == {}


class Watch:
    """For the report: how long an experiment took and how busy the machine was."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __str__(self) -> str:
        passed = time.monotonic() - self._began
        return f"{passed:.0f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
