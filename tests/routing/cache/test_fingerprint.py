"""The key of a request: what makes it another one, and what does not."""

import json
import random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.cache import fingerprint
from routing.chat import ChatRequest
from routing.policy_terms import PolicyInForce, Terms

ONE, OTHER = UUID(int=1), UUID(int=2)
KEY = b"k" * 32
BODY = {"model": "auto", "messages": [{"role": "user", "content": "Say hi"}], "temperature": 0.5}

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False),
)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def key(body: Any = None, *, model: str = "auto", **other: Any) -> bytes:
    chat = ChatRequest(
        dialect="openai", body=BODY if body is None else body, model=model, stream=False,
        wants_usage=False, max_tokens=None, needs=frozenset(), input_tokens=5, size=90,
        headers=other.pop("headers", ()),
    )  # fmt: skip
    own = {"cache_key": KEY, "mode": "test", "lineage": ONE, "endpoint": "chat", "policy": None}
    return fingerprint.of(chat, **{**own, **other}).key


def reordered(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        names = list(value)
        chance.shuffle(names)
        return {name: reordered(value[name], chance) for name in names}
    return [reordered(one, chance) for one in value] if isinstance(value, list) else value


@given(trees, st.randoms(use_true_random=False))
def test_the_order_of_fields_makes_no_difference(tree: Any, chance: random.Random) -> None:
    assert fingerprint.canonical(tree) == fingerprint.canonical(reordered(tree, chance))


@given(trees)
def test_what_is_written_means_the_same(tree: Any) -> None:
    assert json.loads(fingerprint.canonical(tree)) == tree


@given(trees, trees)
def test_different_values_are_written_differently(one: Any, other: Any) -> None:
    same = fingerprint.canonical(one) == fingerprint.canonical(other)

    assert same == (_typed(one) == _typed(other))


def _typed(value: Any) -> Any:
    """The value, in which True is not 1 (as in JSON)."""
    if isinstance(value, dict):
        return {name: _typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return ("bool", value) if isinstance(value, bool) else value


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_float_is_the_integer(number: int) -> None:
    assert fingerprint.canonical([float(number)]) == fingerprint.canonical([number])


@pytest.mark.parametrize(
    "more",
    [
        {"stream": True, "stream_options": {"include_usage": True}}, {"user": "u-1"},
        {"metadata": {"a": "b"}}, {"session_id": "s"}, {"service_tier": "flex"}, {"n": 1},
        {"stop": None}, {"tools": []}, {"frequency_penalty": 0.0}, {"logit_bias": {}},
        {"models": ["a/b"]}, {"provider": {"sort": "price"}}, {"logprobs": False},
    ],
    ids=str,
)  # fmt: skip
def test_who_asks_how_it_is_sent_and_defaults_do_not_count(more: dict[str, Any]) -> None:
    assert key({**BODY, **more}) == key()


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0.6}, {"temperature": None}, {"top_p": 1}, {"seed": 1}, {"stop": ["a"]},
        {"max_tokens": 5}, {"n": True}, {"logprobs": True}, {"unheard_of": 1},
        {"messages": [{"role": "user", "content": "Say hi "}]},
        {"messages": [{"role": "user", "content": "say hi"}]},
        {"response_format": {"type": "json_object"}}, {"reasoning_effort": "low"},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_may_shape_the_answer_counts(more: dict[str, Any]) -> None:
    assert key({**BODY, **more}) != key()


def test_messages_tools_and_stop_words_keep_their_order() -> None:
    assert key({**BODY, "stop": ["a", "b"]}) != key({**BODY, "stop": ["b", "a"]})


@pytest.mark.parametrize(
    "other",
    [
        {"cache_key": b"o" * 32}, {"mode": "live"}, {"lineage": OTHER}, {"endpoint": "messages"},
        {"model": "auto:cheapest"}, {"headers": ((b"anthropic-beta", b"x"),)},
        {"policy": PolicyInForce("p", 1, Terms())}, {"policy": PolicyInForce("p", 2, Terms())},
    ],
    ids=str,
)  # fmt: skip
def test_nothing_crosses_tenants_modes_keys_endpoints_models_or_policies(
    other: dict[str, Any],
) -> None:
    assert key(**other) != key()
    if "policy" in other:
        assert key(policy=PolicyInForce("p", 3, Terms())) != key(**other)


def test_a_policy_does_not_count_where_the_model_is_named() -> None:
    named = {"model": "groq/llama-3.3-70b-versatile"}

    assert key(policy=PolicyInForce("p", 1, Terms()), **named) == key(**named)
