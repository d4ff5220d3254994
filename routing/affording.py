"""What budgets make of a plan: who can be paid, how long an answer may be, what it needs."""

import msgspec

from accounts.callers import Caller
from billing import known_budgets
from billing.facts import CallOpened
from billing.leases import Payer
from billing.ledger import Ledger, OpenCall
from billing.rates import Limits
from routing.chat import ChatRequest
from routing.errors import PriceUnknown
from routing.plan import worst_case
from routing.plan.candidates import Candidate
from routing.plan.plan import Plan

FRESH_SECONDS = 1.0  # how well a budget has to be known that is too small for the longest answer


class Fitted(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A request and its plan as the budgets allow them."""

    chat: ChatRequest
    plan: Plan
    need: int = 0  # pico-dollars that the first attempt may cost at most
    adapted: tuple[str, ...] = ()


async def fit(ledger: Ledger, payer: Payer, chat: ChatRequest, plan: Plan, *, at: int) -> Fitted:
    """Leave out who has no price, and name a maximum that the budget can pay.

    Raises PriceUnknown, Unavailable. Nothing changes where no hard budget covers the payer.
    """
    if known_budgets.cached(payer.tenant) == ():  # has none, for sure
        return Fitted(chat, plan)
    room = await ledger.leases.room(payer, at)
    if room is None:
        return Fitted(chat, plan)
    candidates = tuple(one for one in plan.candidates if one.price is not None)
    if not candidates:
        raise PriceUnknown(model=chat.model)
    plan = msgspec.structs.replace(plan, candidates=candidates)
    first, adapted = candidates[0], ""
    if chat.max_tokens is None and chat.kind == "chat":
        if _maximum(first, chat, room) is not None:
            room = await ledger.leases.room(payer, at, newest=FRESH_SECONDS) or 0
        most = _maximum(first, chat, room)
        if most is not None:
            chat, adapted = worst_case.with_maximum(chat, most)
    return Fitted(chat, plan, _need(first, chat), (adapted,) if adapted else ())


def payer_of(caller: Caller, fact: CallOpened) -> Payer:
    return Payer(caller.tenant_id, caller.mode, fact.project, caller.lineage)


async def admit(ledger: Ledger, caller: Caller, fact: CallOpened, fitted: Fitted) -> OpenCall:
    """Open the books, if rates and budgets allow it. Raises GatewayError."""
    payer = payer_of(caller, fact)
    return await ledger.admit(fact, payer, need=fitted.need, limits=limits_of(caller))


def limits_of(caller: Caller) -> Limits | None:
    """The limits on the rates of a key, if it has any."""
    limits = (caller.requests_per_minute, caller.tokens_per_minute, caller.max_parallel)
    return None if limits == (None, None, None) else Limits(caller.lineage, *limits)


def _maximum(candidate: Candidate, chat: ChatRequest, room: int) -> int | None:
    assert candidate.price is not None  # noqa: S101  the others were left out
    return worst_case.payable_maximum(candidate.price, chat, candidate.offer, room)


def _need(candidate: Candidate, chat: ChatRequest) -> int:
    assert candidate.price is not None  # noqa: S101
    return worst_case.cost(candidate.price, chat, candidate.offer)
