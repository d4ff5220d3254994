"""What booked calls cost their budgets: counted in the transaction that books them, exactly once.

A window's `spent` is the sum of the attempts of all calls that began in it, whatever became of
them. What a call had reserved leaves its process's lease by the same amount.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID

from django.utils import timezone

from accounts.models import GatewayKey
from billing import lease_rows, money, windows
from billing.deltas import Booked
from billing.lease_rows import Holder, WindowKey
from billing.models import Budget, BudgetAlert, BudgetWindow, Lease


class Purse(Protocol):
    """The leases of the process whose calls are booked."""

    @property
    def holder(self) -> Holder: ...

    def pays(self, call: str, key: WindowKey) -> bool:
        """Whether a call has a reservation in this window."""

    def forgive(self, key: WindowKey, amount: int) -> None:
        """A lease had less than its calls cost: no debt remains."""

    def booked(self, call: str) -> None:
        """The call's end is in the database."""


class Forgiven(NamedTuple):
    key: WindowKey
    amount: int


class Charge(NamedTuple):
    """What one call adds to its budgets, in pico-dollars."""

    call: Booked
    amount: int


MOST_ROWS = 200  # in one statement
Lineages = dict[UUID, UUID]  # of gateway keys


def book(booked: Iterable[Booked], purse: Purse | None) -> list[Forgiven]:
    """Count what was booked, in the transaction of the books; what leases were short of."""
    charges = [Charge(call, amount) for call in booked if (amount := _cost(call))]
    if not charges:
        return []
    tenants = {charge.call.opened.tenant for charge in charges}
    budgets = list(Budget.objects.filter(tenant_id__in=tenants).order_by("id"))
    if not budgets:
        return []
    moves, by_id = _moves(budgets, charges, purse), {budget.pk: budget for budget in budgets}
    found = lease_rows.locked_all(sorted(moves), by_id)
    return _move(found, moves, by_id, purse)


def tell(purse: Purse, booked: Iterable[Booked], forgiven: Iterable[Forgiven]) -> None:
    """After the commit: let go of what was reserved for calls that are booked to their end."""
    for key, amount in forgiven:
        purse.forgive(key, amount)
    for call in booked:
        if call.settled and call.sign > 0:
            purse.booked(call.opened.call)


def covers(budget: Budget, call: Booked, lineages: Lineages) -> bool:
    """Whether a call counts against a budget."""
    opened = call.opened
    if budget.tenant_id != opened.tenant:
        return False
    if budget.project_id:
        return budget.project_id == opened.project
    if budget.lineage:
        return opened.key is not None and lineages.get(opened.key) == budget.lineage
    return True


def key_of(budget: Budget, calls: str, at: int) -> WindowKey | None:
    """The window of a budget that a moment lies in; None before a total has begun."""
    since = windows.milliseconds(budget.created_at)
    window = windows.at(budget.window, at, since=since)
    return WindowKey(budget.pk, calls, window.start) if at >= window.start else None


def alert(budget: Budget, window: BudgetWindow, *, before: Decimal, now: datetime) -> None:
    """Note the thresholds that spending has reached since it was so much: each once."""
    if reached := _reached(budget, window, before=before, now=now):
        BudgetAlert.objects.for_tenant(budget.tenant_id).bulk_create(reached, ignore_conflicts=True)


def _reached(
    budget: Budget, window: BudgetWindow, *, before: Decimal, now: datetime
) -> list[BudgetAlert]:
    limit, spent = lease_rows.effective_limit(budget, now), window.spent
    return [
        BudgetAlert(
            tenant_id=budget.tenant_id,
            window=window,
            percent=percent,
            spent=spent,
            limit=limit,
            created_at=now,
        )
        for percent in percents(budget)
        if before * 100 < limit * percent <= spent * 100
    ]


def percents(budget: Budget) -> Sequence[int]:
    """The thresholds as whole percents."""
    return [round(share * 100) for share in budget.alert_at]


def _cost(call: Booked) -> int:
    total = sum(money.to_pico(a.cost) for a in call.attempts if a.cost)
    return call.sign * total


@dataclass
class Move:
    """What a batch of calls adds to one window, in pico-dollars."""

    spent: int = 0
    owed: int = 0  # of that what the lease of the calls' process pays


def _moves(
    budgets: Iterable[Budget], charges: Sequence[Charge], purse: Purse | None
) -> dict[WindowKey, Move]:
    lineages = _lineages(budgets, charges)
    by_tenant: defaultdict[UUID, list[Charge]] = defaultdict(list)
    for charge in charges:
        by_tenant[charge.call.opened.tenant].append(charge)
    moves: defaultdict[WindowKey, Move] = defaultdict(Move)
    for budget in budgets:
        for call, amount in by_tenant[budget.tenant_id]:
            if not covers(budget, call, lineages):
                continue
            key = key_of(budget, call.opened.mode, call.opened.opened_at)
            if key is None:
                continue
            moves[key].spent += amount
            if purse and call.sign > 0 and purse.pays(call.opened.call, key):
                moves[key].owed += amount
    return moves


def _move(
    found: Mapping[WindowKey, BudgetWindow],
    moves: Mapping[WindowKey, Move],
    budgets: Mapping[UUID, Budget],
    purse: Purse | None,
) -> list[Forgiven]:
    """Count in windows that are locked; how much the process's leases were short of."""
    owing = [found[key].pk for key in found if moves[key].owed]
    leases = lease_rows.of_holder(purse.holder, owing) if purse and owing else {}
    now, alerts, forgiven = timezone.now(), [], []
    for key, window in found.items():
        move, before, lease = moves[key], window.spent, leases.get(window.pk)
        window.spent = before + money.from_pico(move.spent)
        held = money.to_pico(lease.amount) if lease else 0
        paid = min(move.owed, held)
        if lease and paid:
            lease.amount = money.from_pico(held - paid)
            window.leased = window.leased - money.from_pico(paid)
        if move.owed > paid:
            forgiven.append(Forgiven(key, move.owed - paid))
        alerts += _reached(budgets[key.budget], window, before=before, now=now)
    BudgetWindow.objects.bulk_update(found.values(), ["spent", "leased"], batch_size=MOST_ROWS)
    Lease.objects.bulk_update(leases.values(), ["amount"], batch_size=MOST_ROWS)
    BudgetAlert.objects.bulk_create(alerts, ignore_conflicts=True)
    return forgiven


def _lineages(budgets: Iterable[Budget], charges: Iterable[Charge]) -> Lineages:
    """The lineage of each key, where a budget asks for it."""
    if not any(budget.lineage for budget in budgets):
        return {}
    keys = {charge.call.opened.key for charge in charges if charge.call.opened.key}
    return dict(GatewayKey.objects.filter(pk__in=keys).values_list("pk", "lineage"))
