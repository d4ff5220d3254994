"""Budgets: made, changed, raised for a while, removed; and how they stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Sum

from accounts import audit, changes
from accounts.errors import Conflict, InvalidRequest
from accounts.models import GatewayKey, Project, Tenant
from billing import charges, known_budgets, lease_rows, money, rollups, windows
from billing.lease_rows import WindowKey
from billing.models import Budget, BudgetAlert, BudgetWindow, SpendDelta, SpendHour
from billing.money import ZERO

MOST = 200  # of a tenant
CALLS = ("live", "test")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a budget is to be. `subject` is a project, or any key of a lineage, or None."""

    limit: Decimal
    window: str = "month"
    mode: str = "hard"
    alert_at: Sequence[float] = (0.5, 0.8, 1.0)
    subject: Project | GatewayKey | None = None


@dataclass(frozen=True)
class Standing:
    """How a budget stands in its current window, for live calls or for test calls."""

    budget: Budget
    subject: Project | GatewayKey | None
    limit: Decimal  # a raise in force included
    spent: Decimal
    leased: Decimal
    resets_at: datetime | None
    alerts: tuple[BudgetAlert, ...] = ()

    @property
    def remaining(self) -> Decimal:
        return max(ZERO, self.limit - self.spent)

    @property
    def share(self) -> float:
        """What part of the limit is spent; a limit of nothing counts as used up."""
        return float(self.spent / self.limit) if self.limit else 1.0

    @property
    def share_width(self) -> float:
        """Of a bar that is 100 wide."""
        return round(min(1.0, self.share) * 100, 1)

    @property
    def is_raised(self) -> bool:
        return self.limit > (self.budget.limit)


def create(tenant: Tenant, wish: Wish, *, actor: audit.Actor, now: datetime) -> Budget:
    """Make a budget; what its current window has cost so far counts. Raises InvalidRequest.

    A total counts from now on.
    """
    if Budget.objects.for_tenant(tenant).count() >= MOST:
        raise Conflict(f"There are {MOST} budgets already; remove one first.")
    budget = Budget(
        tenant=tenant,
        limit=_amount("limit_usd", wish.limit),
        window=wish.window,
        mode=wish.mode,
        alert_at=_shares(wish.alert_at),
        created_at=now,
        **_scope(wish.subject),
    )
    budget.save(force_insert=True)
    rollups.hold_deltas()  # nobody books between the sum and the commit
    for calls in CALLS:
        _open_window(budget, calls, now)
    _note(budget, actor, "budget.created", now)
    return budget


def change(
    budget: Budget,
    *,
    actor: audit.Actor,
    now: datetime,
    limit: Decimal | None = None,
    mode: str | None = None,
    alert_at: Sequence[float] | None = None,
) -> Budget:
    """Another limit, mode or thresholds. Scope and window of a budget are for life."""
    if limit is not None:
        budget.limit = _amount("limit_usd", limit)
    if mode is not None:
        budget.mode = mode
    if alert_at is not None:
        budget.alert_at = _shares(alert_at)
    budget.save(update_fields=["limit", "mode", "alert_at"])
    _note(budget, actor, "budget.changed", now)
    return budget


def raise_for_a_while(
    budget: Budget, *, by: Decimal, until: datetime | None, actor: audit.Actor, now: datetime
) -> Budget:
    """Allow more until a moment, or to the end of the window; 0 ends a raise."""
    by = _amount("by_usd", by)
    ends_at = until or _window(budget, now).resets_at
    if by and ends_at is None:
        raise InvalidRequest("A total budget never resets: say until when.", param="until")
    if by and ends_at and ends_at <= now:
        raise InvalidRequest("That moment is over.", param="until")
    budget.raised_by, budget.raised_until = by, ends_at if by else None
    budget.save(update_fields=["raised_by", "raised_until"])
    _note(budget, actor, "budget.raised" if by else "budget.raise_ended", now)
    return budget


def remove(budget: Budget, *, actor: audit.Actor) -> None:
    """Remove a budget with its counters; calls and costs stay on the books."""
    audit.record(budget.tenant, actor=actor, action="budget.removed", subject=_named(budget))
    changes.record(known_budgets.KIND, tenant=budget.tenant_id, subject=budget.pk)
    lease_rows.lock_all(budget)
    budget.delete()


def standings(tenant: Tenant | UUID, *, calls: str, now: datetime) -> list[Standing]:
    """How all budgets of a tenant stand. Four queries."""
    owner = tenant if isinstance(tenant, UUID) else tenant.pk
    budgets = list(Budget.objects.for_tenant(owner).select_related("project", "tenant"))
    return _stand(owner, budgets, calls=calls, now=now)


def standing(budget: Budget, *, calls: str, now: datetime) -> Standing:
    [found] = _stand(budget.tenant_id, [budget], calls=calls, now=now)
    return found


def tightest(
    tenant: UUID, *, project: UUID | None, lineage: UUID, calls: str, now: datetime
) -> Standing | None:
    """Of the hard budgets that cover a key the one with the least left."""
    found = [
        one
        for one in standings(tenant, calls=calls, now=now)
        if one.budget.mode == "hard" and _covers(one.budget, project, lineage)
    ]
    return min(found, key=lambda one: one.remaining, default=None)


def sum_of_ledger(budget: Budget, key: WindowKey, end: int) -> Decimal:
    """What the books say of a window that begins on an hour: what its `spent` has to be."""
    between = {"hour__gte": windows.instant(key.start)}
    if end != windows.NEVER:
        between["hour__lt"] = windows.instant(end)
    total = ZERO
    for model in (SpendHour, SpendDelta):
        rows = model.objects.for_tenant(budget.tenant_id).filter(mode=key.calls, **between)
        if budget.project_id:
            rows = rows.filter(project_id=budget.project_id)
        if budget.lineage:
            keys = GatewayKey.objects.for_tenant(budget.tenant_id).filter(lineage=budget.lineage)
            rows = rows.filter(gateway_key_id__in=list(keys.values_list("pk", flat=True)))
        total += rows.aggregate(total=Sum("cost"))["total"] or ZERO
    return total


def _open_window(budget: Budget, calls: str, now: datetime) -> None:
    """The current window of a new budget, with what was spent in it before."""
    window = _window(budget, now)
    key = WindowKey(budget.pk, calls, window.start)
    spent = ZERO if budget.window == "total" else sum_of_ledger(budget, key, window.end)
    row = BudgetWindow(
        tenant_id=budget.tenant_id,
        budget=budget,
        calls=calls,
        starts_at=windows.instant(window.start),
        spent=spent,
    )
    row.save(force_insert=True)
    charges.alert(budget, row, before=ZERO, now=now)


def _window(budget: Budget, now: datetime) -> windows.Window:
    since = windows.milliseconds(budget.created_at)
    return windows.at(budget.window, windows.milliseconds(now), since=since)


def _stand(owner: UUID, budgets: Sequence[Budget], *, calls: str, now: datetime) -> list[Standing]:
    current = {budget.pk: _window(budget, now) for budget in budgets}
    starts = {windows.instant(window.start) for window in current.values()}
    rows = BudgetWindow.objects.for_tenant(owner).filter(
        budget__in=budgets, calls=calls, starts_at__in=starts
    )
    found = {(row.budget_id, row.starts_at): row for row in rows}
    alerts: dict[UUID, list[BudgetAlert]] = {}
    for one in BudgetAlert.objects.for_tenant(owner).filter(window__in=found.values()):
        alerts.setdefault(one.window_id, []).append(one)
    keys = _newest_keys(owner, (budget.lineage for budget in budgets if budget.lineage))
    return [
        _standing_of(budget, keys, found.get((budget.pk, start)), alerts, now)
        for budget in budgets
        for start in [windows.instant(current[budget.pk].start)]
    ]


def _standing_of(
    budget: Budget,
    keys: dict[UUID, GatewayKey],
    row: BudgetWindow | None,
    alerts: dict[UUID, list[BudgetAlert]],
    now: datetime,
) -> Standing:
    reached = alerts.get(row.pk, []) if row else []
    return Standing(
        budget=budget,
        subject=budget.project or keys.get(budget.lineage or budget.pk),
        limit=lease_rows.effective_limit(budget, now),
        spent=(row.spent if row else None) or ZERO,
        leased=(row.leased if row else None) or ZERO,
        resets_at=_window(budget, now).resets_at,
        alerts=tuple(sorted(reached, key=lambda one: one.percent)),
    )


def _newest_keys(owner: UUID, lineages: Iterable[UUID]) -> dict[UUID, GatewayKey]:
    wanted = list(lineages)
    if not wanted:
        return {}
    keys = GatewayKey.objects.for_tenant(owner).filter(lineage__in=wanted)
    return {key.lineage: key for key in keys.order_by("created_at", "id")}


def _covers(budget: Budget, project: UUID | None, lineage: UUID) -> bool:
    if budget.project_id:
        return budget.project_id == project
    return budget.lineage in {None, lineage}


def _scope(subject: Project | GatewayKey | None) -> dict[str, Any]:
    if isinstance(subject, Project):
        return {"scope": "project", "project": subject}
    if subject is not None:
        return {"scope": "key", "lineage": subject.lineage}
    return {"scope": "tenant"}


def _amount(name: str, amount: Decimal) -> Decimal:
    try:
        money.to_pico(amount)
    except (money.InexactMoney, ArithmeticError):
        amount = Decimal(-1)
    if amount < 0:
        raise InvalidRequest(
            f"{name} must be an amount from 0 to {money.LARGEST:,} USD.", param=name
        )
    return amount


def _shares(shares: Sequence[float]) -> list[float]:
    """Thresholds as shares of the limit, rising, in whole percents."""
    found = sorted({round(share, 2) for share in shares})
    if len(found) > 10 or not all(0.01 <= share <= 1 for share in found):
        raise InvalidRequest("alert_at: at most 10 shares from 0.01 to 1.", param="alert_at")
    return found


def _named(budget: Budget) -> str:
    limit = money.plain(budget.limit)
    return f"{limit} USD, {budget.window}, {budget.mode}, {budget.scope}"


def _note(budget: Budget, actor: audit.Actor, action: str, now: datetime) -> None:
    """Have it known: to the audit list, to every process, and as alerts that are due now."""
    audit.record(budget.tenant, actor=actor, action=action, subject=_named(budget))
    changes.record(known_budgets.KIND, tenant=budget.tenant_id, subject=budget.pk)
    if action != "budget.created":
        start = windows.instant(_window(budget, now).start)
        rows = BudgetWindow.objects.for_tenant(budget.tenant_id)
        for row in rows.filter(budget=budget, starts_at=start):
            charges.alert(budget, row, before=ZERO, now=now)
