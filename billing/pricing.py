"""What usage costs at a price. Pure arithmetic on exact decimals.

Rates are US dollars per million tokens, as providers publish them, and `per_request` dollars. A
bucket without a rate of its own is charged like the kind it is part of: cached and image tokens as
input, reasoning as output.
"""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from accounts.by_identity import by_identity
from billing import money
from billing.money import LARGEST, PICO, ZERO
from billing.usage import BUCKETS, Usage

MILLION = Decimal(1_000_000)
SERVICE_FIELDS = ("service_tier", "speed")  # of requests, which name a tier of service there
USUAL_SERVICE = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})
OWN = "tenant"  # the source of a price that a tenant has set
# Of tiers of service without a published price, as multiples of the usual one: a cheaper tier is
# charged in full. Published ones are 1.7 to 2 times for "priority", 2 to 6 for "fast"
# (genai-prices 0.2.3 and platform.claude.com/docs, fast mode, read 2026-11-20).
_GUESSES = {"flex": 1}
USUAL_GUESS, DEAREST = 2, 6
FINEST = Decimal("1e-6")  # a rate finer than this per million would break exact pico-dollars


class Rates(msgspec.Struct, frozen=True, omit_defaults=True):
    """USD per million tokens of each bucket; None is charged as FALLBACK says."""

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write_5m: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    audio_in: Decimal | None = None
    audio_out: Decimal | None = None
    image_in: Decimal | None = None
    per_request: Decimal = ZERO


class Tier(msgspec.Struct, frozen=True):
    """Rates of the whole request once its input exceeds so many tokens."""

    above_input_tokens: int
    rates: Rates


class Variant(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates of another tier of service than the usual one."""

    service: str  # as a request names it: "flex", "priority", "fast"
    rates: Rates
    since: date | None = None
    tiers: tuple[Tier, ...] = ()


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rates in force, where they come from and since when."""

    source: str  # "tenant", "operator", "catalogue" or "genai-prices <version>"
    rates: Rates
    since: date | None = None
    tiers: tuple[Tier, ...] = ()
    variants: tuple[Variant, ...] = ()
    service: str = ""  # the tier of service whose rates these are, if not the usual one
    is_guess: bool = False  # nobody has published what that tier costs

    def rates_for(self, input_tokens: int) -> Rates:
        """The rates of a request of this size."""
        rates = self.rates
        for tier in self.tiers:
            if input_tokens > tier.above_input_tokens:
                rates = tier.rates
        return rates


class RateProblem(ValueError):
    """A rate that cannot be charged exactly."""


def check_rate(rate: Decimal) -> Decimal:
    """The rate if it is from 0 to 9,000,000 and a multiple of 10⁻⁶ USD per million tokens."""
    if not rate.is_finite() or not 0 <= rate <= LARGEST or rate % FINEST:
        raise RateProblem(f"{rate} USD per million tokens cannot be charged exactly")
    return rate


def unit_rates(rates: Rates) -> tuple[Decimal, ...]:
    """The rate of each bucket, in the order of BUCKETS, fallbacks applied."""
    return (
        rates.input,
        rates.input if rates.cache_read is None else rates.cache_read,
        rates.input if rates.cache_write_5m is None else rates.cache_write_5m,
        _first(rates.cache_write_1h, rates.cache_write_5m, rates.input),
        rates.output,
        rates.output if rates.reasoning is None else rates.reasoning,
        rates.input if rates.audio_in is None else rates.audio_in,
        rates.output if rates.audio_out is None else rates.audio_out,
        rates.input if rates.image_in is None else rates.image_in,
    )


def cost_of(usage: Usage, price: Price) -> Decimal:
    """The exact cost in USD: Σ tokens × rate / 10⁶ + the fee per request.

    >>> cost_of(Usage(input_uncached=1000, output_visible=500),
    ...         Price(source="catalogue", rates=Rates(Decimal(1), Decimal(2))))
    Decimal('0.002')
    """
    rates = price.rates_for(usage.input_tokens)
    whole = _in_pico(rates)
    if whole is None:
        return _finely(usage, rates)
    each, cost = whole
    for tokens, rate in zip(usage.counts(), each, strict=True):
        if tokens:
            cost += tokens * rate
    if cost > _EXACT_PICO:
        return _finely(usage, rates)
    return money.from_pico(cost).normalize() if cost else ZERO


def _finely(usage: Usage, rates: Rates) -> Decimal:
    """Where a rate is finer than a pico-dollar per token, or the cost beyond any real one."""
    total = ZERO
    for tokens, rate in zip(usage.counts(), unit_rates(rates), strict=True):
        if tokens:
            total += tokens * rate
    cost = total / MILLION + rates.per_request
    return cost.quantize(PICO).normalize() if cost else ZERO


Whole = tuple[tuple[int, ...], int]
_EXACT_PICO = 10**27  # more would be rounded to the 28 digits of a Decimal


@by_identity(1000)
def _in_pico(rates: Rates) -> Whole | None:
    """Pico-dollars per token of each bucket, and per request; None where they are not whole.

    A price in force is asked for at each call, and is the same object as long as it is in force.
    """
    exact = [rate.scaleb(6) for rate in unit_rates(rates)] + [rates.per_request.scaleb(12)]
    *each, fee = (int(rate) for rate in exact)
    return (tuple(each), fee) if [*each, fee] == exact else None


def receipt(usage: Usage, rates: Rates) -> list[tuple[str, int, Decimal, Decimal]]:
    """The lines of a bill: (bucket, tokens, USD per million, USD), buckets in use only."""
    lines = zip(BUCKETS, usage.counts(), unit_rates(rates), strict=True)
    return [
        (bucket, tokens, rate, tokens * rate / MILLION) for bucket, tokens, rate in lines if tokens
    ]


def applied(price: Price, usage: Usage) -> Price:
    """The price as it is kept with a call: the rates that applied, without the others."""
    if not price.tiers and not price.variants:
        return price
    rates = price.rates_for(usage.input_tokens)
    return msgspec.structs.replace(price, rates=rates, tiers=(), variants=())


def of_service(price: Price, service: str) -> Price:
    """The price of a tier of service; of one whose rates are not known a guess, marked as such.

    Who has a price of his own set it for what he uses.
    """
    if not service or price.source == OWN:
        return price
    for variant in price.variants:
        if variant.service == service:
            return Price(
                source=price.source,
                since=variant.since,
                rates=variant.rates,
                tiers=variant.tiers,
                service=service,
            )
    return _times(_GUESSES.get(service, USUAL_GUESS), price, service)


def at_most(price: Price, service: str) -> Price:
    """The most that this tier of service may cost: of one not sent on to a provider, the usual."""
    if not service:
        return price
    priced = of_service(price, service)
    if priced.is_guess:
        return priced if service in _GUESSES else _times(DEAREST, price, service)
    return max(price, priced, key=lambda one: (one.rates.output, one.rates.input))


def _times(factor: int, price: Price, service: str) -> Price:
    def dearer(rates: Rates) -> Rates:
        named = {name: getattr(rates, name) for name in rates.__struct_fields__}
        return Rates(**{name: rate and rate * factor for name, rate in named.items()})

    tiers = tuple(Tier(one.above_input_tokens, dearer(one.rates)) for one in price.tiers)
    return Price(
        source=price.source,
        since=price.since,
        rates=dearer(price.rates),
        tiers=tiers,
        service=service,
        is_guess=True,
    )


def to_json(price: Price) -> bytes:
    return msgspec.json.encode(price)


def from_json(text: str | bytes) -> Price:
    return msgspec.json.decode(text, type=Price)


def to_builtins(price: Price) -> dict[str, Any]:
    """The price as the API shows it: amounts as text."""
    shown: dict[str, Any] = msgspec.to_builtins(price)
    return shown


def _first(*rates: Decimal | None) -> Decimal:
    return next(rate for rate in rates if rate is not None)
