"""What a requested model name stands for: offers, and how they are to be ranked. Pure."""

import msgspec

from accounts.errors import InvalidRequest
from routing.errors import ModelNotFound
from routing.providers.catalog_index import NAME, Catalog, Offer

AUTO = "auto"
MOST_REMEMBERED = 1000  # names, per catalogue
POLICY_MARK = "@"  # before the name of a policy, in place of a model
SUFFIXES = {":floor": "cheapest", ":nitro": "throughput"}
AUTO_STRATEGIES = {
    "auto": "",
    "auto:cheapest": "cheapest",
    "auto:fastest": "fastest",
    "auto:balanced": "balanced",
}


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """The offers behind a name. `strategy` is empty where the name does not choose one."""

    name: str
    offers: tuple[Offer, ...]
    strategy: str = ""
    is_pinned: bool = False
    is_auto: bool = False


def resolve(name: str, catalog: Catalog) -> Wanted:
    """Raises InvalidRequest for what cannot be a name, ModelNotFound for what nobody knows.

    Remembered with the catalogue, which never changes.
    """
    found: Wanted | None = catalog.resolved.get(name)
    if found is None:
        found = _resolve(name, catalog)
        if len(catalog.resolved) >= MOST_REMEMBERED:
            catalog.resolved.clear()
        catalog.resolved[name] = found
    return found


def _resolve(name: str, catalog: Catalog) -> Wanted:
    if not NAME.fullmatch(name):
        raise InvalidRequest("model holds characters that no model name has.", param="model")
    if name in AUTO_STRATEGIES:
        return Wanted(name, catalog.auto, AUTO_STRATEGIES[name], is_auto=True)
    strategy = ""
    if not catalog.knows(name):
        for suffix, meaning in SUFFIXES.items():
            if name.endswith(suffix):
                name, strategy = name.removesuffix(suffix), meaning
    if name == AUTO:
        return Wanted(name, catalog.auto, strategy, is_auto=True)
    pinned = catalog.pinned(name)
    if pinned:
        return Wanted(name, (pinned,), strategy, is_pinned=True)
    offers = catalog.offers(name)
    if not offers:
        near = catalog.near(name)
        hint = f"Did you mean {', '.join(near)}? " if near else ""
        raise ModelNotFound(model=name, hint=f"{hint}GET /v1/models lists what this key can call.")
    return Wanted(name, offers, strategy)
