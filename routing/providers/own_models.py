"""A tenant's own word on models: describe one, price one, take it back. Each change is audited."""

import msgspec
from django.utils import timezone

from accounts import audit, changes
from accounts.errors import InvalidRequest, NotFound
from accounts.models import Tenant
from billing import pricing
from billing.models import PriceOverride
from billing.pricing import Price, Rates
from routing.models import TenantModel
from routing.providers import overrides, prices, rules
from routing.providers.catalog_index import Offer

MOST = 500  # models that one tenant may describe


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant says of a model. None and empty: as the catalogue has it."""

    family: str = ""
    kind: str = ""
    context: int | None = None
    output: int | None = None
    can: tuple[str, ...] | None = None
    reasons: bool | None = None

    @property
    def is_empty(self) -> bool:
        return self == Description()


def put(
    tenant: Tenant,
    *,
    provider: str,
    model: str,
    said: Description,
    rates: Rates | None,
    actor: audit.Actor,
) -> Offer:
    """Describe and price a model, in place of all that was said before. In the caller's scope.

    A name that the catalogue has as an alias means the model behind it. Raises InvalidRequest.
    """
    shared = overrides.read_shared()
    if provider not in shared.providers:
        known = ", ".join(shared.providers)
        raise InvalidRequest(f"There is no such provider; known: {known}.", param="provider")
    found = shared.find(provider, model)
    name = found.model_id if found else model
    row = TenantModel(tenant=tenant, provider=provider, model=name, created_by=actor.name)
    for field, value in msgspec.structs.asdict(said).items():
        setattr(row, field, value)
    described = overrides.described(row, shared)
    for problem in rules.of_model(described):
        raise InvalidRequest(f"{problem}.", param=problem.partition(":")[0])
    _keep(row, is_needed=found is None or not said.is_empty)
    price = Price(source="tenant", since=timezone.now().date(), rates=rates) if rates else None
    _set_price(tenant, provider, name, price, actor)
    audit.record(
        tenant,
        actor=actor,
        action="catalog_model.set",
        subject=f"{provider}/{name}",
        price=pricing.to_builtins(price) if price else None,
        **msgspec.to_builtins(said),
    )
    _announce(tenant)
    return Offer(shared.providers[provider], name, described)


def remove(tenant: Tenant, *, provider: str, model: str, actor: audit.Actor) -> None:
    """Take back what a tenant said of a model. Raises NotFound if it said nothing."""
    found = overrides.read(tenant.pk).find(provider, model)
    name = found.model_id if found else model
    rows = TenantModel.objects.for_tenant(tenant).filter(provider=provider, model=name)
    was_described = bool(rows.delete()[0])
    was_priced = _set_price(tenant, provider, name, None, actor)
    if not (was_described or was_priced):
        raise NotFound(kind="model of your own")
    audit.record(tenant, actor=actor, action="catalog_model.removed", subject=f"{provider}/{name}")
    _announce(tenant)


def _keep(row: TenantModel, *, is_needed: bool) -> None:
    """Put a row in the place of the one before it, or in no place."""
    rows = TenantModel.objects.for_tenant(row.tenant)
    rows.filter(provider=row.provider, model=row.model).delete()
    if not is_needed:
        return
    if rows.count() >= MOST:
        raise InvalidRequest(f"A tenant may describe at most {MOST} models.", param="model")
    row.save(force_insert=True)


def _set_price(
    tenant: Tenant, provider: str, name: str, price: Price | None, actor: audit.Actor
) -> bool:
    """Add a row if the price in force is another; whether there was one before."""
    rows = PriceOverride.objects.for_tenant(tenant).filter(provider=provider, model=name)
    last = rows.order_by("created_at", "id").last()
    before = last.price if last else ""
    if price is None and not before:
        return False
    if price is None or not before or pricing.from_json(before).rates != price.rates:
        PriceOverride(
            tenant=tenant,
            provider=provider,
            model=name,
            price=pricing.to_json(price).decode() if price else "",
            created_by=actor.name,
        ).save(force_insert=True)
    return bool(before)


def _announce(tenant: Tenant) -> None:
    changes.record(overrides.KIND, tenant=tenant.pk)
    changes.record(prices.KIND, tenant=tenant.pk)
