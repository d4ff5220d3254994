"""What a call may cost at most: never less than it can cost."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from billing import money, pricing
from billing.pricing import Price, Rates, Tier, Variant
from billing.usage import Usage
from routing.chat import ChatRequest
from routing.options import Options
from routing.plan import candidates, worst_case
from routing.providers import catalog_index
from routing.providers.catalog_index import Offer
from routing.wire.openai import request as wire
from tests.routing.plan import builders

RATES = st.integers(0, 100_000_000).map(lambda n: Decimal(n).scaleb(-6))
MAYBE = st.none() | RATES


def offer(**model: Any) -> Offer:
    """A known model, with another size."""
    provider = catalog_index.current().providers["groq"]
    known = next(one for one in provider.models if one.kind == "chat")
    return Offer(provider, known.id, msgspec.structs.replace(known, **model))


def chat(**fields: Any) -> ChatRequest:
    body = {"model": "m", "messages": [{"role": "user", "content": "Say hi"}], **fields}
    return wire.read(msgspec.json.encode(body))


def price(*, input: Decimal = Decimal(1), output: Decimal = Decimal(2)) -> Price:  # noqa: A002
    return Price(source="test", rates=Rates(input=input, output=output))


@st.composite
def prices(draw: st.DrawFn) -> Price:
    def rates() -> Rates:
        return Rates(
            input=draw(RATES), output=draw(RATES), cache_read=draw(MAYBE),
            cache_write_5m=draw(MAYBE), cache_write_1h=draw(MAYBE), reasoning=draw(MAYBE),
            per_request=draw(RATES),
        )  # fmt: skip

    tiers = (Tier(draw(st.integers(1, 300)), rates()),) if draw(st.booleans()) else ()
    return Price(source="test", rates=rates(), tiers=tiers)


@given(data=st.data(), its=prices(), most=st.integers(1, 5000), n=st.integers(1, 4))
def test_no_usage_within_the_bounds_costs_more(
    data: st.DataObject, its: Price, most: int, n: int
) -> None:
    asked = chat(max_tokens=most, n=n)
    where = offer(context=None, output=None)
    tokens = asked.size
    inside = st.lists(st.integers(0, tokens), min_size=3, max_size=3).map(sorted)
    a, b, c = data.draw(inside)
    visible = data.draw(st.integers(0, most * n))
    used = Usage(
        input_uncached=a, cache_read=b - a, cache_write_5m=c - b, cache_write_1h=tokens - c,
        output_visible=visible, reasoning=most * n - visible,
    )  # fmt: skip

    cost = money.to_pico(pricing.cost_of(used, its))

    assert cost <= worst_case.cost(its, asked, where)


def test_the_prompt_is_bounded_by_its_bytes_and_by_the_context() -> None:
    asked = chat()
    assert worst_case.prompt_bound(asked, offer(context=None)) == asked.size
    assert worst_case.prompt_bound(asked, offer(context=50)) == 50
    tools = chat(tools=[{"type": "function", "function": {"name": "f"}}])
    assert worst_case.prompt_bound(tools, offer(context=None)) == tools.size + 600


def test_a_picture_may_be_as_long_as_the_context() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}
    asked = chat(messages=[{"role": "user", "content": [part]}])

    assert worst_case.prompt_bound(asked, offer(context=131_072)) == 131_072
    assert worst_case.prompt_bound(asked, offer(context=None)) == worst_case.FILE_TOKENS


def test_a_part_of_a_kind_that_nobody_knows_may_be_as_long_as_the_context() -> None:
    part = {"type": "video_url", "video_url": {"url": "https://example.org/x.mp4"}}
    asked = chat(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, part]}])
    written = chat(messages=[{"role": "user", "content": [{"type": "text", "text": "Say hi"}]}])

    assert worst_case.prompt_bound(asked, offer(context=131_072)) == 131_072
    assert worst_case.prompt_bound(written, offer(context=131_072)) == written.size


def test_any_field_that_names_a_tier_of_service_counts() -> None:
    assert chat(service_tier="auto").service == chat(service_tier=[]).service == ""
    assert chat(service_tier="auto", speed="fast").service == "fast"
    assert chat(service_tier="flex").service == "flex"


def test_a_dearer_tier_of_service_is_reserved_for() -> None:
    usual, dearer = chat(max_tokens=10), chat(max_tokens=10, service_tier="priority")
    its = price()
    listed = Price(
        source="list", rates=its.rates,
        variants=(Variant("priority", Rates(Decimal(2), Decimal(4))),),
    )  # fmt: skip
    asked = msgspec.structs.replace(usual, body=dearer.body)

    assert worst_case.cost(listed, asked, offer()) == 2 * worst_case.cost(its, usual, offer())
    assert worst_case.cost(its, asked, offer()) == 6 * worst_case.cost(its, usual, offer())


def test_a_maximum_is_an_eighth_of_what_is_left_and_at_least_1024_tokens() -> None:
    its, where = price(output=Decimal(8)), offer(output=65_536)
    one_usd = 10**12

    assert worst_case.payable_maximum(its, chat(), where, one_usd) == 15_625
    assert worst_case.payable_maximum(its, chat(n=5), where, one_usd) == 3_125
    assert worst_case.payable_maximum(its, chat(), where, one_usd // 1000) == 1024
    assert worst_case.payable_maximum(its, chat(), where, 100 * one_usd) is None


def test_a_model_whose_longest_answer_is_not_known_always_gets_a_maximum() -> None:
    where = offer(output=None)
    asked = worst_case.payable_maximum(price(), chat(), where, 10**15)

    assert asked == worst_case.USUAL_MAXIMUM


def test_a_model_that_costs_nothing_needs_no_maximum() -> None:
    free = price(input=Decimal(0), output=Decimal(0))

    assert worst_case.payable_maximum(free, chat(), offer(), 0) is None
    assert worst_case.cost(free, chat(), offer()) == 0


def test_the_maximum_is_named_as_the_callers_dialect_names_it() -> None:
    for dialect, name in (
        ("openai", "max_completion_tokens"),
        ("responses", "max_output_tokens"),
        ("anthropic", "max_tokens"),
    ):
        asked = msgspec.structs.replace(chat(), dialect=dialect)
        changed, told = worst_case.with_maximum(asked, 1024)
        assert (told, changed.body[name], changed.max_tokens) == (name, 1024, 1024)
        assert name not in asked.body


def test_a_requests_own_ceiling_is_held_against_the_bound() -> None:
    """Answers in several versions and hidden tool prompts count, too."""
    request = builders.chat(
        "openai/gpt-4.1-mini", max_tokens=100, size=4_000, body={"n": 4}, needs=frozenset({"tools"})
    )
    offer = catalog_index.current().pinned(request.model)
    assert offer
    price = builders.listed(*offer.place)
    assert price
    most = money.from_pico(worst_case.cost(price, request, offer))

    for ceiling, hit in ((most, None), (most - money.PICO, "max_cost")):
        its = builders.circumstances(request, options=Options(max_cost=ceiling))
        found = candidates.price_hit(price, offer, its)
        assert (found[0] if found else None) == hit
