"""How many tokens a request has: exact where its provider counts for free, else an estimate."""

import msgspec

from accounts.callers import Caller
from accounts.errors import GatewayError
from accounts.secret import Secret
from billing.rates import Permit, Standing
from routing import affording, opening, options, runtime
from routing.chat import ChatRequest
from routing.options import Headers
from routing.plan.candidates import Candidate, Circumstances
from routing.upstream import client, endpoints
from routing.wire.anthropic import request as anthropic

COUNTING = "anthropic"  # the dialect whose providers count


class Count(msgspec.Struct, frozen=True, gc=False):
    input_tokens: int
    is_exact: bool
    rates: Standing | None = None  # of a key that has limits, where its provider was asked


async def count(chat: ChatRequest, caller: Caller, headers: Headers, *, call: str) -> Count:
    """Count for the provider that would be asked first.

    To ask it is a request within the key's limits; an estimate is none. Raises GatewayError for a
    wrong request, RateLimited.
    """
    its, plan = await opening.planned(caller, chat, options.read(headers, chat.body))
    first = plan.candidates[0] if plan.candidates else None
    if first is None or first.offer.provider.wire != COUNTING:
        return Count(anthropic.count(chat), is_exact=False)
    permit = await _permit(caller, call)
    try:
        exact = await _ask(chat, first, its)
    finally:
        if permit:
            permit.end(0)
    rates = permit.standing if permit else None
    if exact is None:
        return Count(anthropic.count(chat), is_exact=False, rates=rates)
    return Count(exact, is_exact=True, rates=rates)


async def _permit(caller: Caller, call: str) -> Permit | None:
    """Leave to ask a provider, of a key that has limits. Raises RateLimited."""
    limits = affording.limits_of(caller)
    if limits is None:
        return None
    rates = runtime.current().ledger.rates
    return await rates.admit(limits, call, tokens=0, expires_s=client.WHOLE_SECONDS)


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
