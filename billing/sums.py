"""Sums over the attempts of a call. Pure."""

from collections.abc import Iterable
from decimal import Decimal

from billing.facts import AttemptEnded, CostStatus
from billing.money import ZERO


def total_of(attempts: Iterable[AttemptEnded]) -> tuple[Decimal | None, CostStatus]:
    """What a call cost: the sum over all its attempts, and how sure that is.

    One attempt that used tokens at an unknown price makes the whole unknown: never 0.
    """
    total = ZERO
    status: CostStatus = "priced"
    for attempt in attempts:
        if attempt.cost is None:
            return None, "unpriced"
        total += attempt.cost
        if attempt.cost_status == "estimated" or status == "estimated":
            status = "estimated"
        elif attempt.cost_status == "reported":
            status = "reported"
    return total, status
