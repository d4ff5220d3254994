"""Price past calls again: under the prices that are in force now."""

from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from accounts import audit
from accounts.models import Tenant
from billing import corrections, money
from billing.corrections import Outcome, PriceOn, Span
from billing.pricing import Price
from routing.providers import prices


def price_on(tenant: UUID) -> PriceOn:
    """A tenant's own price, else the operator's, as set now; else the list price of the day.

    In the tenant's scope.
    """
    own, by_operator = prices.read(tenant)

    @lru_cache(maxsize=10_000)
    def find(provider: str, model: str, day: date) -> Price | None:
        key = (provider, model)
        return own.get(key) or by_operator.get(key) or prices.on_day(provider, model, day)

    return find


def reprice(
    tenant: Tenant, span: Span, *, actor: audit.Actor, now: datetime, apply: bool
) -> Outcome:
    """Price a span again, and note it in the audit list. In the tenant's scope."""
    outcome = corrections.reprice(
        tenant.pk, span, price_on(tenant.pk), by=actor.name, now=now, apply=apply
    )
    if apply and outcome.attempts:
        audit.record(
            tenant,
            actor=actor,
            action="calls.repriced",
            subject=f"{span.period.first} to {span.period.last}, {span.mode}",
            attempts=outcome.attempts,
            change_usd=money.plain(outcome.change),
        )
    return outcome
