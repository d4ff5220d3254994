"""Sums over the attempts of a period that are out of the ordinary, made by the database.

There may be tens of thousands in a month: nobody looks at them one by one. Costs are those that
rule now, with corrections.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db import connection, models

from billing import money, periods
from billing.models import Attempt, Call, Correction
from billing.periods import Period
from billing.usage import BUCKETS, Usage

Kind = Literal["unpriced", "reported"]

# Each kind has a small index of its own.
_CONDITIONS: dict[Kind, str] = {
    "unpriced": "a.cost IS NULL AND k.call_id IS NULL",
    "reported": (
        "a.reported_cost IS NOT NULL AND a.cost_status <> 'reported'"
        " AND (a.cost IS NOT NULL OR k.call_id IS NOT NULL)"
    ),
}


@dataclass(frozen=True)
class Sums:
    """Over the attempts of a model."""

    provider: str
    model: str
    attempts: int
    cost: Decimal
    reported: Decimal  # the provider's own figures
    usage: Usage


def by_model(tenant: UUID, period: Period, kind: Kind, *, mode: str) -> list[Sums]:
    """The sums of each model that has such attempts."""
    owner = _id(tenant)
    within = [owner, _id(periods.first_id(period.start)), _id(periods.id_after(period.end))]
    days = [connection.ops.adapt_datetimefield_value(at) for at in (period.start, period.end)]
    with connection.cursor() as cursor:
        cursor.execute(_statement(kind), [*within, *within, *within, *days, mode])
        return [_sums(row) for row in cursor.fetchall()]


def _statement(kind: Kind) -> str:
    attempt, call, correction = (m._meta.db_table for m in (Attempt, Call, Correction))
    sums = ["coalesce(a.cost, 0) + coalesce(k.change, 0)", "a.reported_cost"]
    sums += [f"a.{bucket}" for bucket in BUCKETS]
    return (
        "SELECT a.provider, a.model, count(*),"  # noqa: S608  the values are parameters
        f" {', '.join(f'coalesce(sum({one}), 0)' for one in sums)}"
        f" FROM {attempt} a"
        f" JOIN {call} c ON c.tenant_id = a.tenant_id AND c.id = a.call_id"
        f" LEFT JOIN (SELECT call_id, number, sum(change) AS change FROM {correction}"
        " WHERE tenant_id = %s AND call_id >= %s AND call_id < %s GROUP BY call_id, number) k"
        " ON k.call_id = a.call_id AND k.number = a.number"
        f" WHERE {_CONDITIONS[kind]}"
        " AND a.tenant_id = %s AND a.call_id >= %s AND a.call_id < %s"
        " AND c.tenant_id = %s AND c.id >= %s AND c.id < %s"
        " AND c.created_at >= %s AND c.created_at < %s AND c.mode = %s"
        " GROUP BY a.provider, a.model"
    )


def _sums(row: tuple[Any, ...]) -> Sums:
    provider, model, attempts, cost, reported, *tokens = row
    usage = Usage(**dict(zip(BUCKETS, map(int, tokens), strict=True)))
    ours, theirs = (money.from_pico(int(pico)) for pico in (cost, reported))
    return Sums(provider, model, attempts, ours, theirs, usage)


def _id(value: UUID) -> Any:
    return models.UUIDField().get_db_prep_value(value, connection)
