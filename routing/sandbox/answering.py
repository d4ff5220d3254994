"""From a request to the provider's answer: fault, credential, body, endpoint, in this order."""

from routing.sandbox import credentials
from routing.sandbox.answers import Answer, Headers
from routing.sandbox.faults import Effect, Fault
from routing.sandbox.incoming import MALFORMED, TOO_LARGE, Incoming
from routing.sandbox.memory import Memory
from routing.sandbox.problems import Refused
from routing.sandbox.profile import Exchange
from routing.sandbox.routes import Target


def answer(
    incoming: Incoming, target: Target, fault: Fault, memory: Memory
) -> tuple[Answer, Headers]:
    """The provider's answer or refusal, and the headers that it puts on either."""
    exchange = _exchange(incoming, target, fault, memory)
    found = _answer(exchange, incoming, target, fault)
    meter = memory.meter(exchange.owner, exchange.began_at)
    meter.requests += 1
    if found.spent:
        meter.tokens += found.spent.input_tokens + found.spent.output_tokens
    return found, exchange.profile.headers(exchange, meter)


def _exchange(incoming: Incoming, target: Target, fault: Fault, memory: Memory) -> Exchange:
    credential = credentials.of(target.profile, incoming.headers)
    return Exchange(
        id=incoming.id,
        profile=target.profile,
        name=target.name,
        path=incoming.path,
        query=incoming.query,
        headers=incoming.headers,
        body=incoming.json,
        began_at=incoming.began_at,
        owner=credentials.owner(target.profile, credential),
        credential=credentials.shortened(credential),
        has_credit=not credential.startswith(credentials.NO_CREDIT),
        is_empty=fault.effect is Effect.EMPTY,
        memory=memory,
    )


_ODD = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError)


def _answer(exchange: Exchange, incoming: Incoming, target: Target, fault: Fault) -> Answer:
    wording = exchange.profile.wording
    try:
        return _willing(exchange, incoming, target, fault)
    except Refused as refusal:
        return wording.answer(refusal.problem, exchange.id)
    except _ODD:  # types that no check foresaw, or nested too deeply: a provider says 400
        return wording.answer(wording.problem("malformed"), exchange.id)


def _willing(exchange: Exchange, incoming: Incoming, target: Target, fault: Fault) -> Answer:
    """Raises Refused."""
    profile, endpoint = exchange.profile, target.endpoint
    quoted = {"model": incoming.model or exchange.name or "the-model", "key": exchange.credential}
    if fault.effect is Effect.STATUS:
        raise exchange.problem(fault.problem, **quoted)
    if endpoint is None:
        raise exchange.problem("no_route", path=f"{incoming.method} {incoming.path}")
    credentials.check(profile, endpoint, credentials.of(profile, incoming.headers))
    for name in profile.needed_headers:
        if not incoming.headers.get(name):
            raise exchange.problem("no_header", header=name)
    if incoming.body is TOO_LARGE:
        raise exchange.problem("413", **quoted)
    if incoming.body is MALFORMED:
        raise exchange.problem("malformed")
    return endpoint.answer(exchange)
