"""How Gemini is asked to think, and what a maximum leaves for text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import (
    Conversation,
    Reasoning,
)
from routing.providers.spec import ModelOffer
from routing.wire.gemini import request, turns
from tests.routing.wire.test_gemini_request import (
    BUDGETS,
    GEMINI,
    LEVELS,
    NEWEST,
    NO_THOUGHTS,
    OFFERS,
    PRO,
    call,
    exchange,
    sent,
    signatures,
)


@pytest.mark.parametrize(
    ("model", "wish", "config", "is_told"),
    [
        (LEVELS, Reasoning(effort="minimal"), {"thinkingLevel": "MINIMAL"}, False),
        (NEWEST, Reasoning(effort="minimal"), {"thinkingLevel": "LOW"}, True),
        (NEWEST, Reasoning(effort="high"), {"thinkingLevel": "HIGH"}, False),
        (NEWEST, Reasoning(effort="max"), {"thinkingLevel": "HIGH"}, True),
        ("gemini-3-pro-preview", Reasoning(effort="medium"), {"thinkingLevel": "HIGH"}, True),
        (NEWEST, Reasoning(effort="none"), {"thinkingLevel": "LOW"}, True),
        (NEWEST, Reasoning(budget=2000), {"thinkingLevel": "MEDIUM"}, True),
        (NEWEST, Reasoning(), {}, False),
        (BUDGETS, Reasoning(effort="none"), {"thinkingBudget": 0}, False),
        (BUDGETS, Reasoning(is_off=True), {"thinkingBudget": 0}, False),
        (PRO, Reasoning(is_off=True), {"thinkingBudget": 128}, True),
        (BUDGETS, Reasoning(effort="low"), {"thinkingBudget": 1024}, False),
        (BUDGETS, Reasoning(effort="high"), {"thinkingBudget": 24576}, False),
        (BUDGETS, Reasoning(budget=2000), {"thinkingBudget": 2000}, False),
        (BUDGETS, Reasoning(budget=99_999), {"thinkingBudget": 24576}, True),
        (NO_THOUGHTS, Reasoning(effort="high"), None, True),
        (NO_THOUGHTS, Reasoning(is_off=True), None, False),
    ],
)
def test_each_wish_to_think_is_put_in_the_words_of_the_model(
    model: str, wish: Reasoning, config: dict[str, Any] | None, is_told: bool
) -> None:
    body, adapted = sent(model=model, reasoning=wish)
    found = body.get("generationConfig", {}).get("thinkingConfig")
    is_off = wish.is_off or wish.effort == "none"
    shown = {} if is_off or config is None else {"includeThoughts": True}
    assert found == (None if config is None else {**config, **shown})
    assert bool(adapted) == is_told


def test_thoughts_that_shall_not_be_seen_are_not_asked_for() -> None:
    body, _ = sent(reasoning=Reasoning(effort="low", shown=False))
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}


def limits(model: str, most: int, **fields: Any) -> tuple[Any, Any, Any]:
    body, adapted = sent(model=model, max_tokens=most, **fields)
    config = body["generationConfig"]
    return config["maxOutputTokens"], config.get("thinkingConfig"), adapted


def test_a_small_maximum_leaves_room_for_text_where_nobody_asked_for_thoughts() -> None:
    assert limits(BUDGETS, 50) == (50, {"thinkingBudget": 0}, ())
    assert limits(PRO, 50) == (178, {"thinkingBudget": 128}, ("max_tokens",))
    assert limits(NEWEST, 50) == (1074, {"thinkingLevel": "LOW"}, ("max_tokens",))
    assert limits(NO_THOUGHTS, 50) == (50, None, ())


def test_a_large_maximum_and_one_of_a_caller_who_wants_thoughts_stand() -> None:
    assert limits(NEWEST, 5000) == (5000, None, ())
    wish = Reasoning(effort="high", shown=False)
    assert limits(NEWEST, 50, reasoning=wish) == (50, {"thinkingLevel": "HIGH"}, ())
    assert limits(BUDGETS, 3000, reasoning=wish) == (3000, {"thinkingBudget": 1500}, ())


def test_a_maximum_beyond_the_models_own_is_lowered() -> None:
    assert limits(NEWEST, 128_000) == (65_536, None, ("max_tokens",))


@given(
    most=st.one_of(st.none(), st.integers(min_value=1, max_value=200_000)),
    effort=st.sampled_from(["", "none", "minimal", "low", "medium", "high", "xhigh", "max", "odd"]),
    budget=st.one_of(st.none(), st.integers(min_value=0, max_value=10**6)),
    is_off=st.booleans(),
    model=st.sampled_from(sorted(o.id for o in GEMINI.models if o.kind == "chat")),
)
def test_no_wish_makes_a_request_that_the_model_would_refuse(
    most: int | None, effort: str, budget: int | None, is_off: bool, model: str
) -> None:
    wish = Reasoning(effort=effort, budget=budget, is_off=is_off)
    body, _ = sent(model=model, max_tokens=most, reasoning=wish)
    config = body.get("generationConfig", {})
    thinking, quirks = config.get("thinkingConfig", {}), GEMINI.quirks_of(OFFERS[model])
    assert not {"thinkingLevel", "thinkingBudget"} <= thinking.keys()
    if "thinkingLevel" in thinking:
        assert thinking["thinkingLevel"].lower() in quirks.efforts
    if "thinkingBudget" in thinking:
        assert quirks.thinking == "budget"
        given_budget = thinking["thinkingBudget"]
        assert given_budget == quirks.least_thinking or 512 <= given_budget <= 24576
    assert 1 <= config.get("maxOutputTokens", 1) <= (OFFERS[model].output or 0)


def test_an_offer_that_nobody_knows_gets_what_the_newest_models_want() -> None:
    written = request.write_conversation(
        Conversation(turns=exchange(call()), temperature=1.0, max_tokens=9000),
        model="gemini-9-neon",
        offer=None,
        quirks=GEMINI.quirks_of(ModelOffer(id="gemini-9-neon")),
        stream=True,
    )
    body = json.loads(written.body)
    assert signatures(body) == [turns.UNSIGNED]
    assert body["generationConfig"] == {"maxOutputTokens": 9000}
    assert written.adapted == ("temperature",)
