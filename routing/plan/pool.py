"""The candidates behind each name that a call may be served by, in groups that are tried in turn.

Pure. The first group stands behind the requested name (or a policy's targets), the next ones behind
`models` of the body, the last ones behind the policy's fallbacks.
"""

from functools import cached_property
from weakref import WeakKeyDictionary

import msgspec

from accounts.errors import GatewayError, InvalidRequest
from routing import dialects
from routing.chat import ChatRequest
from routing.conversation import Conversation
from routing.errors import NotServed
from routing.options import Options, PriceCeiling
from routing.plan.candidates import Candidate, Circumstances, Excluded
from routing.plan.lineup import Lineup
from routing.plan.naming import Wanted, resolve
from routing.plan.prepared import lined_up
from routing.plan.ranking import Ranking
from routing.plan.strategies import weighted
from routing.policy_terms import Terms
from routing.providers.catalog_index import Catalog, Offer

MOST_REMEMBERED = 1000  # policies, per catalogue


class Group(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Offers that are ranked among themselves."""

    offers: tuple[Offer, ...]
    strategy: str = ""  # where the name chose one
    excluded: tuple[Excluded, ...] = ()  # names that nobody knows (any more)
    lasts: bool = True  # the same tuple of offers stands behind the name next time


class Named(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What a policy's names stand for in a catalogue."""

    terms: Terms
    offers: tuple[Offer, ...]  # behind the targets, in the order of the list
    unknown: tuple[Excluded, ...]
    places: dict[str, int]  # by target
    weights: dict[str, float]
    fallbacks: tuple[Group, ...]


class Situation:
    """What a call's groups are made from."""

    def __init__(self, its: Circumstances, catalog: Catalog, terms: Terms) -> None:
        self.its = tightened(its, terms)
        self.catalog, self.terms = catalog, terms
        self.named = _named(catalog, terms)

    @cached_property
    def conversation(self) -> Conversation:
        chat = self.its.chat
        return dialects.CALLERS[chat.dialect].converse(chat)

    def first(self, wanted: Wanted) -> Group:
        """Behind the requested name; where that leaves the choice open, the policy's targets."""
        if not self.terms.targets:
            return Group(wanted.offers, wanted.strategy)
        if wanted.is_auto:
            return Group(self.named.offers, wanted.strategy, self.named.unknown)
        if not self.terms.lock:
            return Group(wanted.offers, wanted.strategy)
        return Group(
            tuple(offer for offer in wanted.offers if offer.target in self.named.places),
            wanted.strategy,
            tuple(
                Excluded(offer.provider.slug, offer.model_id, "not_allowed", "by the policy")
                for offer in wanted.offers
                if offer.target not in self.named.places
            ),
            lasts=False,
        )

    def others(self) -> list[Group]:
        """Behind `models` of the body, then behind the policy's fallbacks."""
        groups = []
        for name in self.its.options.models:
            wanted = resolve(name, self.catalog)
            groups.append(Group(wanted.offers, wanted.strategy))
        if self.its.chat.kind != "embedding":
            groups += self.named.fallbacks
        return groups

    def fill(self, group: Group, ranking: Ranking) -> tuple[Lineup, list[Excluded]]:
        """Who of a group can serve the request, in the order of its offers."""
        lineup, excluded = lined_up(group.offers, self.its, lasts=group.lasts)
        lineup, out = self._restricted(lineup)
        if lineup.has_rivals and (ranking.rng is not None or ranking.session):
            lineup = _keys_drawn(lineup, ranking)
        return lineup, [*group.excluded, *excluded, *out]

    def _restricted(self, lineup: Lineup) -> tuple[Lineup, list[Excluded]]:
        """`provider.only`, `provider.ignore` and `provider.require_parameters`."""
        options = self.its.options
        if not (options.only or options.ignore or options.require_parameters):
            return lineup, []
        kept, out = [], []
        for place, candidate in enumerate(lineup.candidates):
            slug = candidate.provider
            if slug in options.ignore or (options.only and slug not in options.only):
                out.append(Excluded(slug, candidate.model, "not_allowed", "by the request"))
            elif options.require_parameters and (lost := self._lost(candidate.offer)):
                out.append(Excluded(slug, candidate.model, "capability", lost))
            else:
                kept.append(place)
        return lineup.only(kept), out

    def _lost(self, offer: Offer) -> str:
        """The parameters that would be changed or left out for this offer, by name."""
        chat = self.its.chat
        try:
            written = dialects.write_request(chat, offer, lambda: self.conversation)
        except InvalidRequest as problem:
            return str(problem.details.get("param") or "a part of the request")
        renamed = offer.provider.quirks_of(offer.model).rename
        return ", ".join(name for name in written.adapted if name not in renamed)


_by_catalog: WeakKeyDictionary[Catalog, dict[int, Named]] = WeakKeyDictionary()


def _named(catalog: Catalog, terms: Terms) -> Named:
    """Remembered: a policy's names stand for the same as long as it and the catalogue do."""
    if not terms.targets and not terms.fallbacks:
        return _NOTHING
    remembered = _by_catalog.setdefault(catalog, {})
    found = remembered.get(id(terms))
    if found is None or found.terms is not terms:
        if len(remembered) >= MOST_REMEMBERED:
            remembered.clear()
        found = remembered[id(terms)] = _looked_up(catalog, terms)
    return found


def _looked_up(catalog: Catalog, terms: Terms) -> Named:
    """Several offers behind one name have its place and share its weight."""
    places: dict[str, int] = {}
    weights: dict[str, float] = {}
    listed: list[Offer] = []
    unknown: list[Excluded] = []
    for place, target in enumerate(terms.targets):
        offers = _offers(target.model, catalog)
        if not offers:
            unknown.append(_unknown(target.model))
        for offer in offers:
            listed.append(offer)
            places.setdefault(offer.target, place)
            weights.setdefault(offer.target, target.weight / len(offers))
    groups = []
    for name in terms.fallbacks:
        offers = _offers(name, catalog)
        groups.append(Group(offers, "", () if offers else (_unknown(name),)))
    return Named(terms, tuple(listed), tuple(unknown), places, weights, tuple(groups))


def _offers(name: str, catalog: Catalog) -> tuple[Offer, ...]:
    """Behind a name of the policy; none if it is not known (any more)."""
    try:
        return resolve(name, catalog).offers
    except GatewayError:
        return ()


_NOTHING = Named(Terms(), (), (), {}, {}, ())


def tightened(its: Circumstances, terms: Terms) -> Circumstances:
    """The circumstances with what the policy demands of every candidate."""
    chat, options = its.chat, its.options
    if terms.require and chat.kind == "chat":
        chat = msgspec.structs.replace(chat, needs=chat.needs | terms.require)
    if terms.max_price:
        ceiling = _lower(options.max_price, terms.max_price)
        options = msgspec.structs.replace(options, max_price=ceiling)
    if chat is its.chat and options is its.options:
        return its
    return msgspec.structs.replace(its, chat=chat, options=options)


def ordered(ranked: list[Candidate], options: Options) -> list[Candidate]:
    """`provider.order`: the providers named come first, in that order."""
    if not options.order:
        return ranked
    places = {slug: place for place, slug in enumerate(options.order)}
    return sorted(ranked, key=lambda candidate: places.get(candidate.provider, len(places)))


def once(candidates: list[Candidate]) -> list[Candidate]:
    """Each target and key once, at its first place."""
    if len({candidate.offer.target for candidate in candidates}) == len(candidates):
        return candidates
    seen: dict[tuple[tuple[str, str], object], Candidate] = {}
    for candidate in candidates:
        key = candidate.key.key_id if candidate.key else None
        seen.setdefault((candidate.offer.place, key), candidate)
    return list(seen.values())


def once_excluded(excluded: list[Excluded], candidates: list[Candidate]) -> list[Excluded]:
    """Each target once, and none that is a candidate by another of its names."""
    if not excluded:
        return excluded
    seen = {candidate.offer.place for candidate in candidates}
    kept = []
    for out in excluded:
        place = (out.provider, out.model)
        if place not in seen:
            seen.add(place)
            kept.append(out)
    return kept


def of_one_model(candidates: list[Candidate]) -> tuple[list[Candidate], list[Excluded]]:
    """Vectors of different models cannot be compared: only the first one's model is left."""
    kept = [one for one in candidates if _weights_of(one) == _weights_of(candidates[0])]
    out = [
        Excluded(one.provider, one.model, "not_allowed", "another embedding model")
        for one in candidates
        if one not in kept
    ]
    return kept, out


def check_slugs(options: Options, catalog: Catalog) -> None:
    """A provider that is named must exist: a misspelt one would be ignored in silence."""
    named = (*options.order, *options.only, *options.ignore)
    if options.simulation:
        named = (*named, *options.simulation.providers)
    for slug in named:
        if slug not in catalog.providers:
            known = ", ".join(catalog.providers)
            raise NotServed(f"There is no provider {slug!r}; there are {known}.", param="provider")


def check_kind(chat: ChatRequest, options: Options) -> None:
    """Raises InvalidRequest where embeddings are asked to fall back to another model."""
    if chat.kind == "embedding" and options.models:
        raise InvalidRequest(
            "models: vectors of different models cannot be compared, so embeddings never fall back"
            " to another model.",
            param="models",
        )


def _weights_of(candidate: Candidate) -> str:
    """The name of the weights that answer: one family's vectors can be compared."""
    model = candidate.offer.model
    return (model.family if model else "") or candidate.model


def _keys_drawn(lineup: Lineup, ranking: Ranking) -> Lineup:
    """Several keys of an offer, which stand side by side, drawn by their weights."""
    by_place: dict[tuple[str, str], list[int]] = {}
    for place, candidate in enumerate(lineup.candidates):
        by_place.setdefault(candidate.offer.place, []).append(place)
    if len(by_place) == len(lineup.candidates):
        return lineup
    drawn: list[int] = []
    for keys in by_place.values():
        drawn += weighted.by_keys(lineup, keys, ranking) if len(keys) > 1 else keys
    return lineup.only(drawn)


def _lower(one: PriceCeiling | None, other: PriceCeiling) -> PriceCeiling:
    """The lower of two ceilings, part by part."""
    if one is None:
        return other
    lowest = {}
    for part in ("input", "output"):
        amounts = [a for a in (getattr(one, part), getattr(other, part)) if a is not None]
        lowest[part] = min(amounts, default=None)
    return PriceCeiling(**lowest)


def _unknown(name: str) -> Excluded:
    return Excluded("", name, "no_key", "no catalogue knows this name")
