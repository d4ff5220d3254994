"""Who can serve a call, with all that no call changes worked out before. Pure.

`lined_up` finds what `candidates.sift` finds. Usable keys, prices, capabilities and allowed models
of a pool of offers are judged once and kept while keys, prices and catalogue stay the same. A call
adds its costs, and judges anew only the offers that it, or their health, may have something
against.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from weakref import ref

import msgspec

from accounts.keyring import Keyring
from routing.health import expected
from routing.plan.candidates import (
    DOUBTFUL_SHARE,
    NO_CREDIT_REST,
    Candidate,
    Circumstances,
    Excluded,
    judge,
    judge_for_good,
    price_hit,
    sift,
)
from routing.plan.costs import expected_cost, floats
from routing.plan.lineup import UNKNOWN, Lineup
from routing.providers.catalog_index import Offer

MOST_PREPARED = 400  # pools of offers; one of a hundred takes about 30 kB

Place = tuple[str, str]  # provider, model
Key = tuple[object, ...]


class Columns(msgspec.Struct, frozen=True, eq=False, gc=False):
    """USD per token of input and output and per request, of candidates in their order."""

    inputs: tuple[float, ...]
    outputs: tuple[float, ...]
    fees: tuple[float, ...]
    lengths: tuple[float, ...]  # tokens of an answer of usual length
    usual: tuple[float, ...]  # such an answer with its fee; infinite without a price

    def costs(self, size: int, most: float) -> list[float]:
        """Of so many tokens of input and an answer of usual length, or of `most` tokens."""
        if most >= expected.MOST_OUTPUT:
            return [rate * size + rest for rate, rest in zip(self.inputs, self.usual, strict=True)]
        return [
            rate * size + other * (length if length < most else most) + fee  # noqa: FURB136  min() costs more
            for rate, other, fee, length in zip(
                self.inputs, self.outputs, self.fees, self.lengths, strict=True
            )
        ]


class Prepared(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A pool of offers, judged by all that lasts."""

    offers: tuple[Offer, ...]
    ring: "ref[Keyring]"  # weak: it holds opened secrets
    basis: tuple[object, ...]  # of the prices
    until: datetime | None  # when a key that had no credit may be tried again
    candidates: tuple[Candidate, ...]  # as yet without costs
    spans: tuple[tuple[int, int], ...]  # the candidates of each offer: from, to
    excluded: dict[int, Excluded]  # by the offer's place
    rejected: frozenset[int]  # places of offers for which there are rejected keys alone
    at: dict[Place, list[int]]  # places of offers
    has_rivals: bool  # an offer with several keys, or an offer twice
    least_context: float  # tokens
    columns: Columns
    tiered: tuple[int, ...]  # candidates whose rates depend on the size of the input
    least_tier: float  # tokens above which they do

    def costs(self, its: Circumstances) -> list[float]:
        """USD that the call is expected to cost at each candidate; infinite without a price."""
        chat = its.chat
        costs = self.columns.costs(chat.input_tokens, chat.max_tokens or math.inf)
        if chat.input_tokens > self.least_tier:
            self._weigh(self.tiered, costs, its)
        learned = its.health.learned(chat, its.options.session)
        for place in self.at if learned is None else self.at.keys() & learned:
            for offer in self.at[place]:
                self._weigh(range(*self.spans[offer]), costs, its)
        return costs

    def _weigh(self, places: Iterable[int], costs: list[float], its: Circumstances) -> None:
        """Replace the costs of candidates whose amounts or rates are not the usual ones."""
        for place in places:
            one = self.candidates[place]
            if one.price:
                amounts = its.health.expected(one.offer, one.key, its.chat, its.options.session)
                costs[place] = expected_cost(one.price, amounts)

    def suspects(self, its: Circumstances) -> list[int]:
        """Places of offers that this call, or their health, may have something against."""
        chat, options = its.chat, its.options
        found = set(self.rejected)
        if not its.health.is_calm:
            for place in self.at.keys() & its.health.unwell():
                found.update(self.at[place])
        wanted = DOUBTFUL_SHARE * chat.input_tokens + (chat.max_tokens or 1)
        if wanted > self.least_context:
            found.update(i for i, one in enumerate(self.offers) if wanted > _context(one))
        if options.max_price or options.max_cost is not None:
            for i, (start, stop) in enumerate(self.spans):
                if start < stop and price_hit(self.candidates[start].price, self.offers[i], its):
                    found.add(i)
        return sorted(found - self.excluded.keys()) if found else []


def lined_up(
    offers: tuple[Offer, ...], its: Circumstances, *, lasts: bool = True
) -> tuple[Lineup, list[Excluded]]:
    """Who of the offers can serve the request, and what was excluded; both in the offers' order.

    `lasts`: whether the same tuple of offers will come again.
    """
    if len(offers) < 2 or not lasts or its.options.simulation:
        found, excluded = sift(offers, its)
        return Lineup.of(found), excluded
    known = _found(offers, its)
    suspects, costs = known.suspects(its), known.costs(its)
    if not suspects:
        lineup = Lineup(known.candidates, costs, (), known.has_rivals)
        return lineup, list(known.excluded.values())
    verdicts = {place: judge(offers[place], its) for place in suspects}
    out = {place: one for place, one in verdicts.items() if isinstance(one, Excluded)}
    every = sorted({**known.excluded, **out}.items(), key=itemgetter(0))
    return _replaced(known, costs, verdicts), [one for _, one in every]


def _replaced(
    known: Prepared, costs: list[float], verdicts: dict[int, list[Candidate] | Excluded]
) -> Lineup:
    """The candidates with what was found of some offers, by their place, in place of them."""
    candidates: list[Candidate] = []
    kept: list[float] = []
    doubtful: set[int] = set()
    done = 0
    for offer, verdict in verdicts.items():
        start, stop = known.spans[offer]
        candidates += known.candidates[done:start]
        kept += costs[done:start]
        done = stop
        if isinstance(verdict, list):
            own = Lineup.of(verdict)
            doubtful.update(len(candidates) + place for place in own.doubtful)
            candidates += verdict
            kept += own.costs
    candidates += known.candidates[done:]
    kept += costs[done:]
    return Lineup(candidates, kept, doubtful, known.has_rivals)


_prepared: dict[Key, Prepared] = {}


def _found(offers: tuple[Offer, ...], its: Circumstances) -> Prepared:
    """Remembered: identities are part of the key, and what they belong to is kept with it."""
    caller, chat, ring = its.caller, its.chat, its.ring
    basis = getattr(its.price_of, "basis", None) or (id(its.price_of), its.price_of)
    key = (
        id(offers), id(ring), basis[0], caller.is_test, caller.allowed_models, chat.needs,
        chat.kind, its.options.deny_data_collection,
    )  # fmt: skip
    found = _prepared.get(key)
    if (
        found is None
        or found.ring() is not ring
        or found.basis != basis
        or (found.until is not None and its.now >= found.until)
    ):
        if len(_prepared) >= MOST_PREPARED:
            _prepared.clear()
        gone = ref(ring, lambda _: _prepared.pop(key, None))
        found = _prepared[key] = _prepare(offers, its, gone, basis)
    return found


def _prepare(
    offers: tuple[Offer, ...], its: Circumstances, ring: "ref[Keyring]", basis: tuple[object, ...]
) -> Prepared:
    candidates: list[Candidate] = []
    spans: list[tuple[int, int]] = []
    excluded: dict[int, Excluded] = {}
    rejected: set[int] = set()
    at: dict[Place, list[int]] = defaultdict(list)
    for place, offer in enumerate(offers):
        start = len(candidates)
        keys = judge_for_good(offer, its)
        if isinstance(keys, Excluded):
            excluded[place] = keys
        elif keys[0] and keys[0].status == "invalid":
            rejected.add(place)
        else:
            price = its.price_of(*offer.place)
            candidates += [Candidate(offer, key, price, None) for key in keys]
        spans.append((start, len(candidates)))
        at[offer.place].append(place)
    tiered = [i for i, one in enumerate(candidates) if one.price and one.price.tiers]
    tiers = [tier for i in tiered for tier in getattr(candidates[i].price, "tiers", ())]
    return Prepared(
        offers=offers,
        ring=ring,
        basis=basis,
        until=_credit_at(its),
        candidates=tuple(candidates),
        spans=tuple(spans),
        excluded=excluded,
        rejected=frozenset(rejected),
        at=dict(at),
        has_rivals=len({one.offer.place for one in candidates}) < len(candidates),
        least_context=min(map(_context, offers)),
        columns=_columns(candidates),
        tiered=tuple(tiered),
        least_tier=min((tier.above_input_tokens for tier in tiers), default=math.inf),
    )


def _credit_at(its: Circumstances) -> datetime | None:
    """The first moment at which a key that has no credit is tried again."""
    moments = [
        key.checked_at + NO_CREDIT_REST
        for key in its.ring.keys
        if key.status == "no_credit" and key.checked_at
    ]
    return min((moment for moment in moments if moment > its.now), default=None)


def _columns(candidates: list[Candidate]) -> Columns:
    rows = [_row(one) for one in candidates]
    inputs, outputs, fees, lengths = zip(*rows, strict=True) if rows else ((),) * 4
    usual = tuple(rate * length + fee for _, rate, fee, length in rows)
    return Columns(inputs, outputs, fees, lengths, usual)


def _row(one: Candidate) -> tuple[float, float, float, float]:
    length = expected.usual_output(one.offer)
    if one.price is None:
        return 0.0, 0.0, UNKNOWN, length
    uncached, _, _, output, fee = floats(one.price.rates)
    return uncached, output, fee, length


def _context(offer: Offer) -> float:
    return (offer.model.context if offer.model else None) or math.inf
