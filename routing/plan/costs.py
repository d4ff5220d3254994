"""What a call is expected to cost, for ranking, and ceilings of rates. Pure."""

from accounts.by_identity import by_identity
from billing.pricing import Price, Rates, unit_rates
from routing.health.expected import Expected
from routing.options import PriceCeiling

PER_MILLION = 1e-6
MOST_RATES = 10_000  # remembered as floats


def expected_cost(price: Price, amounts: Expected) -> float:
    """USD that a call is expected to cost. For ranking only."""
    rates = price.rates_for(int(amounts.input))
    uncached, read, write, output, per_request = floats(rates)
    fresh = amounts.input - amounts.cached - amounts.written
    return (
        uncached * fresh
        + read * amounts.cached
        + write * amounts.written
        + output * amounts.output
        + per_request
    )


@by_identity(MOST_RATES)  # conversions cost more than the arithmetic
def floats(rates: Rates) -> tuple[float, float, float, float, float]:
    """USD per token fresh, read from and written to a cache, and of output; and per request."""
    unit = unit_rates(rates)
    uncached, read, write, output = (float(unit[place]) * PER_MILLION for place in (0, 1, 2, 4))
    return uncached, read, write, output, float(rates.per_request)


def exceeds(price: Price, ceiling: PriceCeiling, input_tokens: int) -> bool:
    rates = price.rates_for(input_tokens)
    too_dear_in = ceiling.input is not None and rates.input > ceiling.input
    too_dear_out = ceiling.output is not None and rates.output > ceiling.output
    return too_dear_in or too_dear_out
