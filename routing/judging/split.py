"""What the split of calls shows of each arm: calls, errors, cost, latency. Reads, in a scope."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from accounts import ids
from billing.models import Call
from billing.money import ZERO
from routing.judging.deltas import MOST_CALLS, Measured, quantile
from routing.models import Arm, Experiment


@dataclass(frozen=True)
class ArmFigures:
    """Calls of users that an arm answered, or failed to."""

    name: str
    calls: int
    errors: int
    units: int  # sessions, or calls
    cost: Decimal
    unpriced: int
    measured: tuple[Measured, ...] = ()  # the newest of them

    @property
    def cost_per_call(self) -> Decimal | None:
        priced = self.calls - self.unpriced
        return self.cost / priced if priced else None

    def latency(self, share: float) -> float | None:
        return quantile([m.latency_ms for m in self.measured if m.latency_ms is not None], share)

    def first_token(self, share: float) -> float | None:
        found = [m.first_token_ms for m in self.measured if m.first_token_ms is not None]
        return quantile(found, share)


@dataclass(frozen=True)
class Spent:
    """What our own calls for an experiment have cost, as the ledger has it."""

    shadow: Decimal
    judge: Decimal
    calls: int


def read(
    experiment: Experiment, arms: Sequence[Arm], *, measures: bool = True
) -> dict[str, ArmFigures]:
    """The figures of every arm by its name."""
    labels = {f"{experiment.shown_id}/{arm.name}": arm.name for arm in arms}
    rows = _calls(experiment).filter(experiment__in=labels, purpose="user")
    sums: dict[str, dict[str, Any]] = {
        row["experiment"]: dict(row)
        for row in rows.values("experiment")
        .annotate(
            calls=Count("id"),
            errors=Count("id", filter=Q(status__in=("failed", "unknown"))),
            total=Sum("cost"),
            unpriced=Count("id", filter=Q(cost=None)),
            sessions=Count("session", distinct=True, filter=~Q(session="")),
            alone=Count("id", filter=Q(session="")),
        )
        .order_by("experiment")
    }
    measured = _measured(rows) if measures else {}
    by_session = experiment.assignment == Experiment.Assignment.SESSION
    return {
        name: _of(name, sums.get(label), tuple(measured.get(label, ())), by_session=by_session)
        for label, name in labels.items()
    }


def spent(experiment: Experiment) -> Spent:
    rows = _calls(experiment).filter(experiment__startswith=experiment.shown_id)
    found = {
        row["purpose"]: row
        for row in rows.exclude(purpose="user")
        .values("purpose")
        .annotate(total=Sum("cost"), calls=Count("id"))
        .order_by("purpose")
    }
    nothing: dict[str, Any] = {}
    shadow, judge = found.get("shadow", nothing), found.get("judge", nothing)
    return Spent(
        shadow.get("total") or ZERO,
        judge.get("total") or ZERO,
        shadow.get("calls", 0) + judge.get("calls", 0),
    )


def _of(
    name: str, sums: dict[str, Any] | None, measured: tuple[Measured, ...], *, by_session: bool
) -> ArmFigures:
    if sums is None:
        return ArmFigures(name, 0, 0, 0, ZERO, 0)
    return ArmFigures(
        name=name,
        calls=sums["calls"],
        errors=sums["errors"],
        units=sums["sessions"] + sums["alone"] if by_session else sums["calls"],
        cost=sums["total"] or ZERO,
        unpriced=sums["unpriced"],
        measured=measured,
    )


def _measured(rows: QuerySet[Call]) -> dict[str, list[Measured]]:
    """The newest answered calls by their label."""
    columns = ("experiment", "id", "session", "cost", "first_token_ms", "latency_ms")
    newest = rows.filter(status="succeeded").order_by("-id").values_list(*columns)
    found: dict[str, list[Measured]] = {}
    for label, call, session, cost, first, latency in newest[:MOST_CALLS]:
        price = None if cost is None else float(cost)
        found.setdefault(label, []).append(Measured(session or str(call), price, first, latency))
    return found


def _calls(experiment: Experiment) -> QuerySet[Call]:
    """The tenant's calls since the start; ids are in the order of time."""
    rows = Call.objects.for_tenant(experiment.tenant_id).filter(mode=experiment.mode)
    if experiment.started_at is None:
        return rows.none()
    return rows.filter(id__gte=ids.first_after(int(experiment.started_at.timestamp() * 1000)))
