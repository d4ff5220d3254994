"""The price in force: tenant's own → operator's → catalogue row → genai-prices → None.

Looked up once per tenant, provider and model, and kept until a price changes or the day does.
"""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from pathlib import Path
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import close_old_connections

from accounts import changes
from accounts.tenancy import tenant_scope
from billing import pricing
from billing.models import OperatorPrice, PriceOverride
from billing.models.price_override import SetPrice
from billing.pricing import Price, Rates, Tier
from routing.providers import catalog_index, price_book
from routing.providers.price_book import PriceBook
from routing.providers.spec import PriceRow, PriceTier

KIND = "price"
Model = tuple[str, str]  # provider, model

_list_prices: dict[Model, Price | None] = {}
_list_day: date | None = None
_set_prices: dict[UUID | None, dict[Model, Price]] = {}
_fresh: set[UUID | None] = set()  # whose were read since the last change; None is the operator


@lru_cache(maxsize=1)
def book() -> PriceBook:
    return price_book.load(Path(settings.FLO2_DATA_DIR))


def in_force(tenant: UUID, provider: str, model: str, *, today: date) -> Price | None:
    """The price of a model for a tenant, from memory; `load` must have been called for it."""
    own = _set_prices.get(tenant)
    if own and (price := own.get((provider, model))):
        return price
    operators = _set_prices.get(None)
    if operators and (price := operators.get((provider, model))):
        return price
    return listed(provider, model, today=today)


class Prices(msgspec.Struct, frozen=True, gc=False):
    """The prices of a tenant on a day, as a function of provider and model."""

    tenant: UUID
    today: date

    def __call__(self, provider: str, model: str) -> Price | None:
        return in_force(self.tenant, provider, model, today=self.today)

    @property
    def basis(self) -> tuple[object, ...]:
        """What they rest on, whose first: prices of the same basis are the same."""
        own = _set_prices.get(self.tenant) or None
        return self.tenant if own else None, self.today, own, _set_prices.get(None) or None


def listed(provider: str, model: str, *, today: date) -> Price | None:
    """The list price of a day: the catalogue's own row, else genai-prices'."""
    global _list_day
    if today != _list_day:
        _list_prices.clear()
        _list_day = today
    key = (provider, model)
    try:
        return _list_prices[key]
    except KeyError:
        if len(_list_prices) > 10_000:
            _list_prices.clear()
        price = _list_prices[key] = _look_up(provider, model, today)
        return price


def on_day(provider: str, model: str, day: date) -> Price | None:
    """The list price of any day, not kept in memory."""
    return _look_up(provider, model, day)


def is_loaded(tenant: UUID) -> bool:
    return tenant in _fresh and None in _fresh


def load(tenant: UUID) -> None:
    """Read the prices that this tenant and the operator set. Raises DatabaseError.

    What was known serves until then: a call that is under way is not charged at another price.
    """
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            own, by_operator = read(tenant)
    finally:
        close_old_connections()
    _set_prices[tenant], _set_prices[None] = own, by_operator
    if changes.feed.generation == generation:  # else it may have changed while we read
        _fresh.update((tenant, None))


def read(tenant: UUID) -> tuple[dict[Model, Price], dict[Model, Price]]:
    """What this tenant and the operator set, as the database has it now. In the caller's scope."""
    own = PriceOverride.objects.for_tenant(tenant).order_by("created_at", "id")
    return _newest(own), _newest(OperatorPrice.objects.order_by("created_at", "id"))


def _look_up(provider: str, model: str, day: date) -> Price | None:
    known = catalog_index.current().providers.get(provider)
    for offer in known.models if known else ():
        if model in (offer.id, *offer.aliases) and offer.prices:
            row = next((r for r in reversed(offer.prices) if r.since <= day), offer.prices[0])
            tiers = tuple(Tier(tier.above_input_tokens, _rates(tier)) for tier in row.tiers)
            return Price(source="catalogue", since=row.since, rates=_rates(row), tiers=tiers)
    return book().find(provider, model, day)


def _rates(row: PriceRow | PriceTier) -> Rates:
    return Rates(
        input=row.input,
        output=row.output,
        cache_read=row.cached_input,
        cache_write_5m=row.cache_write,
        cache_write_1h=row.cache_write_1h,
    )


def _newest(rows: Iterable[SetPrice]) -> dict[Model, Price]:
    """The price in force of each model, rows in order of time; a withdrawn one is none."""
    found: dict[Model, Price] = {}
    for row in rows:
        if row.price:
            found[row.provider, row.model] = pricing.from_json(row.price)
        else:
            found.pop((row.provider, row.model), None)
    return found


def forget_all() -> None:
    """Read the set prices anew before they are used again."""
    _fresh.clear()
    _set_prices.clear()


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:  # the operator's, or anybody's
        _fresh.clear()
    else:
        _fresh.discard(tenant)


changes.listen(KIND, _forget)
