"""A provider tried with a key: the key check, then one short call per model, whole and streamed.

For whoever adds a provider or a model to the catalogue: the same writers and readers as a call's,
without a tenant, a plan or the books. What the provider charges for it is a fraction of a cent.
"""

import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from accounts.models.provider_key import KeyStatus
from accounts.secret import Secret
from billing import pricing
from billing.usage import Usage
from routing import dialects, key_checks
from routing.chat import ChatRequest
from routing.key_checks import Finding
from routing.providers import prices
from routing.providers.catalog_index import Offer
from routing.providers.spec import Provider
from routing.upstream import client, endpoints, failures
from routing.upstream.client import CannotReach, Fetched
from routing.upstream.endpoints import Endpoint
from routing.wire.failed import NotAnAnswer, StreamFailed
from routing.wire.openai import request
from routing.wire.sse import EventTooLong

MOST_TOKENS = 256  # enough for a model that thinks first
QUESTION = "Answer with the single word: pong"


@dataclass(frozen=True)
class Trial:
    """What became of one call."""

    model: str
    stream: bool
    seconds: float
    problem: str = ""  # empty where an answer came and could be read
    usage: Usage | None = None
    reported_cost: Decimal | None = None  # USD, by the provider
    cost: Decimal | None = None  # USD, at the list price
    adapted: tuple[str, ...] = ()


async def check(provider: Provider, secret: Secret, *, endpoint: Endpoint | None = None) -> Finding:
    """What the provider says of the key."""
    at = endpoint or endpoints.live(provider)
    try:
        how = provider.key_check
        fetched = await client.ask(provider, at, how.path, secret, how.body)
    except CannotReach as problem:
        return Finding(KeyStatus.UNVERIFIED, str(problem))
    return key_checks.read(provider, fetched)


async def each(
    offers: Iterable[Offer], secret: Secret, *, endpoint: Endpoint | None = None
) -> AsyncIterator[Trial]:
    """One trial after the other: each offer whole, then streamed."""
    for offer in offers:
        for stream in (False, True):
            yield await _try(offer, secret, endpoint or endpoints.live(offer.provider), stream)


async def _try(offer: Offer, secret: Secret, endpoint: Endpoint, stream: bool) -> Trial:
    chat = _question(offer, stream)
    written = dialects.write_request(chat, offer, lambda: dialects.CALLERS["openai"].converse(chat))
    began = time.monotonic()
    try:
        fetched = await client.ask(
            offer.provider, endpoint, written.path.decode(), secret, written.body.decode(),
            headers=written.headers,
        )  # fmt: skip
        usage, reported = _read(chat, offer, fetched)
    except (CannotReach, Unreadable) as problem:
        return Trial(offer.model_id, stream, time.monotonic() - began, problem=str(problem))
    price = prices.listed(offer.provider.slug, offer.model_id, today=datetime.now(UTC).date())
    return Trial(
        offer.model_id,
        stream,
        time.monotonic() - began,
        usage=usage,
        reported_cost=reported,
        cost=pricing.cost_of(usage, price) if usage and price else None,
        adapted=written.adapted,
    )


class Unreadable(Exception):
    """Why an answer is none."""


def _question(offer: Offer, stream: bool) -> ChatRequest:
    body = {
        "model": offer.target,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": MOST_TOKENS,
        **({"stream": True, "stream_options": {"include_usage": True}} if stream else {}),
    }
    return request.read(msgspec.json.encode(body))


def _read(chat: ChatRequest, offer: Offer, fetched: Fetched) -> tuple[Usage | None, Decimal | None]:
    """Raises Unreadable."""
    if fetched.status != 200:
        failure = failures.classify(fetched.status, fetched.headers, fetched.body)
        raise Unreadable(f"{fetched.status} {failure.kind}: {failure.message}")
    try:
        if not chat.stream:
            reply = dialects.read_reply(chat, offer, fetched.body)
            if reply.is_empty:
                raise Unreadable("an answer without text or call")
            return reply.usage, reply.reported_cost
        relay = dialects.relay(chat, offer, "chatcmpl-try")
        relay.feed(fetched.body)
        relay.end()
        if not relay.has_content:
            raise Unreadable("a stream without text or call")
    except (NotAnAnswer, StreamFailed, EventTooLong) as problem:
        raise Unreadable(str(problem) or type(problem).__name__) from None
    return relay.usage, relay.reported_cost
