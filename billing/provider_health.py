"""How often each provider answered in the last 24 hours, hour by hour."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Sum

from billing.models import SpendDelta, SpendHour

HOURS = 24


@dataclass(frozen=True)
class HealthHour:
    start: datetime
    attempts: int
    failed: int

    @property
    def share(self) -> float | None:
        """The share of attempts that did not fail, from 0 to 1."""
        return 1 - self.failed / self.attempts if self.attempts else None


@dataclass(frozen=True)
class ProviderHealth:
    provider: str
    attempts: int
    failed: int
    hours: tuple[HealthHour, ...]

    @property
    def share(self) -> float | None:
        return 1 - self.failed / self.attempts if self.attempts else None


def last_day(tenant: UUID, *, mode: str, now: datetime) -> list[ProviderHealth]:
    """Providers that were asked at least once, the most asked first. Two queries."""
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [this_hour - timedelta(hours=ago) for ago in range(HOURS - 1, -1, -1)]
    counts: defaultdict[str, defaultdict[datetime, list[int]]] = defaultdict(
        lambda: defaultdict(lambda: [0, 0])
    )
    for model in (SpendHour, SpendDelta):
        rows = model.objects.for_tenant(tenant).filter(mode=mode, hour__gte=starts[0])
        for provider, hour, attempts, failed in (
            rows.exclude(provider="")
            .order_by()
            .values_list("provider", "hour")
            .annotate(Sum("attempts"), Sum("failed"))
        ):
            count = counts[provider][hour]
            count[0] += attempts
            count[1] += failed
    found = [_health(provider, starts, by_hour) for provider, by_hour in counts.items()]
    asked = [health for health in found if health.attempts]
    return sorted(asked, key=lambda health: (-health.attempts, health.provider))


def _health(
    provider: str, starts: list[datetime], by_hour: defaultdict[datetime, list[int]]
) -> ProviderHealth:
    hours = tuple(HealthHour(start, *by_hour[start]) for start in starts)
    return ProviderHealth(
        provider=provider,
        attempts=sum(hour.attempts for hour in hours),
        failed=sum(hour.failed for hour in hours),
        hours=hours,
    )
