"""Why nobody can serve a call, as the caller is told. Pure."""

from accounts.errors import GatewayError
from routing.errors import (
    ContextTooLong,
    ModelNotAllowed,
    NoProviderKey,
    NotServed,
    PriceUnknown,
    ProviderCreditExhausted,
    ProviderKeyRejected,
    TooExpensive,
)
from routing.plan.candidates import CODES, Excluded
from routing.providers.catalog_index import Catalog


def of(name: str, excluded: list[Excluded], catalog: Catalog, url: str) -> GatewayError:
    """The code latest in the order of the filters decides. `url` is where keys are pasted."""
    if not excluded:
        return NotServed(f"No candidate for {name!r} is left.", param="model")
    decisive = max(excluded, key=lambda out: CODES.index(out.code))
    slugs = dict.fromkeys(out.provider for out in excluded if out.provider)
    known: dict[str, GatewayError] = {
        "no_key": NoProviderKey(model=name, providers=catalog.labels(slugs), url=url),
        "key_disabled": ProviderKeyRejected(model=name, url=url),
        "key_invalid": ProviderKeyRejected(model=name, url=url),
        "key_no_credit": ProviderCreditExhausted(model=name, url=url),
        "not_allowed": ModelNotAllowed(model=name),
        "price_unknown": PriceUnknown(model=name),
        "max_price": TooExpensive(model=name, limit="max_price of the request or its policy"),
        "max_cost": TooExpensive(model=name, limit="x-flo2-max-cost"),
        "context": ContextTooLong(
            f"The request is too long for {name!r}: {decisive.detail}.", param="messages"
        ),
    }
    return known.get(decisive.code) or NotServed(
        f"No candidate for {name!r} can do this: {decisive.code} {decisive.detail}.",
        param="model",
    )
