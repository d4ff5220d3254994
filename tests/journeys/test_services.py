"""Other tiers of service are charged at their own price, or at a guess that says so."""

from decimal import Decimal

import pytest

from billing import pricing
from billing.models import Attempt
from billing.usage import BUCKETS, Usage
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller

GPT, LLAMA = "openai/gpt-5", "groq/llama-3.3-70b-versatile"


def booked(caller: Caller, model: str, tier: str) -> Attempt:
    """The attempt of a call that asks for this tier of service."""
    caller.openai(live=True).chat.completions.create(
        model=model,
        messages=MESSAGES,
        extra_body={"service_tier": tier},
    )
    _, [attempt] = books.last(caller)
    return attempt


def per_token(attempt: Attempt) -> tuple[Decimal, Decimal]:
    """Dollars per million tokens of input and output; what was booked is what they make."""
    price = pricing.from_json(attempt.price)
    assert attempt.cost == pricing.cost_of(_usage(attempt), price) > 0
    return price.rates.input, price.rates.output


def _usage(attempt: Attempt) -> Usage:
    return Usage(**{name: getattr(attempt, name) for name in BUCKETS})


@pytest.mark.parametrize(("tier", "times"), [("flex", Decimal("0.5")), ("priority", Decimal(2))])
def test_a_tier_that_is_listed_costs_what_is_listed(
    live_caller: Caller, tier: str, times: Decimal
) -> None:
    usual, other = (booked(live_caller, GPT, one) for one in ("default", tier))

    assert per_token(other) == tuple(times * rate for rate in per_token(usual))
    assert (usual.cost_status, other.cost_status) == ("priced", "priced")


def test_a_tier_that_nobody_lists_is_an_estimate(live_caller: Caller) -> None:
    usual, other = (booked(live_caller, LLAMA, one) for one in ("on_demand", "performance"))

    assert per_token(other) == tuple(2 * rate for rate in per_token(usual))
    assert (usual.cost_status, other.cost_status) == ("priced", "estimated")


def test_a_provider_that_is_not_told_of_the_tier_is_charged_as_usual(caller: Caller) -> None:
    """Anthropic's tiers are others: the translation asks for the usual one."""
    answer = caller.openai().chat.completions.create(
        model="anthropic/claude-haiku-4-5",
        messages=MESSAGES,
        extra_body={"service_tier": "priority"},
    )
    assert answer.choices
    call, [attempt] = books.last(caller)

    assert call.cost_status == "priced"
    assert pricing.from_json(attempt.price).service == ""
