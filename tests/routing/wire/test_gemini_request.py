"""Conversations as Gemini's generateContent wants them."""

import json
from typing import Any

import pytest

from routing.conversation import (
    Conversation,
    Format,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from routing.providers import loader
from routing.wire.gemini import request, schema

GEMINI = loader.load_all()["gemini"]
OFFERS = {offer.id: offer for offer in GEMINI.models}
NEWEST, LEVELS, BUDGETS = "gemini-3.8-flash", "gemini-3.5-flash", "gemini-2.5-flash"
PRO, NO_THOUGHTS = "gemini-2.5-pro", "gemini-2.0-flash"
HELLO = Turn("user", (Text("Hello"),))
WEATHER = Tool(name="get_weather", schema={"type": "object", "properties": {"city": {}}})


def sent(*said: Turn, model: str = LEVELS, stream: bool = False, **fields: Any) -> tuple[Any, Any]:
    conversation = Conversation(turns=said or (HELLO,), **fields)
    offer = OFFERS[model]
    written = request.write_conversation(
        conversation, model=model, offer=offer, quirks=GEMINI.quirks_of(offer), stream=stream
    )
    return json.loads(written.body), written.adapted


def call(id_: str = "c1", arguments: str = '{"city":"Oslo"}', **more: Any) -> ToolCall:
    return ToolCall(id=id_, name="get_weather", arguments=arguments, **more)


def result(id_: str = "c1", *content: Any, **more: Any) -> ToolResult:
    return ToolResult(id=id_, content=content or (Text("4 C"),), **more)


def exchange(*calls: ToolCall) -> tuple[Turn, ...]:
    """A question, the calls it led to, and a result for each."""
    answers = tuple(result(one.id) for one in calls)
    return HELLO, Turn("assistant", calls), Turn("user", answers)


def signatures(body: Any) -> list[Any]:
    return [
        part.get("thoughtSignature")
        for content in body["contents"]
        for part in content["parts"]
        if "functionCall" in part
    ]


# Where it goes --------------------------------------------------------------------------------


def test_the_model_and_the_way_of_answering_stand_in_the_path() -> None:
    def path(model: str, stream: bool) -> bytes:
        conversation = Conversation(turns=(HELLO,))
        return request.write_conversation(
            conversation, model=model, offer=None, quirks=GEMINI.quirks, stream=stream
        ).path

    assert path("gemini-x", stream=False) == b"/models/gemini-x:generateContent"
    assert path("models/gemini-x", stream=True) == b"/models/gemini-x:streamGenerateContent?alt=sse"
    assert path("a/../b?c", stream=False) == b"/models/a%2F..%2Fb%3Fc:generateContent"


# Tools ----------------------------------------------------------------------------------------


def test_tools_are_declared_with_their_schemas() -> None:
    bare = Tool(name="now", description="The time.")
    lark = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    free = Tool(name="patch", kind="custom", description="Patches.", grammar=lark)
    body, adapted = sent(tools=(WEATHER, bare, free))
    weather, now, patch = body["tools"][0]["functionDeclarations"]
    assert weather == {"name": "get_weather", "parametersJsonSchema": WEATHER.schema}
    assert now == {"name": "now", "description": "The time."}
    assert patch["parametersJsonSchema"]["required"] == ["input"]
    assert "start: WORD" in patch["description"]
    assert adapted == ()


@pytest.mark.parametrize(
    ("choice", "calling"),
    [
        (ToolChoice(), {"mode": "AUTO"}),
        (ToolChoice(mode="none"), {"mode": "NONE"}),
        (ToolChoice(mode="required"), {"mode": "ANY"}),
        (ToolChoice(mode="named", name="x"), {"mode": "ANY", "allowedFunctionNames": ["x"]}),
        (ToolChoice(mode="required", only=("x",)), {"mode": "ANY", "allowedFunctionNames": ["x"]}),
        (ToolChoice(only=("x", "y")), {"mode": "VALIDATED", "allowedFunctionNames": ["x", "y"]}),
    ],
)
def test_each_choice_of_tools_has_its_mode(choice: ToolChoice, calling: dict[str, Any]) -> None:
    body, adapted = sent(tools=(WEATHER,), tool_choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": calling}
    assert adapted == ()


def test_strict_tools_are_validated() -> None:
    body, _ = sent(tools=(Tool(name="x", strict=True),))
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}


def test_calls_one_at_a_time_cannot_be_asked_for_and_this_is_told() -> None:
    _, adapted = sent(tools=(WEATHER,), tool_choice=ToolChoice(parallel=False))
    assert adapted == ("parallel_tool_calls",)


def test_schemas_lose_what_gemini_refuses_and_nothing_else() -> None:
    given_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Query",
        "type": "object",
        "properties": {
            "title": {"type": "string", "format": "uri", "description": "A name."},
            "kind": {"const": "a"},
            "n": {"type": "integer", "exclusiveMinimum": 3, "minimum": 0},
            "ref": {"$ref": "#/definitions/Item", "description": "An item."},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "list": {"type": "array", "items": {"anyOf": [{"const": 1}, {"type": "null"}]}},
        },
        "definitions": {"Item": {"type": "object", "additionalProperties": {"title": "T"}}},
        "required": ["title"],
        "additionalProperties": False,
    }
    before = json.dumps(given_schema)
    assert schema.fitted(given_schema) == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "A name. (format: uri)"},
            "kind": {"enum": ["a"], "type": "string"},
            "n": {"type": "integer", "minimum": 0, "description": "more than 3"},
            "ref": {"$ref": "#/$defs/Item"},
            "at": {"type": ["string", "null"], "format": "date-time"},
            "list": {
                "type": "array",
                "items": {"anyOf": [{"enum": [1], "type": "integer"}, {"type": "null"}]},
            },
        },
        "$defs": {"Item": {"type": "object", "additionalProperties": {}}},
        "required": ["title"],
        "additionalProperties": False,
    }
    assert json.dumps(given_schema) == before


@pytest.mark.parametrize("odd", [[], {}, 7, None])
def test_a_format_that_is_no_word_becomes_a_hint(odd: object) -> None:
    fitted = schema.fitted({"type": "string", "format": odd})
    assert fitted == {"type": "string", "description": f"format: {odd}"}


# Parameters -----------------------------------------------------------------------------------

SAMPLING: dict[str, Any] = {"temperature": 0.2, "top_p": 0.9, "top_k": 40, "seed": 7}
PENALTIES = {"presence_penalty": 0.5, "frequency_penalty": -0.5}


def test_parameters_go_where_the_model_takes_them_and_are_told_where_not() -> None:
    body, adapted = sent(model=NO_THOUGHTS, others=PENALTIES, **SAMPLING)
    assert body["generationConfig"] == {
        "temperature": 0.2, "topP": 0.9, "topK": 40, "seed": 7,
        "presencePenalty": 0.5, "frequencyPenalty": -0.5,
    }  # fmt: skip
    assert adapted == ()

    body, adapted = sent(model=NEWEST, others=PENALTIES, **SAMPLING)
    assert body["generationConfig"] == {"seed": 7}
    assert set(adapted) == {"temperature", "top_p", "top_k", *PENALTIES}


def test_what_has_no_counterpart_is_told_and_what_is_as_usual_is_not() -> None:
    others = {"logprobs": True, "top_logprobs": 3, "logit_bias": {"1": 2}, "service_tier": "flex"}
    usual = {"store": False, "service_tier": "auto", "verbosity": "medium", "logprobs": False}
    _, adapted = sent(others=others, user="u", n=2, untranslatable=("thread",))
    assert set(adapted) == {*others, "user", "n", "thread"}
    _, adapted = sent(others=usual, n=1)
    assert adapted == ()


def test_stops_beyond_the_fifth_and_seeds_beyond_32_bits_are_adapted() -> None:
    body, adapted = sent(stop=tuple("abcdef"), seed=2**40 + 5)
    assert body["generationConfig"] == {"stopSequences": list("abcde"), "seed": 5}
    assert set(adapted) == {"stop", "seed"}
    body, adapted = sent(stop=("a", "b"), seed=-1)
    assert body["generationConfig"] == {"stopSequences": ["a", "b"], "seed": -1}
    assert adapted == ()


def test_a_form_of_the_answer_is_native_but_for_old_models_that_have_tools() -> None:
    wanted = Format(kind="json_schema", schema={"type": "object", "title": "T"})
    body, adapted = sent(format=wanted, tools=(WEATHER,))
    assert body["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    assert adapted == ()
    body, _ = sent(format=Format(kind="json"), model=BUDGETS)
    assert body["generationConfig"] == {"responseMimeType": "application/json"}

    body, adapted = sent(format=wanted, tools=(WEATHER,), model=BUDGETS, system=(Text("Hi"),))
    assert "generationConfig" not in body
    assert '"title":"T"' in body["systemInstruction"]["parts"][1]["text"]
    assert adapted == ("response_format",)
