"""What a call may cost at most, and the maximum of output that money allows. Pure.

A hard budget reserves this before the call, and `x-flo2-max-cost` is held against it, so the bound
is meant to be never too low: every byte of the body a token, the dearest rate that can apply, the
longest answer.
"""

from decimal import ROUND_CEILING, Decimal

import msgspec

from billing import money, pricing
from billing.pricing import Price, Rates
from routing.chat import Body, ChatRequest
from routing.providers.catalog_index import Offer

TOOL_TOKENS = 600  # of a hidden prompt that explains the tools
FILE_TOKENS = 200_000  # of a request with files, where the model's context is not known
USUAL_MAXIMUM = 4096  # tokens, named where nobody knows how long answers may be
LEAST_OUTPUT = 1024  # tokens: below that an answer is of no use
ROOM_SHARE = 8  # of what is left one call that names no maximum may take this part
_FILES = frozenset({"image", "audio", "pdf"})
# Parts of a message that are read as they are written: no more tokens than bytes.
_WRITTEN = frozenset(
    {
        "text", "input_text", "output_text", "refusal", "summary_text", "reasoning_text",
        "thinking", "redacted_thinking", "tool_use", "tool_result",
    }
)  # fmt: skip
_MAXIMUM = {"openai": "max_completion_tokens", "responses": "max_output_tokens"}


def cost(price: Price, chat: ChatRequest, offer: Offer) -> int:
    """The most that one attempt may cost, in pico-dollars."""
    price, prompt = pricing.at_most(price, chat.service), prompt_bound(chat, offer)
    return _pico(prompt * _dearest_in(price, prompt)) + _output_cost(price, chat, offer, prompt)


def fits(amount: int, ceiling: Decimal | None) -> bool:
    """Whether so many pico-dollars are within a request's own ceiling in dollars, if it has one."""
    return ceiling is None or amount <= ceiling.scaleb(12)


def prompt_bound(chat: ChatRequest, offer: Offer) -> int:
    """More tokens than the prompt can have."""
    context = offer.model.context if offer.model else None
    if not chat.needs.isdisjoint(_FILES) or _has_other_parts(chat.body):
        # A picture of a few bytes may count as tens of thousands of tokens.
        return context or max(chat.size, FILE_TOKENS)
    bound = chat.size + (TOOL_TOKENS if "tools" in chat.needs else 0)
    return min(bound, context) if context else bound


def _has_other_parts(body: Body) -> bool:
    """Whether there is something of a kind that nobody here knows, such as a video."""
    spoken = body.get("messages") or body.get("input")
    for one in spoken if isinstance(spoken, list) else ():
        content = one.get("content") if isinstance(one, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("type") not in _WRITTEN:
                return True
    return False


def payable_maximum(price: Price, chat: ChatRequest, offer: Offer, room: int) -> int | None:
    """The maximum of output tokens for a request without one; None if the model's own will do.

    `room` is what the budget has left, in pico-dollars.
    """
    known = offer.model.output if offer.model else None
    price = pricing.at_most(price, chat.service)
    rate = _dearest_out(price, prompt_bound(chat, offer))
    if not rate:
        return None
    affordable = int(
        room // ROOM_SHARE / (rate * _answers(chat.body)) / money.PICOS_PER_USD * 10**6
    )
    fitting = max(LEAST_OUTPUT, affordable)
    if known is None:
        return min(fitting, USUAL_MAXIMUM)
    return fitting if fitting < known else None


def with_maximum(chat: ChatRequest, most: int) -> tuple[ChatRequest, str]:
    """The request with a maximum of output tokens, and the name of the field that says so."""
    name = _MAXIMUM.get(chat.dialect, "max_tokens")
    body = {**chat.body, name: most}
    return msgspec.structs.replace(chat, body=body, max_tokens=most), name


def _output_cost(price: Price, chat: ChatRequest, offer: Offer, prompt: int) -> int:
    rates = _every_rate(price, prompt)
    fee = max(one.per_request for one in rates)
    if chat.kind != "chat":
        return _pico(fee * 10**6)
    tokens = chat.max_tokens or _most(offer)
    limit = offer.model.output if offer.model else None
    tokens = min(tokens, limit) if limit else tokens
    tokens *= _answers(chat.body)
    return _pico(tokens * _dearest_out(price, prompt) + fee * 10**6)


def _most(offer: Offer) -> int:
    return (offer.model.output if offer.model else None) or USUAL_MAXIMUM


def _answers(body: Body) -> int:
    wanted = body.get("n")
    return wanted if type(wanted) is int and wanted > 1 else 1


def _every_rate(price: Price, prompt: int) -> list[Rates]:
    tiers = [tier.rates for tier in price.tiers if prompt > tier.above_input_tokens]
    return [price.rates, *tiers]


def _dearest_in(price: Price, prompt: int) -> Decimal:
    return max(
        rate
        for rates in _every_rate(price, prompt)
        for rate in (
            rates.input,
            rates.cache_read,
            rates.cache_write_5m,
            rates.cache_write_1h,
            rates.audio_in,
            rates.image_in,
        )
        if rate is not None
    )


def _dearest_out(price: Price, prompt: int) -> Decimal:
    return max(
        rate
        for rates in _every_rate(price, prompt)
        for rate in (rates.output, rates.reasoning, rates.audio_out)
        if rate is not None
    )


def _pico(millionths: Decimal) -> int:
    """Dollars times a million as whole pico-dollars, rounded up."""
    return int((millionths * 10**6).to_integral_value(ROUND_CEILING))
