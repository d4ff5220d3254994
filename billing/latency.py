"""How long the last calls took: medians and 95th percentiles, and of how many calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from uuid import UUID

from billing.models import Call

SAMPLE = 500


@dataclass(frozen=True)
class Latency:
    """Milliseconds over `calls` succeeded calls; None where there were none to measure."""

    calls: int
    p50_ms: int | None
    p95_ms: int | None
    first_token_p50_ms: int | None
    first_token_p95_ms: int | None


def of_last_calls(tenant: UUID, *, mode: str, sample: int = SAMPLE) -> Latency:
    """Of the last so many calls of a mode those that a provider answered."""
    rows = Call.objects.for_tenant(tenant).filter(mode=mode).order_by("-id")
    last = rows.values_list("status", "purpose", "latency_ms", "first_token_ms", "cache")[:sample]
    good = [row for row in last if row[0] == "succeeded" and row[1] == "user" and row[4] != "hit"]
    total = [row[2] for row in good]
    first = [row[3] for row in good if row[3] is not None]
    return Latency(
        calls=len(good),
        p50_ms=percentile(total, 50),
        p95_ms=percentile(total, 95),
        first_token_p50_ms=percentile(first, 50),
        first_token_p95_ms=percentile(first, 95),
    )


def percentile(values: Sequence[int], share: int) -> int | None:
    """The least value that so many percent of the values do not exceed (nearest rank).

    >>> percentile([10, 20, 30, 40], 50)
    20
    """
    if not values:
        return None
    return sorted(values)[max(0, ceil(len(values) * share / 100) - 1)]
