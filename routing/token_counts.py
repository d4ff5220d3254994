"""How many tokens a request has: exact where its provider counts for free, else an estimate."""

import msgspec

from accounts.callers import Caller
from accounts.errors import GatewayError
from accounts.secret import Secret
from routing import opening, options
from routing.chat import ChatRequest
from routing.options import Headers
from routing.plan.candidates import Candidate, Circumstances
from routing.upstream import client, endpoints
from routing.wire.anthropic import request as anthropic

COUNTING = "anthropic"  # the dialect whose providers count


class Count(msgspec.Struct, frozen=True, gc=False):
    input_tokens: int
    is_exact: bool


async def count(chat: ChatRequest, caller: Caller, headers: Headers) -> Count:
    """Count for the provider that would be asked first. Raises GatewayError for a wrong request."""
    its, plan = await opening.planned(caller, chat, options.read(headers, chat.body))
    first = plan.candidates[0] if plan.candidates else None
    if first and first.offer.provider.wire == COUNTING:
        exact = await _ask(chat, first, its)
        if exact is not None:
            return Count(exact, is_exact=True)
    return Count(anthropic.count(chat), is_exact=False)


async def _ask(chat: ChatRequest, candidate: Candidate, its: Circumstances) -> int | None:
    """What the provider counts; None where it cannot say now."""
    provider = candidate.offer.provider
    try:
        if candidate.key is None:
            endpoint = endpoints.sandbox(provider)
            secret = Secret(f"sandbox-{its.caller.tenant}")
        else:
            endpoint, secret = endpoints.live(provider), its.ring.secret(candidate.key)
        quirks = provider.quirks_of(candidate.offer.model)
        written = anthropic.write_count(chat, candidate.model, quirks)
        fetched = await client.ask(
            provider,
            endpoint,
            written.path.decode(),
            secret,
            written.body.decode(),
            headers=written.headers,
        )
        found = msgspec.json.decode(fetched.body) if fetched.status == 200 else None
    except (client.CannotReach, GatewayError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    counted = found.get("input_tokens") if isinstance(found, dict) else None
    return counted if type(counted) is int and counted >= 0 else None
