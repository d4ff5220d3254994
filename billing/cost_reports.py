"""What money bought and where it went: overheads, a forecast, doubts, and what-if.

Like `reports` read-only and in the tenant's scope. Every figure comes with what it rests on.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing import attempt_sums, corrections, periods, pricing, reports
from billing.models import Attempt, Call, Correction
from billing.money import PICO, ZERO
from billing.periods import Period
from billing.pricing import Price
from billing.reports import Totals
from billing.usage import BUCKETS, Usage

BASIS_DAYS = 7
TOLERANCE = Decimal("0.01")  # of a provider's figure; beyond it a warning is shown
_WHOLE_INPUT = (
    F("input_uncached")
    + F("cache_read")
    + F("cache_write_5m")
    + F("cache_write_1h")
    + F("audio_in")
    + F("image_in")
)


@dataclass(frozen=True)
class Overhead:
    """What was spent beside the answers that callers got."""

    race: Decimal  # attempts that lost a race or came after a hedge
    judge: Decimal
    shadow: Decimal

    @property
    def total(self) -> Decimal:
        return self.race + self.judge + self.shadow


@dataclass(frozen=True)
class Forecast:
    """What a month is likely to cost: what it has cost, and the rest at the mean of recent days."""

    month: date  # its first day
    spent: Decimal
    today: Decimal  # of that
    per_day: Decimal
    days_left: int  # after today
    basis: tuple[date, date] | None  # the days of the mean; None: there is none

    @property
    def total(self) -> Decimal | None:
        """None where nothing is known of how a day goes."""
        if self.basis is None:
            return None
        rest_of_today = max(ZERO, self.per_day - self.today)
        return self.spent + rest_of_today + self.per_day * self.days_left


@dataclass(frozen=True)
class Unpriced:
    """A model without a price, and what was asked of it."""

    provider: str
    model: str
    attempts: int
    usage: Usage


@dataclass(frozen=True)
class Reported:
    """Our figure of a model beside the provider's own, over attempts that have both."""

    provider: str
    model: str
    attempts: int
    ours: Decimal
    theirs: Decimal

    @property
    def difference(self) -> Decimal:
        return self.theirs - self.ours

    @property
    def is_off(self) -> bool:
        return differs(self.ours, self.theirs)


@dataclass(frozen=True)
class WhatIf:
    """What the answers of a period would have cost from another model."""

    calls: int
    actual: Decimal  # of those calls that have a price
    unpriced: int  # calls of which the actual cost is not known
    instead: Decimal

    @property
    def change(self) -> Decimal:
        return self.instead - self.actual


def differs(ours: Decimal, theirs: Decimal) -> bool:
    """Whether two figures of one cost are more than 1 % apart."""
    return abs(theirs - ours) > TOLERANCE * max(abs(ours), abs(theirs))


def overhead(tenant: UUID, period: Period, *, mode: str) -> Overhead:
    by_purpose = {
        row.group["purpose"]: row.totals
        for row in reports.spend(tenant, period, mode=mode, group_by=("purpose",))
    }
    user, judge, shadow = (
        by_purpose.get(purpose, Totals()) for purpose in ("user", "judge", "shadow")
    )
    return Overhead(race=user.lost, judge=judge.cost, shadow=shadow.cost)


def forecast(tenant: UUID, *, mode: str, now: datetime) -> Forecast:
    """The month of `now`. The mean is over the full days before today, at most seven of them.

    Days before the first call do not count: they would pull the mean down.
    """
    today = now.date()
    first = today.replace(day=1)
    recent = Period(min(first, today - timedelta(days=BASIS_DAYS)), today)
    rows = reports.spend(tenant, recent, mode=mode, group_by=("day",))
    costs = {date.fromisoformat(row.group["day"]): row.totals.cost for row in rows}
    spent = sum((cost for day, cost in costs.items() if day >= first), start=ZERO)
    last = today.replace(day=monthrange(today.year, today.month)[1])
    begin = max(today - timedelta(days=BASIS_DAYS), min(costs, default=today))
    days = (today - begin).days
    spent_today, left = costs.get(today, ZERO), (last - today).days
    if days == 0:
        return Forecast(first, spent, spent_today, ZERO, left, None)
    of_basis = sum((costs.get(begin + timedelta(days=n), ZERO) for n in range(days)), start=ZERO)
    per_day = (of_basis / days).quantize(PICO)
    return Forecast(first, spent, spent_today, per_day, left, (begin, today - timedelta(days=1)))


def unpriced(tenant: UUID, period: Period, *, mode: str) -> list[Unpriced]:
    """Models whose calls have no price, those with most attempts first."""
    rows = attempt_sums.by_model(tenant, period, "unpriced", mode=mode)
    found = [Unpriced(row.provider, row.model, row.attempts, row.usage) for row in rows]
    return sorted(found, key=lambda one: (-one.attempts, one.provider, one.model))


def reported(tenant: UUID, period: Period, *, mode: str) -> list[Reported]:
    """Providers' own figures beside ours; those that differ most first."""
    rows = attempt_sums.by_model(tenant, period, "reported", mode=mode)
    found = [
        Reported(row.provider, row.model, row.attempts, row.cost, row.reported) for row in rows
    ]
    return sorted(found, key=lambda one: (not one.is_off, -abs(one.difference)))


def what_if(tenant: UUID, period: Period, price: Price, *, mode: str) -> WhatIf:
    """The answered calls of users, priced as if another model had given the same tokens.

    Another model would count and write other tokens; cached tokens count as cached there, too.
    """
    calls = Call.objects.for_tenant(tenant).filter(
        id__gte=periods.first_id(period.start),
        id__lt=periods.id_after(period.end),
        created_at__gte=period.start,
        created_at__lt=period.end,
        mode=mode,
        purpose="user",
        status="succeeded",
    )
    answered = calls.exclude(cache="hit")
    sums = answered.annotate(whole_input=_WHOLE_INPUT).aggregate(
        calls=Count("id"),
        actual=Sum("cost"),
        unpriced=Count("id", filter=Q(cost=None)),
        **_sums_by_tier(price),
    )
    corrected = _corrected(tenant, period, answered)
    return WhatIf(
        calls=sums["calls"],
        actual=(sums["actual"] or ZERO) + corrected.change,
        unpriced=sums["unpriced"] - corrected.newly_priced,
        instead=_priced(sums, price),
    )


@dataclass(frozen=True)
class _Corrected:
    change: Decimal
    newly_priced: int


def _corrected(tenant: UUID, period: Period, calls: QuerySet[Call]) -> _Corrected:
    """What corrections make of the costs of these calls."""
    rows = Correction.objects.for_tenant(tenant).filter(
        call_id__gte=periods.first_id(period.start), call_id__lt=periods.id_after(period.end)
    )
    touched = calls.filter(id__in=rows.values("call_id"))
    change, newly = ZERO, 0
    for call in touched.iterator():
        attempts = list(Attempt.objects.for_tenant(tenant).filter(call_id=call.id))
        settled = corrections.as_booked(call, attempts, corrections.of_calls(tenant, [call.id]))[1]
        now = settled.cost if settled else None
        if now is None:
            continue
        newly += call.cost is None
        change += now - (call.cost or ZERO)
    return _Corrected(change, newly)


def _floors(price: Price) -> list[int]:
    """The least input of a request that each of the rates applies to."""
    return [0, *(tier.above_input_tokens + 1 for tier in price.tiers)]


def _sums_by_tier(price: Price) -> dict[str, Any]:
    """Tokens by bucket, and calls, of the requests of each tier."""
    floors = _floors(price)
    wanted: dict[str, Any] = {}
    for place, floor in enumerate(floors):
        within = Q(whole_input__gte=floor)
        if place + 1 < len(floors):
            within &= Q(whole_input__lt=floors[place + 1])
        wanted[f"number_{place}"] = Count("id", filter=within)
        for name in BUCKETS:
            wanted[f"{name}_{place}"] = Coalesce(Sum(name, filter=within), 0)
    return wanted


def _priced(sums: dict[str, Any], price: Price) -> Decimal:
    """The sum of the costs of all calls at this price: tier by tier the arithmetic is the same."""
    total = ZERO
    for place, floor in enumerate(_floors(price)):
        usage = Usage(**{name: sums[f"{name}_{place}"] for name in BUCKETS})
        rates = price.rates_for(floor)
        tokens = pricing.cost_of(usage, Price(source=price.source, rates=rates))
        total += tokens - rates.per_request + rates.per_request * sums[f"number_{place}"]
    return total


def estimated_share(totals: Totals) -> float | None:
    """What part of a cost rests on estimated usage; None where nothing was spent."""
    return float(totals.estimated / totals.cost) if totals.cost else None
