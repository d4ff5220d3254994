"""What a call may cost, for ranking and for limits. Pure."""

from decimal import Decimal

from billing.pricing import Price, Rates, unit_rates
from routing.chat import ChatRequest
from routing.health.expected import Expected
from routing.options import PriceCeiling
from routing.providers.catalog_index import Offer

USUAL_MAXIMUM = 4096  # tokens, for an upper bound where neither caller nor catalogue names one
PER_MILLION = 1e-6
MOST_RATES = 10_000  # remembered as floats


def expected_cost(price: Price, amounts: Expected) -> float:
    """USD that a call is expected to cost. For ranking only."""
    rates = price.rates_for(int(amounts.input))
    _, uncached, read, write, output, per_request = floats(rates)
    fresh = amounts.input - amounts.cached - amounts.written
    return (
        uncached * fresh
        + read * amounts.cached
        + write * amounts.written
        + output * amounts.output
        + per_request
    )


_as_floats: dict[int, tuple[Rates, float, float, float, float, float]] = {}


def floats(rates: Rates) -> tuple[Rates, float, float, float, float, float]:
    """USD per token fresh, read from and written to a cache, and of output; and per request.

    Remembered: conversions cost more than the arithmetic.
    """
    known = _as_floats.get(id(rates))
    if known is not None and known[0] is rates:
        return known
    unit = unit_rates(rates)
    uncached, read, write, output = (float(unit[place]) * PER_MILLION for place in (0, 1, 2, 4))
    if len(_as_floats) > MOST_RATES:
        _as_floats.clear()
    found = (rates, uncached, read, write, output, float(rates.per_request))
    _as_floats[id(rates)] = found
    return found


def upper_cost(price: Price, chat: ChatRequest, offer: Offer) -> Decimal:
    """USD that the call can cost at most: every byte a token, the longest answer."""
    rates = price.rates_for(chat.input_tokens)
    most = chat.max_tokens or (offer.model.output if offer.model else None) or USUAL_MAXIMUM
    dearest_in, dearest_out = max(unit_rates(rates)[:4]), max(unit_rates(rates)[4:6])
    total = chat.input_tokens * dearest_in + most * dearest_out
    return total.scaleb(-6) + rates.per_request


def exceeds(price: Price, ceiling: PriceCeiling, input_tokens: int) -> bool:
    rates = price.rates_for(input_tokens)
    too_dear_in = ceiling.input is not None and rates.input > ceiling.input
    too_dear_out = ceiling.output is not None and rates.output > ceiling.output
    return too_dear_in or too_dear_out
