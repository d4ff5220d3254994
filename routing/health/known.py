"""What one tenant knows of its providers in one mode: speeds, lengths, breakers, allowances."""

import math
from collections.abc import Callable, Sequence, Set
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from accounts.keyring import RingKey
from billing.usage import Usage
from routing.chat import ChatRequest
from routing.health import breakers, cells
from routing.health.breakers import COUNTED, WELL, Breaker, Pause, Rest
from routing.health.commons import Commons
from routing.health.expected import Expected
from routing.health.headroom import Headroom
from routing.health.lengths import Lengths
from routing.health.outbox import Outbox
from routing.health.retry_budget import RetryBudget
from routing.health.speeds import (
    BUCKETS,
    Candidate,
    Place,
    Speeds,
    catalogue_first,
    catalogue_pace,
    slot_of,
)
from routing.providers.catalog_index import Offer
from routing.upstream.failures import Failure, FailureKind

LEAST_WRITTEN = 20  # tokens of a stream, before its speed means anything
FASTEST_TOKENS_PER_S = 20_000.0  # more is a stream that came in one piece
SHORTEST_S = 0.001
REJECTED_SECONDS = 10.0  # between two tries of a key that was rejected
MOST_ENTRIES = 4_000
HEDGE_LEAST_S, HEDGE_SHARE, HEDGE_SAMPLES, HEDGE_BEYOND = 0.05, 0.95, 8, 2
HEDGE_STEP = 1.1

KeyPlace = tuple[UUID | None, str, str]  # provider key (None: the sandbox's), provider, model


class Seen(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """How an attempt ended. Moments are on the monotonic clock."""

    offer: Offer
    key: RingKey | None
    chat: ChatRequest
    outcome: str
    failure: Failure | None
    began: float
    first_token: float | None
    ended: float
    usage: Usage | None  # None where the provider did not report it
    session: str = ""


MOST_HEDGES = 10.0  # that a tenant may have saved up, and has at the start


class Known:
    """One tenant's knowledge; no other tenant's failures or keys change it."""

    def __init__(
        self,
        name: tuple[str, UUID],
        *,
        twin: Speeds,
        commons: Commons,
        outbox: Outbox,
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self.name = name  # mode and tenant
        self.used_at = clock()
        self.lengths = Lengths()
        self.speeds = Speeds(self.lengths, twin)
        self.breakers: dict[Place, Breaker] = {}
        self.rests: dict[KeyPlace, Rest] = {}
        self.headroom: dict[KeyPlace, tuple[Headroom, float]] = {}
        self.budgets: dict[str, RetryBudget] = {}
        self._hedges = MOST_HEDGES
        self._rejected_at: dict[UUID, float] = {}
        self._commons, self._outbox = commons, outbox
        self.clock, self._rng = clock, rng

    # For the plan: nothing is changed here -------------------------------------------------------

    def seconds(self, candidate: Candidate, chat: ChatRequest, rng: Random | None) -> float:
        return self.each((candidate,), chat, rng)[0]

    def each(
        self, candidates: Sequence[Candidate], chat: ChatRequest, rng: Random | None
    ) -> list[float]:
        return self.speeds.each(candidates, chat, rng, now=self.clock())

    def tokens_per_second(self, candidate: Candidate) -> float:
        offer, now = candidate.offer, self.clock()
        return self.speeds.pace(offer, now) * (1 - self.speeds.chance_of_failure(offer, now))

    @property
    def is_calm(self) -> bool:
        """Whether nobody rests and nobody is strained."""
        return not (self.breakers or self.rests or self.headroom or self._commons.shared)

    def unwell(self) -> Set[Place]:
        """Who may be resting or strained; nobody else is."""
        found = {*self.breakers, *self._commons.shared}
        found.update(place[1:] for place in self.rests)
        if self.headroom:
            now = self.clock()
            found.update(place[1:] for place, told in self.headroom.items() if now < told[1])
        return found

    def learned(self, chat: ChatRequest, session: str) -> Set[Place] | None:
        return self.lengths.learned(chat, session)

    def pause(self, offer: Offer, key: RingKey | None) -> Pause:
        """How long this is not to be asked: the later end of its breaker and its key's rest."""
        if not self.breakers and not self.rests:
            return WELL
        now, place = self.clock(), (offer.provider.slug, offer.model_id)
        pause = WELL
        breaker = self.breakers.get(place)
        if breaker:
            wait = breaker.wait(now)
            pause = Pause(wait) if wait > 0 else WELL
        rest = self.rests.get((key.key_id if key else None, *place))
        if rest:
            resting = rest.wait(now, _state_of(key))
            pause = resting if resting.seconds > pause.seconds else pause
        return pause

    def may_try_rejected(self, key: RingKey) -> bool:
        tried = self._rejected_at.get(key.key_id, -math.inf)
        return self.clock() - tried >= REJECTED_SECONDS

    def is_strained(self, offer: Offer, key: RingKey | None, tokens: float) -> bool:
        """Whether its rate limit cannot hold the call, or it fails for several tenants."""
        place = (offer.provider.slug, offer.model_id)
        if self.headroom:
            found = self.headroom.get((key.key_id if key else None, *place))
            if found and self.clock() < found[1] and not found[0].holds(tokens):
                return True
        return self._commons.is_suspect(place, self.clock())

    def expected(
        self, offer: Offer, key: RingKey | None, chat: ChatRequest, session: str
    ) -> Expected:
        key_id = key.key_id if key else None
        return self.lengths.expected(offer, key_id, chat, session=session, now=self.clock())

    # For the walk --------------------------------------------------------------------------------

    def decided(self, chat: ChatRequest) -> None:
        """A call was planned."""
        slot = slot_of(chat)
        self.speeds.decided(slot)
        self._outbox.decided(self.name, slot)

    def admits(self, candidate: Candidate) -> bool:
        """Whether a call may go there now; of several that would probe a breaker, one."""
        offer, key, now = candidate.offer, candidate.key, self.clock()
        place = (offer.provider.slug, offer.model_id)
        rest = self.rests.get((key.key_id if key else None, *place))
        if rest and rest.wait(now, _state_of(key)).seconds > 0:
            return False
        breaker = self.breakers.get(place)
        return breaker is None or breaker.claim(now)

    def release(self, candidate: Candidate) -> None:
        """It was admitted, and will not go there after all: let another one probe."""
        breaker = self.breakers.get((candidate.offer.provider.slug, candidate.offer.model_id))
        if breaker:
            breaker.release()

    def admits_rejected(self, candidate: Candidate) -> bool:
        """Whether a key that is known to be rejected may be tried; at most once in ten seconds."""
        key = candidate.key
        if key is None or not self._is_rejected(candidate, key):
            return True
        if not self.may_try_rejected(key):
            return False
        _make_room(self._rejected_at)
        self._rejected_at[key.key_id] = self.clock()
        return True

    def _is_rejected(self, candidate: Candidate, key: RingKey) -> bool:
        if key.status == "invalid":
            return True
        offer = candidate.offer
        rest = self.rests.get((key.key_id, offer.provider.slug, offer.model_id))
        return rest is not None and rest.wait(self.clock(), _state_of(key)).seconds == math.inf

    def may_retry(self, provider: str) -> bool:
        """Pay for another try on the same candidate; False if the budget is used up."""
        return self._budget(provider).take(self.clock())

    def earn_hedge(self, share: float) -> None:
        """A call that may be hedged adds so much of one to what may be spent."""
        self._hedges = min(MOST_HEDGES, self._hedges + share)

    def take_hedge(self) -> bool:
        """Pay for a second attempt beside a silent one; False if the budget is used up."""
        if self._hedges < 1:
            return False
        self._hedges -= 1
        return True

    def _budget(self, provider: str) -> RetryBudget:
        budget = self.budgets.get(provider)
        if budget is None:
            budget = self.budgets[provider] = RetryBudget(self.clock())
        return budget

    def hedge_after(
        self, running: Candidate, other: Candidate, chat: ChatRequest, *, quickest: Candidate
    ) -> float:
        """Seconds of silence after which asking another one is likely to be quicker.

        The least time, beyond what is usual for the quickest candidate, at which the running one's
        further wait is longer than all that the other one needs.
        """
        slot, now = slot_of(chat) % BUCKETS, self.clock()
        usual = self.speeds.histogram(quickest.offer, slot, now)
        least = max(HEDGE_LEAST_S, usual.quantile(HEDGE_SHARE) if usual else 0.0)
        seen = self.speeds.histogram(running.offer, slot, now)
        if seen is None or seen.count < HEDGE_SAMPLES:
            return max(least, 3 * math.exp(self.speeds.belief(running.offer, slot, now).mean))
        others = self.seconds(other, chat, None)
        after = least
        while True:
            count, more = seen.beyond(after)
            if count < HEDGE_BEYOND or more > others:
                return after
            after *= HEDGE_STEP

    # What was seen -------------------------------------------------------------------------------

    def told(self, candidate: Candidate, headroom: Headroom | None) -> None:
        """What an answer's headers say is left of the key's allowance."""
        offer, key = candidate.offer, candidate.key
        place = (key.key_id if key else None, offer.provider.slug, offer.model_id)
        if headroom is None:
            self.headroom.pop(place, None)
            return
        _make_room(self.headroom)
        self.headroom[place] = (headroom, self.clock() + headroom.reset_s)

    def observe(self, seen: Seen) -> None:
        """An attempt ended."""
        self._budget(seen.offer.provider.slug).called(self.clock())
        self._judge(seen)
        slot = slot_of(seen.chat)
        if seen.first_token is not None and seen.outcome != "empty" and slot < BUCKETS:
            self._took(seen, slot, math.log(max(SHORTEST_S, seen.first_token - seen.began)))
        elif seen.outcome == "answered" and slot >= BUCKETS:
            self._took(seen, slot, math.log(_slowness(seen)))
        elif seen.first_token is None and seen.outcome in {"lost", "cancelled"}:
            given_up = max(SHORTEST_S, _slowness(seen) if slot >= BUCKETS else _waited(seen))
            known = self.speeds.belief(seen.offer, slot, seen.ended)
            self._took(seen, slot, cells.censored(given_up, known))
        if seen.outcome == "answered" and seen.usage:
            self._wrote(seen, seen.usage)

    def _took(self, seen: Seen, slot: int, log_seconds: float) -> None:
        self.speeds.took(seen.offer, slot, log_seconds, now=seen.ended)
        self._outbox.took(self.name, seen.offer, slot, log_seconds)

    def _wrote(self, seen: Seen, usage: Usage) -> None:
        """Speed and length of an answer that is complete."""
        tokens, first = usage.output_tokens - usage.reasoning, seen.first_token
        if first is not None and tokens >= LEAST_WRITTEN and slot_of(seen.chat) < BUCKETS:
            speed = (tokens - 1) / max(SHORTEST_S, seen.ended - first)
            if speed <= FASTEST_TOKENS_PER_S:
                self.speeds.wrote(seen.offer, speed, now=seen.ended)
                self._outbox.wrote(self.name, seen.offer, speed)
        key_id = seen.key.key_id if seen.key else None
        self.lengths.saw(seen.offer, key_id, seen.chat, usage, session=seen.session, now=seen.ended)
        self.speeds.forget_arms((seen.offer.provider.slug, seen.offer.model_id))

    def _judge(self, seen: Seen) -> None:
        """What the outcome says of the provider, and of the key."""
        offer, now = seen.offer, seen.ended
        place = (offer.provider.slug, offer.model_id)
        if seen.outcome in COUNTED:
            self._failed(seen, place)
        elif seen.outcome in {"answered", "empty"}:
            breaker = self.breakers.get(place)
            if breaker:
                if breaker.answered(now, began=seen.began):
                    self._outbox.closed(self.name, place)
                if breaker.is_idle:
                    del self.breakers[place]
            self._commons.answered(place, now, began=seen.began)
            self.speeds.ended(offer, lost_s=None, now=now)
            self._outbox.ended(self.name, offer, lost_s=None)
            self.rests.pop((seen.key.key_id if seen.key else None, *place), None)
        elif breaker := self.breakers.get(place):
            breaker.release()
        if seen.failure:
            self._rest(seen.failure, seen, place)

    def _failed(self, seen: Seen, place: Place) -> None:
        now, lost = seen.ended, _waited(seen)
        self.speeds.ended(seen.offer, lost_s=lost, now=now)
        self._outbox.ended(self.name, seen.offer, lost_s=lost)
        breaker = self.breakers.get(place)
        if breaker is None:
            _make_room(self.breakers)
            breaker = self.breakers[place] = Breaker()
        if breaker.failed(now, began=seen.began):
            self._outbox.opened(self.name, place, breaker.until - now, breaker.pause)
        self._commons.failed(place, self.name[1], seen.offer, now, began=seen.began)

    def _rest(self, failure: Failure, seen: Seen, place: Place) -> None:
        key = seen.key
        if key is None and failure.kind is not FailureKind.RATE_LIMIT:
            return  # the sandbox's own key is nothing that anybody could mend
        key_place = (key.key_id if key else None, *place)
        told = self.headroom.get(key_place)
        rest = breakers.rest_after(
            failure,
            self.rests.get(key_place),
            key_state=_state_of(key),
            reset_s=max(0.0, told[1] - seen.ended) if told else None,
            now=seen.ended,
            rng=self._rng,
        )
        if rest is None:
            return
        _make_room(self.rests)
        self.rests[key_place] = rest
        self._outbox.rested(self.name, key_place, rest, seen.ended)


def _state_of(key: RingKey | None) -> tuple[object, ...]:
    """What changes when a key is checked, replaced or moved: a rest does not outlive that."""
    return () if key is None else (key.status, key.checked_at, key.sealed, key.base_url)


def _waited(seen: Seen) -> float:
    return max(SHORTEST_S, seen.ended - seen.began)


def _slowness(seen: Seen) -> float:
    """How often as long as the catalogue says a whole answer took."""
    tokens = seen.usage.output_tokens if seen.usage else 0
    usual = catalogue_first(seen.offer) + tokens / catalogue_pace(seen.offer)
    return _waited(seen) / usual


def _make_room(table: dict[Any, Any]) -> None:
    """Callers may name any model of a provider: the oldest entry makes room."""
    if len(table) >= MOST_ENTRIES:
        del table[next(iter(table))]
