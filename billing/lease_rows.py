"""Leases in the database: take a slice of a window, give it back. Beside the request path.

Each function is one transaction that locks the window's row first, so whoever counts it anew
counts alone.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from accounts import changes, ids
from accounts.tenancy import system_scope, tenant_scope
from billing import money, windows
from billing.models import Budget, BudgetWindow, Lease
from billing.money import ZERO

RECALL = "recall"  # the change that asks every process to give back what it does not need
LARGEST_SLICE = Decimal(1)  # USD
SLICES = 8  # of what remains, for each process that holds one
FEWEST_CALLS = 4  # a slice that pays for fewer is not worth having


class WindowKey(NamedTuple):
    """A window before it has a row: which budget, live or test calls, since when (Unix ms)."""

    budget: UUID
    calls: str
    start: int


class Holder(NamedTuple):
    """A process that holds leases: its journal's name, and the folder where that lies."""

    name: str
    folder: str


class Granted(NamedTuple):
    """What a window gave, in pico-dollars, and how it stands after that."""

    amount: int
    room: int  # what is left for others and for later
    limit: Decimal
    spent: Decimal
    leased: Decimal
    has_others: bool  # hold slices of it
    is_over: bool = False  # what is spent and leased is more than the limit
    raised_until: int = windows.NEVER  # Unix ms; from then on the limit is lower


GONE = Granted(0, 0, ZERO, ZERO, ZERO, has_others=False)


def take(tenant: UUID, key: WindowKey, holder: Holder, need: int) -> Granted:
    """Lease a slice, or at least what one call needs. Raises DatabaseError.

    A slice is an eighth of what remains for each process, at most one dollar: slices shrink
    towards the limit, so that little lies idle when money is scarce.
    """
    with tenant_scope(tenant):
        window = locked(tenant, key)
        budget = Budget.objects.for_tenant(tenant).filter(pk=key.budget).first()
        if window is None or budget is None:
            return GONE
        leases = Lease.objects.for_tenant(tenant).filter(window=window, amount__gt=0)
        others = leases.exclude(holder=holder.name).count()
        now = timezone.now()
        limit = effective_limit(budget, now)
        left = money.to_pico(limit - window.spent - window.leased)
        remaining = max(0, left)
        amount = _slice(remaining, need, others + 1)
        if amount:
            window.leased += money.from_pico(amount)
            window.save(update_fields=["leased"])
            _add(window, holder, amount)
        return Granted(
            amount,
            remaining - amount,
            limit,
            window.spent,
            window.leased,
            has_others=bool(others),
            is_over=left < 0,
            raised_until=_raised_until(budget, now),
        )


def _slice(remaining: int, need: int, processes: int) -> int:
    size = min(remaining // (SLICES * processes), money.to_pico(LARGEST_SLICE))
    if size >= FEWEST_CALLS * need:
        return size
    return need if need <= remaining else 0


def _add(window: BudgetWindow, holder: Holder, amount: int) -> None:
    """Add to the holder's lease of a window that is locked."""
    lease, _ = Lease.objects.for_tenant(window.tenant_id).get_or_create(
        window=window,
        holder=holder.name,
        defaults={"tenant_id": window.tenant_id, "folder": holder.folder, "amount": ZERO},
    )
    lease.amount += money.from_pico(amount)
    lease.save(update_fields=["amount"])


def give_back(tenant: UUID, key: WindowKey, holder: Holder, amount: int | None) -> None:
    """Return so much of the holder's lease, or (None) all of it. Raises DatabaseError."""
    with tenant_scope(tenant):
        window = locked(tenant, key)
        leases = Lease.objects.for_tenant(tenant).filter(window=window, holder=holder.name)
        lease = leases.first() if window else None
        if window is None or lease is None:
            return
        less = lease.amount if amount is None else min(lease.amount, money.from_pico(amount))
        window.leased -= less
        window.save(update_fields=["leased"])
        if less == lease.amount:
            lease.delete()
        else:
            lease.amount -= less
            lease.save(update_fields=["amount"])


def recall(tenant: UUID, budget: UUID) -> None:
    """Ask every process to give back what it does not need. Raises DatabaseError."""
    with tenant_scope(tenant):
        changes.record(RECALL, tenant=tenant, subject=budget)


def release_the_dead(folder: Path, folder_id: str) -> int:
    """Return the leases of processes whose journals are all shipped; how many there were.

    A process that lives has a journal; one that is dead has none once it is adopted, and by then
    all that it spent is booked.
    """
    with system_scope():
        names = Lease.objects.filter(folder=folder_id).values_list("holder", flat=True).distinct()
        dead = [name for name in names if not any(folder.glob(f"{name}*.jnl"))]
        leases = list(Lease.objects.filter(folder=folder_id, holder__in=dead)) if dead else []
    return sum(_release(lease) for lease in leases)


def write_off(host: str, folder: Path) -> int:
    """Return the leases of a host that never comes back; how many there were.

    Those of processes whose journals lie in this folder are left: they are shipped from here.
    """
    with system_scope():
        leases = [
            lease
            for lease in Lease.objects.all()
            if lease.holder.rsplit("-", 2)[0] == host[:60]
            and not any(folder.glob(f"{lease.holder}*.jnl"))
        ]
    return sum(_release(lease) for lease in leases)


def _release(lease: Lease) -> int:
    """Return all of a lease; 0 where somebody else has done it."""
    with tenant_scope(lease.tenant_id):
        windows_ = BudgetWindow.objects.for_tenant(lease.tenant_id).select_for_update(no_key=True)
        window = windows_.filter(pk=lease.window_id).first()
        current = Lease.objects.for_tenant(lease.tenant_id).filter(pk=lease.pk).first()
        if window is None or current is None:
            return 0
        window.leased -= current.amount
        window.save(update_fields=["leased"])
        current.delete()
        return 1


def folder_id(folder: Path) -> str:
    """What tells this folder of journals from another host's of the same name; made once."""
    path, mine = folder / ".folder", folder / f".folder-{os.getpid()}-{ids.new().hex}"
    if not path.exists():
        mine.write_text(ids.new().hex)
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)  # whole or not at all, and only the first one
        mine.unlink()
    return path.read_text()


def effective_limit(budget: Budget, now: datetime) -> Decimal:
    """The limit with a temporary raise that is in force."""
    limit = budget.limit
    if budget.raised_until and budget.raised_until > now:
        return min(limit + budget.raised_by, money.LARGEST)
    return limit


def _raised_until(budget: Budget, now: datetime) -> int:
    until = budget.raised_until
    return windows.milliseconds(until) if until and until > now else windows.NEVER


def locked(tenant: UUID, key: WindowKey) -> BudgetWindow | None:
    """The row of a window, made where it is missing, locked; None where the budget is gone."""
    rows = BudgetWindow.objects.for_tenant(tenant)
    place = {
        "budget_id": key.budget,
        "calls": key.calls,
        "starts_at": windows.instant(key.start),
    }
    found = rows.select_for_update(no_key=True).filter(**place).first()
    if found is None and Budget.objects.for_tenant(tenant).filter(pk=key.budget).exists():
        rows.get_or_create(**place, defaults={"tenant_id": tenant})
        found = rows.select_for_update(no_key=True).filter(**place).first()
    return found


def locked_all(
    keys: Sequence[WindowKey], budgets: Mapping[UUID, Budget]
) -> dict[WindowKey, BudgetWindow]:
    """The rows of windows of any tenants, made where they are missing, locked in this order."""
    known = _find(keys)
    missing = [
        BudgetWindow(
            tenant_id=budgets[key.budget].tenant_id,
            budget_id=key.budget,
            calls=key.calls,
            starts_at=windows.instant(key.start),
        )
        for key in keys
        if key not in known
    ]
    if missing:  # before anything is locked, so that nobody who makes the same waits in a circle
        BudgetWindow.objects.bulk_create(missing, ignore_conflicts=True)
    return _find(keys, lock=True)


def _find(keys: Sequence[WindowKey], *, lock: bool = False) -> dict[WindowKey, BudgetWindow]:
    rows = BudgetWindow.objects.filter(
        budget__in={key.budget for key in keys},
        starts_at__in={windows.instant(key.start) for key in keys},
    )
    if lock:
        rows = rows.select_for_update(no_key=True)
    ordered = rows.order_by("budget_id", "calls", "starts_at")
    found = {(row.budget_id, row.calls, row.starts_at): row for row in ordered}
    places = {key: (key.budget, key.calls, windows.instant(key.start)) for key in keys}
    return {key: found[place] for key, place in places.items() if place in found}


def of_holder(holder: Holder, of_windows: Sequence[UUID]) -> dict[UUID, Lease]:
    """A process's leases, by window."""
    rows = Lease.objects.filter(window__in=of_windows, holder=holder.name)
    return {lease.window_id: lease for lease in rows}


def lock_all(budget: Budget) -> None:
    """Lock every window before what hangs on it, in the order of those who book calls."""
    rows = BudgetWindow.objects.for_tenant(budget.tenant_id).filter(budget=budget)
    list(rows.select_for_update().order_by("calls", "starts_at"))
