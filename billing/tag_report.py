"""Spend by tag. Tags are many and free, so there is no roll-up of them: the books are read.

The sums are those of the roll-ups: over settled calls, and over the attempts of all calls, with the
corrections of their costs.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, models

from billing import money, periods
from billing.models import Attempt, Call, Correction
from billing.periods import Period

_TAGS = {
    "postgresql": "CROSS JOIN LATERAL jsonb_array_elements_text(c.tags) AS t(value)",
    "sqlite": "CROSS JOIN json_each(c.tags) AS t",
}
_BY_ATTEMPT = {
    "attempts": "1",
    "failed": "CASE WHEN outcome IN ('answered', 'lost', 'cancelled') THEN 0 ELSE 1 END",
    "input_tokens": (
        "input_uncached + cache_read + cache_write_5m + cache_write_1h + audio_in + image_in"
    ),
    "output_tokens": "output_visible + reasoning + audio_out",
    "cached_tokens": "cache_read",
    "cost": "coalesce(cost, 0) + coalesce(change, 0)",
    "estimated": (
        "CASE WHEN cost_status = 'estimated' OR (change IS NOT NULL AND usage_source = 'estimated')"
        " THEN coalesce(cost, 0) + coalesce(change, 0) ELSE 0 END"
    ),
    "lost": "CASE WHEN outcome = 'lost' THEN coalesce(cost, 0) + coalesce(change, 0) ELSE 0 END",
    "unknown": "CASE WHEN cost IS NULL AND change IS NULL THEN 1 ELSE 0 END",
    "unlucky": "CASE WHEN outcome IN ('answered', 'lost') THEN 0 ELSE 1 END",
}
_BY_CALL = {
    "calls": "c.status <> 'open'",
    "succeeded": "c.status = 'succeeded'",
    "failed_calls": "c.status IN ('failed', 'unknown')",
    "rescued": "c.status = 'succeeded' AND a.unlucky > 0",
    "cache_hits": "c.status <> 'open' AND c.cache = 'hit'",
    "unpriced_calls": "c.status <> 'open' AND c.cost IS NULL AND coalesce(a.unknown, 1) > 0",
}
_SUMMED = [name for name in _BY_ATTEMPT if name not in {"unlucky", "unknown"}]
_NAMES = (*_BY_CALL, *_SUMMED, "saved")
_MONEY = {"cost", "saved", "estimated", "lost"}


def by_tag(tenant: UUID, period: Period, *, mode: str) -> list[tuple[str, dict[str, Any]]]:
    """(tag, sums by name), dearest first; a call counts under each of its tags."""
    owner = _id(tenant)
    bounds = [_id(periods.first_id(period.start)), _id(periods.id_after(period.end))]
    days = [_instant(period.start), _instant(period.end)]
    with connection.cursor() as cursor:
        corrected = [owner, *bounds]
        cursor.execute(_statement(), [*corrected, owner, *bounds, owner, mode, *bounds, *days])
        return [(row[0], _named(row[1:])) for row in cursor.fetchall()]


def _statement() -> str:
    of_attempts = ", ".join(f"sum({value}) AS {name}" for name, value in _BY_ATTEMPT.items())
    of_calls = [f"sum(CASE WHEN {holds} THEN 1 ELSE 0 END)" for holds in _BY_CALL.values()]
    of_both = [*of_calls, *(f"sum(coalesce(a.{name}, 0))" for name in _SUMMED), "sum(c.saved)"]
    return (
        f"SELECT t.value, {', '.join(of_both)}"  # noqa: S608  the values are parameters
        f" FROM {Call._meta.db_table} c {_TAGS[connection.vendor]}"
        f" LEFT JOIN (SELECT t.call_id, {of_attempts} FROM {Attempt._meta.db_table} t"
        " LEFT JOIN (SELECT call_id, number, sum(change) AS change"
        f" FROM {Correction._meta.db_table}"
        " WHERE tenant_id = %s AND call_id >= %s AND call_id < %s GROUP BY call_id, number) k"
        " ON k.call_id = t.call_id AND k.number = t.number"
        " WHERE t.tenant_id = %s AND t.call_id >= %s AND t.call_id < %s GROUP BY t.call_id) a"
        " ON a.call_id = c.id"
        " WHERE c.tenant_id = %s AND c.mode = %s AND c.id >= %s AND c.id < %s"
        " AND c.created_at >= %s AND c.created_at < %s"
        " AND (c.status <> 'open' OR a.attempts > 0)"
        " GROUP BY t.value ORDER BY sum(coalesce(a.cost, 0)) DESC, t.value"
    )


def _named(values: tuple[Any, ...]) -> dict[str, Any]:
    return {
        name: money.from_pico(int(value)) if name in _MONEY else int(value)
        for name, value in zip(_NAMES, values, strict=True)
    }


def _id(value: UUID) -> Any:
    return models.UUIDField().get_db_prep_value(value, connection)


def _instant(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at)
