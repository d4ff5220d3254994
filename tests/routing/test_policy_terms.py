"""A policy's document: what is read from it, and every wrong field named."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import policy_terms
from routing.policy_terms import PolicyTimeouts, Target, Terms, WrongFields

# As the contract shows it.
WHOLE = {
    "strategy": "weighted",
    "targets": ["groq/llama-3.3-70b-versatile", {"model": "cerebras/gpt-oss-120b", "weight": 3}],
    "fallbacks": ["openai/gpt-4.1-mini"],
    "race": {"width": 2}, "hedge": {"after_ms": 800},
    "retries": 1,
    "timeouts": {"connect_s": 5, "first_token_s": 60, "idle_s": 60, "total_s": 900},
    "cache": {"ttl_s": 3600},
    "quality": 5, "hedge_budget": 0.1, "max_price": {"input": 1.0, "output": "4.0"},
    "require": ["tools"],
    "sticky": "session",
}  # fmt: skip


def wrong(document: Any) -> dict[str, list[str]]:
    with pytest.raises(WrongFields) as found:
        policy_terms.read(document)
    assert found.value.http_status == 400
    assert found.value.details["fields"] == found.value.by_field
    return found.value.by_field


def test_the_whole_document_is_read() -> None:
    terms = policy_terms.read(WHOLE)

    assert terms.targets == (
        Target("groq/llama-3.3-70b-versatile"), Target("cerebras/gpt-oss-120b", 3.0),
    )  # fmt: skip
    assert terms.fallbacks == ("openai/gpt-4.1-mini",)
    assert (terms.race_width, terms.hedge_after_ms, terms.retries) == (2, 800, 1)
    assert terms.timeouts == PolicyTimeouts(connect_s=5, first_token_s=60, idle_s=60, total_s=900)
    assert (terms.cache_ttl_s, terms.quality, terms.hedge_budget) == (3600, 5, 0.1)
    assert terms.max_price is not None
    assert (terms.max_price.input, terms.max_price.output) == (Decimal("1.0"), Decimal("4.0"))
    assert (terms.require, terms.sticky, terms.lock) == (frozenset({"tools"}), True, False)


def test_only_the_strategy_is_required() -> None:
    assert policy_terms.read({"strategy": "cheapest"}) == Terms(strategy="cheapest")
    assert list(wrong({})) == ["strategy"]


@pytest.mark.parametrize("strategy", ["priority", "weighted"])
def test_a_list_strategy_needs_a_list(strategy: str) -> None:
    assert "needs at least one target" in wrong({"strategy": strategy})["targets"][0]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("strategy", "quickest", "strategy"),
        ("strategy", ["cheapest"], "strategy"),
        ("stratgy", "x", "stratgy"),
        ("targets", "groq/x", "targets"),
        ("targets", ["a b"], "targets.0.model"),
        ("targets", ["@other"], "targets.0.model"),
        ("targets", [{"weight": 1}], "targets.0.model"),
        ("targets", [{"model": "a", "weight": 0}], "targets.0.weight"),
        ("targets", [{"model": "a", "weigth": 2}], "targets.0.weigth"),
        ("targets", ["a", "a"], "targets"),
        ("fallbacks", [7], "fallbacks.0"),
        ("fallbacks", ["x"] * 21, "fallbacks"),
        ("race", 2, "race"),
        ("race", {"width": 6}, "race.width"),
        ("race", {"width": 2, "wide": 1}, "race.wide"),
        ("hedge", {"after_ms": "p99"}, "hedge.after_ms"),
        ("hedge", {"after_ms": 1.5}, "hedge.after_ms"),
        ("hedge_budget", 1.1, "hedge_budget"),
        ("retries", 1.5, "retries"),
        ("retries", True, "retries"),
        ("retries", 6, "retries"),
        ("timeouts", {"connect": 5}, "timeouts.connect"),
        ("timeouts", {"connect_s": 0}, "timeouts.connect_s"),
        ("timeouts", {"total_s": float("nan")}, "timeouts.total_s"),
        ("cache", {"ttl_s": -1}, "cache.ttl_s"),
        ("quality", 11, "quality"),
        ("quality", "5", "quality"),
        ("max_price", {}, "max_price"),
        ("max_price", {"input": "1e999999"}, "max_price.input"),
        ("max_price", {"output": 10**5000}, "max_price.output"),
        ("max_price", {"input": "1e-999999"}, "max_price.input"),
        ("quality", 10**400, "quality"),
        ("hedge_budget", -(10**400), "hedge_budget"),
        ("quality", float("nan"), "quality"),
        ("timeouts", {"total_s": 10**400}, "timeouts.total_s"),
        ("targets", [{"model": "a", "weight": 10**400}], "targets.0.weight"),
        ("max_price", {"input": -1}, "max_price.input"),
        ("max_price", {"image": 1}, "max_price.image"),
        ("require", ["tool"], "require.0"),
        ("sticky", "user", "sticky"),
        ("lock", "yes", "lock"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any, named: str) -> None:
    found = wrong({"strategy": "cheapest", field: value})

    assert list(found) == [named]
    assert all(text for text in found[named])


def test_all_wrong_fields_are_named_at_once() -> None:
    found = wrong({"strategy": "cheapest", "retries": -1, "quality": 12, "colour": "red"})

    assert set(found) == {"retries", "quality", "colour"}


@pytest.mark.parametrize("document", [None, [], "cheapest", 7])
def test_what_is_no_object_is_refused(document: Any) -> None:
    assert list(wrong(document)) == ["body"]


def test_fields_without_effect_are_told() -> None:
    terms = policy_terms.read({**WHOLE, "strategy": "cheapest", "quality": 9})

    assert set(policy_terms.idle(terms)) == {"targets", "quality"}
    assert policy_terms.idle(policy_terms.read(WHOLE)) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "weight", "width", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(policy_terms.FIELDS), JSON))
def test_whatever_is_sent_is_read_or_refused_by_field(document: dict[str, Any]) -> None:
    try:
        terms = policy_terms.read(document)
    except WrongFields as problem:
        assert problem.by_field
        roots = {place.partition(".")[0] for place in problem.by_field}
        assert roots <= {*policy_terms.FIELDS}
    else:
        assert terms.strategy in policy_terms.STRATEGIES
