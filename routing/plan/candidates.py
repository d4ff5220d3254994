"""Which provider, model and key could serve a request, and why the others could not. Pure.

The hard filters come in a fixed order; an offer's first hit is its exclusion code. When nothing is
left, the code that comes last in that order decides what the caller is told.
"""

import math
from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Protocol

import msgspec

from accounts.callers import Caller
from accounts.keyring import Keyring, RingKey
from billing import money
from billing.pricing import Price
from routing.chat import ChatRequest
from routing.health import expected
from routing.health.breakers import WELL, Pause
from routing.health.expected import Expected
from routing.options import Options
from routing.plan import worst_case
from routing.plan.costs import exceeds, expected_cost
from routing.providers.catalog_index import Offer

CODES = (
    "no_key", "key_disabled", "key_invalid", "key_no_credit", "not_allowed", "data_collection",
    "endpoint", "capability", "context", "output_limit", "price_unknown", "max_price", "max_cost",
    "breaker_open",
)  # fmt: skip
ALL_OPEN = "all_open_least_bad"  # why somebody is asked who should rest
NO_CREDIT_REST = timedelta(hours=1)
CERTAIN_SHARE = 0.9  # an estimate of input tokens may be this much too high
DOUBTFUL_SHARE = 1.1  # or this much too low

Place = tuple[str, str]  # provider, model
NOBODY: frozenset[Place] = frozenset()


class Candidate(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An offer and a key that may serve the request. `key` is None for the sandbox's own."""

    offer: Offer
    key: RingKey | None
    price: Price | None
    expected_cost: float | None  # USD, None where there is no price
    goes_last: bool = False  # may well fail: near the window or a rate limit, or failing elsewhere

    @property
    def expected_amount(self) -> Decimal | None:
        """The expected cost as an amount that can be booked."""
        cost = self.expected_cost
        return None if cost is None else money.nearest(Decimal(cost))

    @property
    def provider(self) -> str:
        return self.offer.provider.slug

    @property
    def model(self) -> str:
        return self.offer.model_id

    @property
    def target(self) -> str:
        return self.offer.target


class Excluded(msgspec.Struct, frozen=True, gc=False):
    provider: str
    model: str
    code: str
    detail: str = ""
    resting: Candidate | None = None  # what could be tried all the same, if nobody is well
    reopens_in_s: float = 0.0


class PriceOf(Protocol):
    def __call__(self, provider: str, model: str) -> Price | None: ...


class Health(Protocol):
    """What a caller's tenant has learned of providers (`routing.health`)."""

    @property
    def is_calm(self) -> bool:
        """Whether nobody rests and nobody is strained."""

    def unwell(self) -> Set[Place]:
        """Who may be resting or strained: everybody else neither pauses nor is strained."""

    def learned(self, chat: ChatRequest, session: str) -> Set[Place] | None:
        """Who is expected to take other tokens than before anything was learned; None: all."""

    def pause(self, offer: Offer, key: RingKey | None) -> Pause:
        """How long this is not to be asked, and why; `WELL` where it may be asked now."""

    def may_try_rejected(self, key: RingKey) -> bool:
        """Whether a key that was rejected may be tried once more, when there is nobody else."""

    def is_strained(self, offer: Offer, key: RingKey | None, tokens: float) -> bool:
        """Whether it is likely to refuse so many tokens, or fails for other tenants."""

    def expected(
        self, offer: Offer, key: RingKey | None, chat: ChatRequest, session: str
    ) -> Expected:
        """The tokens that the call is expected to take there."""

    def seconds(self, candidate: Candidate, chat: ChatRequest, rng: Random | None) -> float: ...

    def each(
        self, candidates: Sequence[Candidate], chat: ChatRequest, rng: Random | None
    ) -> list[float]:
        """See `routing.plan.ranking.Speeds`."""

    def tokens_per_second(self, candidate: Candidate) -> float: ...


class NothingLearned:
    """Everybody is well, and answers as fast and as long as the catalogue says."""

    is_calm = True

    USUAL_FIRST_S = 0.6
    USUAL_TOKENS_PER_S = 80.0

    def unwell(self) -> Set[Place]:
        return NOBODY

    def learned(self, chat: ChatRequest, session: str) -> Set[Place] | None:
        return NOBODY

    def pause(self, offer: Offer, key: RingKey | None) -> Pause:
        return WELL

    def may_try_rejected(self, key: RingKey) -> bool:
        return True

    def is_strained(self, offer: Offer, key: RingKey | None, tokens: float) -> bool:
        return False

    def expected(
        self, offer: Offer, key: RingKey | None, chat: ChatRequest, session: str
    ) -> Expected:
        return expected.unlearned(offer, chat)

    def seconds(self, candidate: Candidate, chat: ChatRequest, rng: Random | None) -> float:
        model = candidate.offer.model
        first = (model.seconds_to_first_token if model else None) or self.USUAL_FIRST_S
        speed = (model.tokens_per_second if model else None) or self.USUAL_TOKENS_PER_S
        return first + expected.unlearned(candidate.offer, chat).output / speed

    def each(
        self, candidates: Sequence[Candidate], chat: ChatRequest, rng: Random | None
    ) -> list[float]:
        return [self.seconds(candidate, chat, rng) for candidate in candidates]

    def tokens_per_second(self, candidate: Candidate) -> float:
        model = candidate.offer.model
        return (model.tokens_per_second if model else None) or self.USUAL_TOKENS_PER_S


NOTHING_LEARNED = NothingLearned()


class Circumstances(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """All that decides besides the offers themselves."""

    chat: ChatRequest
    caller: Caller
    options: Options
    ring: Keyring
    price_of: PriceOf
    now: datetime
    health: Health = NOTHING_LEARNED


def sift(offers: Iterable[Offer], its: Circumstances) -> tuple[list[Candidate], list[Excluded]]:
    """Candidates in the order of the offers, and what was excluded."""
    candidates: list[Candidate] = []
    excluded: list[Excluded] = []
    for offer in offers:
        found = judge(offer, its)
        if isinstance(found, Excluded):
            excluded.append(found)
        else:
            candidates += found
    return candidates, excluded


def judge_for_good(offer: Offer, its: Circumstances) -> Sequence[RingKey | None] | Excluded:
    """The keys of an offer that could be used, as far as that is not up to each call.

    Keys, prices and the catalogue decide, the caller's allowed models, what the request needs, and
    its options but for those of money and `simulation`. See `routing.plan.prepared`.
    """
    keys = _keys(offer, its)
    if isinstance(keys, Excluded):
        return keys
    hit = _lasting_hit(offer, its)
    return _excluded(offer, *hit) if hit else keys


def judge(offer: Offer, its: Circumstances) -> list[Candidate] | Excluded:
    """The candidates of an offer, one for each key that may be used now; or why there is none."""
    keys = judge_for_good(offer, its)
    if isinstance(keys, Excluded):
        return keys
    price = its.price_of(*offer.place)
    hit = _context_hit(offer, its.chat) or price_hit(price, offer, its)
    if hit:
        return _excluded(offer, *hit)
    if keys[0] and keys[0].status == "invalid":
        return _rejected(offer, keys[0], price, its)
    if its.health.is_calm:
        return [_candidate(offer, key, price, its) for key in keys]
    return _awake(offer, keys, price, its)


def _awake(
    offer: Offer, keys: Sequence[RingKey | None], price: Price | None, its: Circumstances
) -> list[Candidate] | Excluded:
    """A candidate for each key that does not rest; else the one that may be asked first."""
    found: list[Candidate] = []
    resting: list[tuple[Pause, RingKey | None]] = []
    for key in keys:
        pause = its.health.pause(offer, key)
        if pause.seconds <= 0:
            found.append(_candidate(offer, key, price, its))
        else:
            resting.append((pause, key))
    if found:
        return found
    pause, key = min(resting, key=lambda one: one[0].seconds)
    if key and pause.seconds == math.inf:
        return _rejected(offer, key, price, its)
    is_temporary = pause.code == "breaker_open"
    return Excluded(
        offer.provider.slug,
        offer.model_id,
        pause.code,
        f"asked again in {pause.seconds:.0f} s",
        resting=_last_resort(offer, key, price, its) if is_temporary else None,
        reopens_in_s=pause.seconds,
    )


def _rejected(offer: Offer, key: RingKey, price: Price | None, its: Circumstances) -> Excluded:
    """Only rejected keys are left: one may be tried, now and then."""
    may_try = its.health.may_try_rejected(key)
    return Excluded(
        offer.provider.slug,
        offer.model_id,
        "key_invalid",
        resting=_last_resort(offer, key, price, its) if may_try else None,
        reopens_in_s=math.inf,
    )


def _last_resort(
    offer: Offer, key: RingKey | None, price: Price | None, its: Circumstances
) -> Candidate | None:
    """What may be tried if nobody is left, unless the request rules the provider out."""
    slug, options = offer.provider.slug, its.options
    if slug in options.ignore or (options.only and slug not in options.only):
        return None
    return _candidate(offer, key, price, its)


def _candidate(
    offer: Offer, key: RingKey | None, price: Price | None, its: Circumstances
) -> Candidate:
    chat, health = its.chat, its.health
    amounts = health.expected(offer, key, chat, its.options.session)
    cost = expected_cost(price, amounts) if price else None
    model = offer.model
    # Near the window, the request may turn out to be too long for it.
    is_doubtful = (
        model is not None
        and model.context is not None
        and DOUBTFUL_SHARE * chat.input_tokens + (chat.max_tokens or 1) > model.context
    )
    if not is_doubtful and not health.is_calm:
        is_doubtful = health.is_strained(offer, key, amounts.input + amounts.output)
    return Candidate(offer, key, price, cost, is_doubtful)


def least_bad(excluded: Iterable[Excluded]) -> list[Candidate]:
    """When nobody is left: the one that rests and may be asked first."""
    resting = [(out.reopens_in_s, out.resting) for out in excluded if out.resting]
    return [min(resting, key=lambda one: one[0])[1]] if resting else []


def _keys(offer: Offer, its: Circumstances) -> Sequence[RingKey | None] | Excluded:
    """The keys that may be used, heaviest first, or a rejected one; or why there is none."""
    slug = offer.provider.slug
    if its.caller.is_test:
        simulated = its.options.simulation.of(slug) if its.options.simulation else ""
        return _excluded(offer, "no_key", "simulated") if simulated == "nokey" else [None]
    every = its.ring.by_provider.get(slug, ())
    if not every:
        return _excluded(offer, "no_key")
    enabled = [key for key in every if key.enabled]
    if not enabled:
        return _excluded(offer, "key_disabled")
    accepted = [key for key in enabled if key.status != "invalid"]
    if not accepted:
        return enabled[:1]
    solvent = [key for key in accepted if not _rests(key, its.now)]
    if not solvent:
        return _excluded(offer, "key_no_credit")
    if len(solvent) > 1:
        solvent.sort(key=lambda key: -key.weight)
    return solvent


def _rests(key: RingKey, now: datetime) -> bool:
    if key.status != "no_credit":
        return False
    return key.checked_at is None or now - key.checked_at < NO_CREDIT_REST


def _lasting_hit(offer: Offer, its: Circumstances) -> tuple[str, str] | None:
    """The first filter after the keys that this offer does not pass, and a detail."""
    model, chat = offer.model, its.chat
    if its.caller.allowed_models is not None and not _is_allowed(offer, its.caller):
        return "not_allowed", ""
    if its.options.deny_data_collection and offer.provider.stores_prompts is not False:
        return "data_collection", ""
    if model is None:
        return None
    if model.kind != chat.kind:
        return "endpoint", f"{model.kind} model"
    if model.can is not None and not chat.needs <= model.can:
        return "capability", min(chat.needs - model.can)
    return None


def _context_hit(offer: Offer, chat: ChatRequest) -> tuple[str, str] | None:
    context = offer.model.context if offer.model else None
    if context and CERTAIN_SHARE * chat.input_tokens + max(1, chat.max_tokens or 0) > context:
        return "context", f"{context} tokens"
    return None


def price_hit(price: Price | None, offer: Offer, its: Circumstances) -> tuple[str, str] | None:
    """The limit of money that an offer does not pass, if any."""
    options = its.options
    if not options.max_price and options.max_cost is None:
        return None
    if price is None:
        return "price_unknown", ""
    if options.max_price and exceeds(price, options.max_price, its.chat.input_tokens):
        return "max_price", ""
    if options.max_cost is not None:
        most = worst_case.cost(price, its.chat, offer)
        if not worst_case.fits(most, options.max_cost):
            return "max_cost", f"up to {money.plain(money.from_pico(most))} USD"
    return None


def _is_allowed(offer: Offer, caller: Caller) -> bool:
    """A key's list may name the target, the model's id, or its family."""
    names = {offer.target, offer.model_id}
    if offer.model and offer.model.family:
        names.add(offer.model.family)
    return any(caller.may_use(name) for name in names)


def _excluded(offer: Offer, code: str, detail: str = "") -> Excluded:
    return Excluded(offer.provider.slug, offer.model_id, code, detail)
