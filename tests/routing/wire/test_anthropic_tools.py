"""Tools, forms of answers and thinking, asked for as each of Claude's families takes them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidRequest
from routing.conversation import Format, Reasoning, Tool, ToolChoice
from routing.wire.anthropic import schema
from tests.routing.wire.anthropic_requests import (
    HI,
    NEW,
    NO_FORCE,
    OLD,
    SCHEMA,
    WEATHER,
    answered,
    called,
    talk,
)


@pytest.mark.parametrize(
    ("choice", "model", "given", "adapted"),
    [
        (ToolChoice(), NEW, None, ()),
        (ToolChoice(mode="none"), NEW, {"type": "none"}, ()),
        (ToolChoice(mode="required"), NEW, {"type": "any"}, ()),
        (ToolChoice(mode="named", name="get_weather"), NEW,
         {"type": "tool", "name": "get_weather"}, ()),
        (ToolChoice(mode="required"), NO_FORCE, None, ("tool_choice",)),
        (ToolChoice(parallel=False), NEW,
         {"type": "auto", "disable_parallel_tool_use": True}, ()),
        (ToolChoice(mode="required", parallel=False), NEW,
         {"type": "any", "disable_parallel_tool_use": True}, ()),
    ],
)  # fmt: skip
def test_a_tool_choice_is_written_as_the_model_takes_it(
    choice: ToolChoice, model: str, given: Any, adapted: tuple[str, ...]
) -> None:
    out, told = talk(tools=(WEATHER,), tool_choice=choice, model=model)
    assert (out.get("tool_choice"), told) == (given, adapted)
    assert bool(out.get("system")) == bool(adapted)  # an instruction stands for what is refused


def test_tools_beyond_those_allowed_are_left_out() -> None:
    choice = ToolChoice(mode="required", only=("get_weather",))
    out, _ = talk(tools=(WEATHER, Tool(name="other")), tool_choice=choice)
    assert [tool["name"] for tool in out["tools"]] == ["get_weather"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": (WEATHER, WEATHER)}, "tools"),
        ({"tools": (Tool(name="x" * 129),)}, "tools"),
        ({"tools": (WEATHER,), "tool_choice": ToolChoice(mode="named", name="b")}, "tool_choice"),
    ],
)
def test_tools_that_cannot_be_are_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        talk(**fields)
    assert refused.value.param == param


def test_a_history_of_calls_brings_its_tools() -> None:
    out, _ = talk(HI, called("a"), answered("a"))
    assert [tool["name"] for tool in out["tools"]] == ["get_weather"]
    assert out["tool_choice"] == {"type": "none"}


def test_a_choice_at_a_schemas_root_becomes_one_object() -> None:
    variants = [{"properties": {"a": {}}, "required": ["a", "b"]},
                {"properties": {"b": {}}, "required": ["b"]}]  # fmt: skip
    out, adapted = talk(tools=(Tool(name="f", schema={"anyOf": variants}),))
    assert out["tools"][0]["input_schema"] == {
        "type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"],
    }  # fmt: skip
    assert adapted == ("tools",)


def test_a_schema_is_sent_as_structured_outputs_take_it() -> None:
    out, adapted = talk(format=Format(kind="json_schema", schema=SCHEMA))
    assert out["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {
                "age": {"type": "integer", "description": "Years.\n\n{minimum: 0}"},
                "tags": {
                    "type": "array", "items": {"anyOf": [{"type": "string"}]},
                    "description": "{maxItems: 3}",
                },
            },
            "required": ["age"],
            "additionalProperties": False,
        },
    }  # fmt: skip
    assert adapted == ("response_format",)


json_schemas = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["string", "integer", "array"])},
        optional={
            "minLength": st.integers(0, 9), "pattern": st.just("^a"), "format": st.just("regex"),
            "enum": st.just(["a"]), "multipleOf": st.just(2), "minItems": st.integers(0, 3),
            "description": st.text(max_size=5),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {
            "type": st.just("object"),
            "properties": st.dictionaries(st.sampled_from(["minimum", "if", "b"]), inner),
        },
        optional={
            "oneOf": st.lists(inner, min_size=1, max_size=2), "not": inner,
            "additionalProperties": st.one_of(st.booleans(), inner),
        },
    ),
    max_leaves=8,
)  # fmt: skip


def objects(value: Any) -> list[Any]:
    """Every schema of an object within a schema."""
    found = [value] if value.get("type") == "object" else []
    inner = [*value.get("properties", {}).values(), *value.get("anyOf", ())]
    return found + [one for child in inner for one in objects(child)]


@given(json_schemas)
def test_a_cleaned_schema_is_closed_and_stays_clean(found: dict[str, Any]) -> None:
    cleaned, _ = schema.cleaned(found)
    for inner in objects(cleaned):
        assert inner["additionalProperties"] is False
        assert not {"oneOf", "not", "multipleOf"} & inner.keys()
    assert set(cleaned.get("properties", ())) == set(found.get("properties", ()))
    assert schema.cleaned(cleaned) == (cleaned, False)


@pytest.mark.parametrize(
    ("wish", "model", "thinking", "effort", "adapted"),
    [
        (Reasoning(effort="minimal"), NEW, "adaptive", "low", ()),
        (Reasoning(effort="xhigh"), NEW, "adaptive", "xhigh", ()),
        (Reasoning(effort="xhigh"), "claude-opus-4-6", "adaptive", "high", ()),
        (Reasoning(budget=2048), NEW, "adaptive", "medium", ()),
        (Reasoning(budget=2048), "claude-opus-4-6", "enabled", None, ()),
        (Reasoning(effort="high"), OLD, "enabled", None, ()),
        (Reasoning(is_off=True), NEW, "disabled", None, ()),
        (Reasoning(effort="none"), OLD, None, None, ()),
        (Reasoning(is_off=True), NO_FORCE, None, "low", ("reasoning_effort",)),
        (Reasoning(effort="high"), "claude-3-haiku-20240307", None, None, ("reasoning_effort",)),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(
    wish: Reasoning, model: str, thinking: str | None, effort: str | None, adapted: tuple[str, ...]
) -> None:
    out, told = talk(reasoning=wish, model=model)
    assert out.get("thinking", {}).get("type") == thinking
    assert out.get("output_config", {}).get("effort") == effort
    assert told == adapted


def test_a_budget_fits_into_the_callers_maximum() -> None:
    wish = Reasoning(effort="high")
    out, _ = talk(reasoning=wish, model=OLD)
    assert out["max_tokens"] - out["thinking"]["budget_tokens"] == 8192
    out, adapted = talk(reasoning=wish, model=OLD, max_tokens=2000)
    assert out["max_tokens"] == 2000
    assert 1024 <= out["thinking"]["budget_tokens"] < 2000
    assert adapted == ("reasoning_effort",)
    out, adapted = talk(reasoning=wish, model=OLD, max_tokens=500)
    assert ("thinking" in out, adapted) == (False, ("reasoning_effort",))


def test_a_forced_tool_is_called_without_thinking_first() -> None:
    forced = ToolChoice(mode="required")
    wish = Reasoning(effort="high")
    out, adapted = talk(tools=(WEATHER,), tool_choice=forced, reasoning=wish, model=OLD)
    assert ("thinking" in out, out["tool_choice"]["type"]) == (False, "any")
    assert adapted == ("reasoning_effort",)


def test_without_the_thoughts_before_its_calls_a_model_of_budgets_does_not_think() -> None:
    wish = Reasoning(effort="high")
    turns = (HI, called("a"), answered("a"))
    assert "thinking" not in talk(*turns, tools=(WEATHER,), reasoning=wish, model=OLD)[0]
    assert "thinking" in talk(*turns, tools=(WEATHER,), reasoning=wish, model=NEW)[0]
