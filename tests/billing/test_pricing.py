"""What usage costs, against a slow reference that knows no rounding."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import money, pricing
from billing.pricing import Price, Rates, Tier, Variant, cost_of
from billing.usage import BUCKETS, Usage

RATE = st.integers(0, 10**10).map(lambda micro: Decimal(micro).scaleb(-6))  # up to 10,000 USD
RATES = st.builds(
    Rates,
    input=RATE,
    output=RATE,
    cache_read=st.none() | RATE,
    cache_write_5m=st.none() | RATE,
    cache_write_1h=st.none() | RATE,
    reasoning=st.none() | RATE,
    audio_in=st.none() | RATE,
    audio_out=st.none() | RATE,
    image_in=st.none() | RATE,
    per_request=st.integers(0, 10**12).map(lambda pico: Decimal(pico).scaleb(-12)),
)
USAGES = st.builds(Usage, **dict.fromkeys(BUCKETS, st.integers(0, 10**9)))
TIERS = st.lists(
    st.builds(Tier, above_input_tokens=st.integers(0, 10**9), rates=RATES), max_size=3
).map(lambda tiers: tuple(sorted(tiers, key=lambda tier: tier.above_input_tokens)))
PRICES = st.builds(Price, source=st.just("catalogue"), rates=RATES, tiers=TIERS)

FALLS_BACK_TO = {
    "cache_read": ["input"],
    "cache_write_5m": ["input"],
    "cache_write_1h": ["cache_write_5m", "input"],
    "reasoning": ["output"],
    "audio_in": ["input"],
    "audio_out": ["output"],
    "image_in": ["input"],
}


def reference_rate(rates: Rates, bucket: str) -> Fraction:
    name = {"input_uncached": "input", "output_visible": "output"}.get(bucket, bucket)
    for candidate in [name, *FALLS_BACK_TO.get(name, [])]:
        rate = getattr(rates, candidate)
        if rate is not None:
            return Fraction(rate)
    raise AssertionError(bucket)


def reference_cost(usage: Usage, price: Price) -> Fraction:
    exceeded = [t for t in price.tiers if usage.input_tokens > t.above_input_tokens]
    rates = exceeded[-1].rates if exceeded else price.rates
    tokens = dict(zip(BUCKETS, usage.counts(), strict=True))
    charged = [tokens[bucket] * reference_rate(rates, bucket) for bucket in BUCKETS]
    return sum(charged, Fraction(0)) / 1_000_000 + Fraction(rates.per_request)


def price(**rates: str) -> Price:
    amounts = {name: Decimal(rate) for name, rate in {"input": "1", "output": "2", **rates}.items()}
    return Price(source="catalogue", rates=Rates(**amounts))


def test_a_thousand_tokens_in_and_500_out_at_1_and_2_dollars_cost_a_fifth_of_a_cent() -> None:
    usage = Usage(input_uncached=1000, output_visible=500)

    assert cost_of(usage, price()) == Decimal("0.002")
    assert str(cost_of(usage, price())) == "0.002"


@given(USAGES, PRICES)
def test_the_cost_is_the_exact_sum_of_tokens_times_rates(usage: Usage, its: Price) -> None:
    assert Fraction(cost_of(usage, its)) == reference_cost(usage, its)


@given(USAGES, PRICES)
def test_a_cost_is_never_negative_and_always_whole_pico_dollars(usage: Usage, its: Price) -> None:
    cost = cost_of(usage, its)

    assert cost >= 0
    assert (Fraction(cost) * 10**12).denominator == 1


@given(USAGES, USAGES, st.builds(Price, source=st.just("catalogue"), rates=RATES))
def test_without_tiers_two_halves_cost_what_the_whole_costs(
    one: Usage, other: Usage, its: Price
) -> None:
    both = cost_of(one, its) + cost_of(other, its)

    assert both == cost_of(one + other, its) + its.rates.per_request


@pytest.mark.parametrize("bucket", BUCKETS)
def test_each_bucket_is_charged_at_its_own_rate(bucket: str) -> None:
    name = {"input_uncached": "input", "output_visible": "output"}.get(bucket, bucket)

    assert cost_of(Usage(**{bucket: 1_000_000}), price(**{name: "7.5"})) == Decimal("7.5")


@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_bucket_without_a_rate_is_charged_like_what_it_is_part_of(bucket: str) -> None:
    is_output = bucket in {"output_visible", "reasoning", "audio_out"}

    assert cost_of(Usage(**{bucket: 1_000_000}), price()) == (2 if is_output else 1)


def test_writing_to_the_long_cache_falls_back_to_the_short_one_first() -> None:
    usage = Usage(cache_write_1h=1_000_000)

    assert cost_of(usage, price(cache_write_5m="1.25")) == Decimal("1.25")


@pytest.mark.parametrize(("tokens", "cost"), [(1, "0"), (3, "2E-12"), (2_000_000, "0.000001")])
def test_a_rate_finer_than_a_pico_dollar_per_token_is_rounded_once_per_call(
    tokens: int, cost: str
) -> None:
    half = Price(source="catalogue", rates=Rates(Decimal("0.0000005"), Decimal(0)))

    assert cost_of(Usage(input_uncached=tokens), half) == Decimal(cost)


def test_a_cost_beyond_the_digits_of_a_decimal_is_refused() -> None:
    dear = Price(source="catalogue", rates=Rates(money.LARGEST, money.LARGEST))

    with pytest.raises(ArithmeticError):
        cost_of(Usage(input_uncached=2**53, output_visible=2**53), dear)


def test_a_rate_of_zero_is_a_rate() -> None:
    usage = Usage(cache_read=1_000_000, reasoning=1_000_000, cache_write_1h=1_000_000)

    free = price(cache_read="0", reasoning="0", cache_write_1h="0", cache_write_5m="5")
    assert cost_of(usage, free) == 0


class TestTiers:
    TIERED = Price(
        source="catalogue",
        rates=Rates(Decimal(1), Decimal(10)),
        tiers=(
            Tier(200_000, Rates(Decimal(2), Decimal(20))),
            Tier(400_000, Rates(Decimal(4), Decimal(40))),
        ),
    )

    @pytest.mark.parametrize(
        ("tokens", "rate"),
        [(0, 1), (200_000, 1), (200_001, 2), (400_000, 2), (400_001, 4), (9_000_000, 4)],
    )
    def test_a_tier_holds_for_the_whole_request_above_its_limit(
        self, tokens: int, rate: int
    ) -> None:
        usage = Usage(input_uncached=tokens, output_visible=100)

        assert cost_of(usage, self.TIERED) == Decimal(tokens * rate + 1000 * rate) / 1_000_000

    def test_cached_tokens_count_towards_the_limit_and_output_does_not(self) -> None:
        cached = Usage(input_uncached=1, cache_read=200_000)
        talkative = Usage(input_uncached=1, output_visible=300_000)

        assert self.TIERED.rates_for(cached.input_tokens).input == 2
        assert self.TIERED.rates_for(talkative.input_tokens).input == 1

    @given(USAGES, PRICES)
    def test_the_price_kept_with_a_call_charges_the_same(self, usage: Usage, its: Price) -> None:
        kept = pricing.applied(its, usage)

        assert kept.tiers == ()
        assert (kept.source, kept.since) == (its.source, its.since)
        assert cost_of(usage, kept) == cost_of(usage, its)


@given(USAGES, RATES)
def test_the_lines_of_a_receipt_add_up_to_the_cost_less_the_fee(usage: Usage, rates: Rates) -> None:
    lines = pricing.receipt(usage, rates)
    total = sum((amount for *_, amount in lines), Decimal(0))

    assert total + rates.per_request == cost_of(usage, Price(source="operator", rates=rates))
    assert [(bucket, tokens) for bucket, tokens, *_ in lines] == [
        (bucket, tokens) for bucket, tokens in zip(BUCKETS, usage.counts(), strict=True) if tokens
    ]


@given(PRICES)
def test_a_price_survives_being_kept(its: Price) -> None:
    assert pricing.from_json(pricing.to_json(its)) == its


def test_a_price_is_shown_with_amounts_as_text() -> None:
    its = Price(source="tenant", rates=Rates(Decimal("0.1"), Decimal(2)), since=date(2026, 11, 20))

    assert pricing.to_builtins(its) == {
        "source": "tenant",
        "rates": {"input": "0.1", "output": "2"},
        "since": "2026-11-20",
    }


@pytest.mark.parametrize("rate", ["0", "0.000001", "0.05", "15", "9000000", "1.10"])
def test_a_rate_that_can_be_charged_exactly_is_taken(rate: str) -> None:
    assert pricing.check_rate(Decimal(rate)) == Decimal(rate)


@pytest.mark.parametrize(
    "rate", ["-0.1", "NaN", "Infinity", "0.0000001", "9000001", "1e30", "1e400", "1.0000001"]
)
def test_a_rate_that_cannot_be_charged_exactly_is_refused(rate: str) -> None:
    with pytest.raises(pricing.RateProblem, match="cannot be charged exactly"):
        pricing.check_rate(Decimal(rate))


@given(USAGES, RATES)
def test_what_a_checked_rate_charges_can_be_booked(usage: Usage, rates: Rates) -> None:
    cost = cost_of(usage, Price(source="operator", rates=rates))

    if cost <= money.LARGEST:
        assert money.from_pico(money.to_pico(cost)) == cost


FLEX = Variant("flex", Rates(Decimal("0.5"), Decimal(1)), date(2026, 10, 1))
LISTED = Price(source="list", rates=Rates(Decimal(1), Decimal(2), Decimal("0.1")), variants=(FLEX,))


def test_a_tier_of_service_has_its_published_rates() -> None:
    priced = pricing.of_service(LISTED, "flex")

    assert (priced.rates, priced.since, priced.source) == (FLEX.rates, FLEX.since, "list")
    assert (priced.service, priced.is_guess) == ("flex", False)
    assert pricing.of_service(LISTED, "") is LISTED


def test_a_tier_that_nobody_has_published_is_guessed_at_and_never_below_the_usual() -> None:
    plain = msgspec.structs.replace(
        LISTED, variants=(), tiers=(Tier(100, Rates(Decimal(3), Decimal(4))),)
    )
    priority, flex = pricing.of_service(plain, "priority"), pricing.of_service(plain, "flex")

    assert priority.rates == Rates(Decimal(2), Decimal(4), Decimal("0.2"))
    assert priority.tiers == (Tier(100, Rates(Decimal(6), Decimal(8))),)
    assert (flex.rates, flex.tiers) == (plain.rates, plain.tiers)
    assert (priority.is_guess, flex.is_guess) == (True, True)


def test_who_set_a_price_of_his_own_pays_that_for_every_tier() -> None:
    own = Price(source="tenant", rates=LISTED.rates)

    assert pricing.of_service(own, "priority") is own


def test_the_most_that_a_tier_may_cost_is_no_less_than_the_usual_price() -> None:
    """The provider may be one that is not told of it, or serve it at the usual price."""
    assert pricing.at_most(LISTED, "flex") is LISTED
    assert pricing.at_most(LISTED, "turbo").rates.output == 6 * LISTED.rates.output
    dearer = Variant("priority", Rates(Decimal(2), Decimal(4)))
    found = pricing.at_most(msgspec.structs.replace(LISTED, variants=(dearer,)), "priority")
    assert found.rates == dearer.rates


def test_a_call_keeps_the_rates_of_its_tier_and_no_others() -> None:
    usage = Usage(input_uncached=1, output_visible=1)
    kept = pricing.applied(pricing.of_service(LISTED, "flex"), usage)

    assert (kept.rates, kept.service, kept.variants) == (FLEX.rates, "flex", ())
    assert pricing.applied(LISTED, usage).variants == ()
