"""How long a model's answers are, and how much of a session's prompt its provider still holds.

Learned per tenant, provider and model from what providers report. Pure but for the clock that is
handed in.
"""

import math
from collections.abc import Set
from typing import Any
from uuid import UUID

import msgspec

from billing.usage import Usage
from routing.chat import ChatRequest
from routing.health import expected
from routing.health.expected import USUAL_OUTPUT, USUAL_REASONING, Expected
from routing.providers.catalog_index import Offer

HALF_CALLS = 50.0
PRIOR_COUNT, PRIOR_SPREAD = 5.0, 0.8
REASONING_STEP, HELD_STEP, SCALE_STEP = 0.1, 0.1, 0.05  # of moving averages
USUALLY_HELD = 0.9  # of a prefix, where providers cache without being asked
CACHE_SECONDS = 300.0  # that a provider keeps a prompt unused
LEAST_CACHED = 1024  # tokens
MOST_SESSIONS = 10_000

_FADE = 2.0 ** (-1 / HALF_CALLS)


class Length(msgspec.Struct, eq=False, gc=False):
    """What one model's calls took. Logarithms of output tokens, faded per call."""

    reasoning: float  # tokens of thought per token of answer
    prior: float  # expected logarithm before anything was seen
    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    output: float = 0.0  # tokens expected, thoughts included
    scale: float = 1.0  # reported input tokens per estimated one
    held: float | None = None  # share of a session's prompt that was read from the cache

    def saw(self, usage: Usage, estimated_input: int) -> None:
        if usage.output_tokens > 0:
            x = math.log(usage.output_tokens)
            self.n = self.n * _FADE + 1
            self.total = self.total * _FADE + x
            self.squares = self.squares * _FADE + x * x
            ratio = usage.reasoning / max(1, usage.output_tokens - usage.reasoning)
            self.reasoning += REASONING_STEP * (min(ratio, 100.0) - self.reasoning)
            self._expect()
        if usage.input_tokens > 0 and estimated_input > 0:
            ratio = min(max(usage.input_tokens / estimated_input, 0.1), 10.0)
            self.scale += SCALE_STEP * (ratio - self.scale)

    def _expect(self) -> None:
        n = self.n
        mean = (self.total + PRIOR_COUNT * self.prior) / (n + PRIOR_COUNT)
        scatter = max(0.0, self.squares - self.total * self.total / n)
        variance = (scatter + PRIOR_COUNT * PRIOR_SPREAD**2) / (n + PRIOR_COUNT)
        self.output = math.exp(mean + variance / 2)


def unseen(offer: Offer) -> Length:
    """Before the first call."""
    reasons = offer.model is not None and offer.model.reasons
    reasoning = USUAL_REASONING if reasons else 0.0
    output = USUAL_OUTPUT * (1 + reasoning)
    prior = math.log(output) - PRIOR_SPREAD**2 / 2  # so that the mean is the usual output
    return Length(reasoning=reasoning, prior=prior, output=output)


class Last(msgspec.Struct, frozen=True, gc=False):
    """A session's last answered call."""

    provider: str
    model: str
    key: UUID | None
    input_tokens: int
    at: float


class Lengths:
    """One tenant's lengths and sessions."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Length] = {}
        self.sessions: dict[str, Last] = {}

    def expected(
        self, offer: Offer, key: UUID | None, chat: ChatRequest, *, session: str, now: float
    ) -> Expected:
        """The tokens that a call is expected to take there."""
        known = self.known.get((offer.provider.slug, offer.model_id))
        if known is None:
            usual = expected.unlearned(offer, chat)
            if not session or session not in self.sessions:
                return usual
            known = unseen(offer)
        size = chat.input_tokens * known.scale
        output = min(known.output, chat.max_tokens) if chat.max_tokens else known.output
        if not session:
            return Expected(size, output)
        cached = self._cached(offer, key, chat, known, session=session, size=size, now=now)
        written = size - cached if _is_written(offer, chat, size) else 0.0
        return Expected(size, output, cached, written)

    def learned(self, chat: ChatRequest, session: str) -> Set[tuple[str, str]] | None:
        """Of whom something else is expected than of the unlearned; None: of all."""
        last = self.sessions.get(session) if session else None
        if last is None:
            return self.known.keys()
        if has_marks(chat.body):
            return None
        return {*self.known, (last.provider, last.model)}

    def _cached(
        self,
        offer: Offer,
        key: UUID | None,
        chat: ChatRequest,
        known: Length,
        *,
        session: str,
        size: float,
        now: float,
    ) -> float:
        """Tokens of the prompt that are likely to be read from the provider's cache."""
        last = self.sessions.get(session)
        if last is None or now - last.at > CACHE_SECONDS or size < LEAST_CACHED:
            return 0.0
        if (last.provider, last.model, last.key) != (offer.provider.slug, offer.model_id, key):
            return 0.0
        if known.held is not None:
            share = known.held
        else:
            share = USUALLY_HELD if not _needs_marks(offer) or has_marks(chat.body) else 0.0
        return share * min(size, last.input_tokens)

    def saw(
        self,
        offer: Offer,
        key: UUID | None,
        chat: ChatRequest,
        usage: Usage,
        *,
        session: str,
        now: float,
    ) -> None:
        """A provider reported what an answered call used."""
        place = (offer.provider.slug, offer.model_id)
        known = self.known.get(place)
        if known is None:
            known = self.known[place] = unseen(offer)
        known.saw(usage, chat.input_tokens)
        if not session:
            return
        last = self.sessions.pop(session, None)
        size = usage.input_tokens
        if last and (last.provider, last.model, last.key) == (*place, key):
            common = min(size, last.input_tokens)
            if common >= LEAST_CACHED and now - last.at <= CACHE_SECONDS:
                share = min(1.0, usage.cache_read / common)
                before = USUALLY_HELD if known.held is None else known.held
                known.held = before + HELD_STEP * (share - before)
        self.sessions[session] = Last(*place, key, size, now)
        if len(self.sessions) > MOST_SESSIONS:
            del self.sessions[next(iter(self.sessions))]


def _needs_marks(offer: Offer) -> bool:
    """Whether this dialect caches only what the request marks (Anthropic, docs 2026-11-20)."""
    return offer.provider.wire == "anthropic"


def _is_written(offer: Offer, chat: ChatRequest, size: float) -> bool:
    return _needs_marks(offer) and size >= LEAST_CACHED and has_marks(chat.body)


def has_marks(value: Any, depth: int = 6) -> bool:
    """Whether a request marks parts for the provider's prompt cache."""
    if isinstance(value, dict):
        if "cache_control" in value:
            return True
        value = list(value.values())
    if not isinstance(value, list) or depth == 0:
        return False
    return any(has_marks(item, depth - 1) for item in value if isinstance(item, dict | list))
