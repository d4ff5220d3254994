"""The catalogue of this process, and how a model name finds its offers (contract §4).

1. `provider/model` where that provider offers the model: pinned.
2. An id, alias or family as written: every provider that offers it. Dots and dashes are the same
   in Claude's names.
3. A provider's slug and a rest that nobody knows: pinned, passed on as it stands.
"""

import copy
import difflib
from collections import ChainMap
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
from django.conf import settings

from routing.providers import loader
from routing.providers.spec import MODEL_NAME, ModelOffer, Provider

NAME = MODEL_NAME


@dataclass(frozen=True, slots=True)
class Offer:
    """A model at a provider. `model` is None for a name that the catalogue does not know."""

    provider: Provider
    model_id: str
    model: ModelOffer | None
    target: str = field(init=False, compare=False)
    place: tuple[str, str] = field(init=False, compare=False)  # provider, model
    weights: str = field(init=False, compare=False)  # the family that answers, else the model

    def __post_init__(self) -> None:
        slug = self.provider.slug
        family = self.model.family if self.model else ""
        object.__setattr__(self, "target", f"{slug}/{self.model_id}")
        object.__setattr__(self, "place", (slug, self.model_id))
        object.__setattr__(self, "weights", family or self.model_id)


class Catalog:
    def __init__(self, providers: dict[str, Provider]) -> None:
        self.providers = providers
        self._by_target: MutableMapping[str, Offer] = {}
        self._by_name: MutableMapping[str, tuple[Offer, ...]] = {}
        self.resolved: dict[str, Any] = {}  # what names stood for: see `routing.plan.naming`
        self.auto: tuple[Offer, ...] = ()
        for provider in providers.values():
            for model in provider.models:
                self._add(Offer(provider, model.id, model))

    def with_models(self, added: Iterable[tuple[str, ModelOffer]]) -> "Catalog":
        """This catalogue and further models by provider; one of the same id is replaced.

        Only what differs is kept twice: most tenants that add something add little.
        """
        merged = copy.copy(self)
        merged.providers = dict(self.providers)
        merged._by_target = ChainMap({}, self._by_target)  # noqa: SLF001  another one of us
        merged._by_name = ChainMap({}, self._by_name)  # noqa: SLF001
        merged.resolved = {}
        for slug, model in added:
            if slug in merged.providers:
                merged._put(slug, model)  # noqa: SLF001
        return merged

    def _put(self, slug: str, model: ModelOffer) -> None:
        provider = self.providers[slug]
        kept = tuple(known for known in provider.models if known.id != model.id)
        provider = msgspec.structs.replace(provider, models=(*kept, model))
        self.providers[slug] = provider
        old = self._by_target.get(f"{slug}/{_folded(model.id)}")
        if old and old.model and old.model_id == model.id:
            self.auto = tuple(offer for offer in self.auto if offer is not old)
            for key in _keys(old.model):
                offers = self._by_name.get(key, ())
                self._by_name[key] = tuple(offer for offer in offers if offer is not old)
        self._add(Offer(provider, model.id, model))

    def _add(self, offer: Offer) -> None:
        model = offer.model
        if model is None:
            return
        for name in (model.id, *model.aliases):
            target = f"{offer.provider.slug}/{_folded(name)}"
            known = self._by_target.get(target)
            if known is None or known.model_id == offer.model_id:
                self._by_target[target] = offer
        for key in _keys(model):
            self._by_name[key] = (*self._by_name.get(key, ()), offer)
        if model.auto and model.kind == "chat":
            self.auto = (*self.auto, offer)

    def find(self, slug: str, name: str) -> Offer | None:
        """A provider's model by its id or alias; None if the catalogue has none."""
        return self._by_target.get(f"{slug}/{_folded(name)}")

    def pinned(self, name: str) -> Offer | None:
        """Rules 1 and 3: the offer of one provider that a name pins."""
        slug, separator, rest = name.partition("/")
        provider = self.providers.get(slug)
        if not separator or provider is None or not rest:
            return None
        known = self.find(slug, rest)
        if known or self._by_name.get(_folded(name)):
            return known
        return Offer(provider, rest, None)

    def offers(self, name: str) -> tuple[Offer, ...]:
        """Every offer that a name stands for; empty if nobody knows it."""
        pinned = self.pinned(name)
        if pinned:
            return (pinned,)
        return self._by_name.get(_folded(name), ())

    def knows(self, name: str) -> bool:
        """Whether the catalogue has a model of exactly this spelling."""
        return bool(self._by_name.get(_folded(name)))

    def near(self, name: str, count: int = 3) -> list[str]:
        """Names like this one, for the error that says it is unknown."""
        return difflib.get_close_matches(
            name.rpartition("/")[2], self._names(), n=count, cutoff=0.5
        )

    def _names(self) -> list[str]:
        return list({name.rpartition("/")[2] for name, offers in self._by_name.items() if offers})

    def labels(self, slugs: Iterable[str]) -> str:
        """Providers as a sentence lists them."""
        names = [self.providers[slug].label for slug in slugs]
        return " or ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _keys(model: ModelOffer) -> list[str]:
    """The names that a model is found by."""
    family = [model.family] if model.family else []
    return list(dict.fromkeys(_folded(name) for name in (model.id, *model.aliases, *family)))


def _folded(name: str) -> str:
    """Names compare in lower case; Claude's with dashes for dots."""
    name = name.lower()
    return name.replace(".", "-") if "claude" in name else name


@lru_cache(maxsize=1)
def current() -> Catalog:
    """The catalogue as it was released, with tenants' own endpoints where they are allowed."""
    known = loader.load_all()
    usable = {
        slug: provider
        for slug, provider in known.items()
        if settings.FLO2_ALLOW_CUSTOM or not provider.has_own_url
    }
    return Catalog(usable)
