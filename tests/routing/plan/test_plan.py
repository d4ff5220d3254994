"""The plan: who may serve a call, in which order, and why not the others."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from accounts.errors import GatewayError
from billing.pricing import Price
from routing.options import NONE, Options, PriceCeiling
from routing.plan import plan
from routing.plan.plan import Plan
from routing.providers import loader
from routing.providers.catalog_index import Catalog
from routing.simulation import Simulation
from tests.routing.plan.builders import caller, chat, circumstances, listed, price, ring

FOUR = ("cerebras", "groq", "openai", "openrouter")
CATALOG = Catalog({slug: loader.load_all()[slug] for slug in FOUR})


def make(*args: Any, **kwargs: Any) -> Plan:
    return plan.make(circumstances(*args, **kwargs), catalog=CATALOG, providers_url="/providers/")


def targets(made: Plan) -> list[str]:
    return [candidate.target for candidate in made.candidates]


def refused(*args: Any, **kwargs: Any) -> GatewayError:
    with pytest.raises(GatewayError) as found:
        make(*args, **kwargs)
    return found.value


def test_auto_cheapest_keeps_the_others_in_order_of_cost() -> None:
    made = make(chat("auto:cheapest"))
    costs = [candidate.expected_cost for candidate in made.candidates]
    assert costs == sorted(costs)  # type: ignore[type-var]
    assert (made.strategy, made.reason) == ("cheapest", "cheapest")
    assert all(c.offer.model and c.offer.model.auto for c in made.candidates)
    assert len(made.candidates) == plan.MOST_ATTEMPTS


def test_a_change_of_price_changes_the_choice() -> None:
    before = make(chat("gpt-oss-120b"))

    def changed(provider: str, model: str) -> Price | None:
        cheap = provider == before.candidates[-1].provider
        return price("0.001", "0.001") if cheap else listed(provider, model)

    after = make(chat("gpt-oss-120b"), price_of=changed)
    assert targets(after)[0] == targets(before)[-1]


def test_a_long_prompt_and_a_long_answer_choose_differently() -> None:
    def prices(provider: str, model: str) -> Price | None:
        return {"groq": price("0.1", "5"), "cerebras": price("2", "0.2")}.get(provider)

    long_prompt = chat("gpt-oss-120b", input_tokens=50_000, max_tokens=10)
    long_answer = chat("gpt-oss-120b", input_tokens=10)
    assert make(long_prompt, price_of=prices).candidates[0].provider == "groq"
    assert make(long_answer, price_of=prices).candidates[0].provider == "cerebras"


def test_what_has_no_price_is_never_the_cheapest() -> None:
    def prices(provider: str, model: str) -> Price | None:
        return price("99", "99") if provider == "groq" else None

    assert make(chat("gpt-oss-120b"), price_of=prices).candidates[0].provider == "groq"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("groq/llama-3.3-70b-versatile", ["groq/llama-3.3-70b-versatile"]),
        ("openai/mock-300", ["openai/mock-300"]),
        ("groq/openai/gpt-oss-120b", ["groq/openai/gpt-oss-120b"]),
        ("openai/gpt-4.1-mini:floor", ["openai/gpt-4.1-mini"]),
    ],
)
def test_a_pinned_name_has_one_candidate(name: str, expected: list[str]) -> None:
    made = make(chat(name))
    assert (targets(made), made.reason) == (expected, "pinned")


@pytest.mark.parametrize(
    ("name", "providers"),
    [
        ("llama3.1-8b", {"cerebras"}),
        ("llama-3.3-70b", {"cerebras", "groq", "openrouter"}),
        ("openai/gpt-oss-120b", {"groq", "openrouter"}),
        ("anthropic/claude-sonnet-4-5", {"openrouter"}),
        ("anthropic/claude-sonnet-4.5", {"openrouter"}),
        ("GPT-OSS-120B", {"cerebras", "groq", "openrouter"}),
    ],
)
def test_a_bare_name_stands_for_everyone_who_offers_it(name: str, providers: set[str]) -> None:
    assert {candidate.provider for candidate in make(chat(name)).candidates} == providers


def test_an_unknown_name_is_not_found_and_near_ones_are_named() -> None:
    error = refused(chat("llama-3.3-70"))
    assert (error.http_status, error.error_code) == (404, "model_not_found")
    assert "llama-3.3-70b" in str(error)


@pytest.mark.parametrize("name", ["a b", "x" * 201, "näme", "m\n", "a\x00"])
def test_what_cannot_be_a_name_is_a_bad_request(name: str) -> None:
    assert refused(chat(name)).http_status == 400


def test_models_of_the_body_follow_in_their_order() -> None:
    options = Options(models=("openai/gpt-4.1-mini", "cerebras/gpt-oss-120b"))
    made = make(chat("groq/openai/gpt-oss-120b"), options=options)
    assert targets(made) == [
        "groq/openai/gpt-oss-120b", "openai/gpt-4.1-mini", "cerebras/gpt-oss-120b",
    ]  # fmt: skip


def test_order_only_and_ignore_are_kept() -> None:
    made = make(chat("gpt-oss-120b"), options=Options(order=("cerebras", "groq")))
    assert [c.provider for c in made.candidates][:2] == ["cerebras", "groq"]
    made = make(chat("gpt-oss-120b"), options=Options(only=("groq",)))
    assert {c.provider for c in made.candidates} == {"groq"}
    made = make(chat("gpt-oss-120b"), options=Options(ignore=("groq", "openrouter")))
    assert {c.provider for c in made.candidates} == {"cerebras"}


def test_without_fallbacks_there_is_one_candidate() -> None:
    assert len(make(options=Options(allow_fallbacks=False)).candidates) == 1


@pytest.mark.parametrize("option", ["order", "only", "ignore"])
def test_a_misspelt_provider_is_refused(option: str) -> None:
    options = Options(**{option: ("grok",)})  # type: ignore[arg-type]
    assert "grok" in str(refused(options=options))


def test_a_misspelt_provider_of_a_simulation_is_refused() -> None:
    error = refused(options=Options(simulation=Simulation((("groc", "429"),))))
    assert error.http_status == 400


LIVE = caller(mode="live")


@pytest.mark.parametrize(
    ("keys", "status", "code"),
    [
        (ring(), 424, "no_provider_key"),
        (ring("openai"), 424, "no_provider_key"),
        (ring("groq", enabled=False), 424, "provider_key_rejected"),
        (ring("groq", status="no_credit"), 402, "provider_credit_exhausted"),
    ],
)
def test_a_live_call_without_a_working_key_says_what_to_do(
    keys: Any, status: int, code: str
) -> None:
    error = refused(chat("groq/llama-3.3-70b-versatile"), who=LIVE, keys=keys)
    assert (error.http_status, error.error_code) == (status, code)
    assert "/providers/" in str(error)


def test_a_live_call_uses_the_heaviest_key_first() -> None:
    keys = ring("groq", "groq")
    heavy = replace(keys.keys[1], weight=9)
    keys.by_provider["groq"] = (keys.keys[0], heavy)
    made = make(chat("groq/llama-3.3-70b-versatile"), who=LIVE, keys=keys)
    assert [candidate.key for candidate in made.candidates] == [heavy, keys.keys[0]]


@pytest.mark.parametrize(
    ("request_fields", "options", "status", "code"),
    [
        ({"input_tokens": 10**7}, NONE, 400, "context_length_exceeded"),
        ({"needs": frozenset({"image"})}, NONE, 400, "invalid_request"),
        ({}, Options(max_cost=Decimal("1e-9")), 402, "budget_exceeded"),
        ({}, Options(max_price=PriceCeiling(input=Decimal("0.01"))), 402, "budget_exceeded"),
        ({"model": "groq/unlisted"}, Options(max_cost=Decimal(1)), 402, "price_unknown"),
    ],
)
def test_a_request_that_nobody_fits_is_refused_with_its_code(
    request_fields: dict[str, Any], options: Options, status: int, code: str
) -> None:
    request = chat(**{"model": "groq/llama-3.3-70b-versatile", **request_fields})
    error = refused(request, options=options)
    assert (error.http_status, error.error_code) == (status, code)


def test_a_small_window_is_passed_over() -> None:
    made = make(chat("auto", input_tokens=60_000))
    assert all(c.offer.model and (c.offer.model.context or 10**9) > 50_000 for c in made.candidates)


@pytest.mark.parametrize("pattern", ["groq/*", "llama-3.3-70b", "groq/llama-3.3-70b-versatile"])
def test_a_keys_list_of_models_is_kept(pattern: str) -> None:
    made = make(chat("llama-3.3-70b"), who=caller(allowed=(pattern,)))
    assert "groq" in {candidate.provider for candidate in made.candidates}
    error = refused(chat("openai/gpt-4.1"), who=caller(allowed=(pattern,)))
    assert (error.http_status, error.error_code) == (403, "model_not_allowed")


def test_simulated_nokey_takes_the_provider_out() -> None:
    simulation = Options(simulation=Simulation((("groq", "nokey"),)))
    assert "groq" not in {
        c.provider for c in make(chat("llama-3.3-70b"), options=simulation).candidates
    }


def test_data_collection_denied_leaves_only_those_who_promise() -> None:
    made = make(chat("gpt-oss-120b"), options=Options(deny_data_collection=True))
    assert {c.provider for c in made.candidates} == {"cerebras", "groq"}
    assert {out.code for out in made.excluded} == {"data_collection"}


def test_candidates_and_excluded_are_all_offers_and_none_twice() -> None:
    made = make(chat("auto", needs=frozenset({"image"})))
    seen = [*targets(made), *(f"{out.provider}/{out.model}" for out in made.excluded)]
    assert len(seen) == len(set(seen))
    assert set(seen) <= {offer.target for offer in CATALOG.auto}
