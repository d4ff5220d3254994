"""Requests of the Responses dialect: what real clients send, and what it says to any provider."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidRequest
from routing.conversation import (
    Format,
    Reasoning,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from routing.wire.responses import request
from tests.routing.wire.responses_speech import (
    NUMBERED,
    REQUEST,
    TOOLS,
    asked,
    conversed,
    said,
)

Json = dict[str, Any]

PATCH = "start: begin_patch hunk end_patch"
CODEX: Json = {
    "model": "m",
    "input": [
        {"type": "message", "role": "developer", "id": "msg_1",
         "content": [{"type": "input_text", "text": "You are Codex."}]},
        {"type": "message", "role": "user", "id": "msg_2",
         "content": [{"type": "input_text", "text": "Fix it."}]},
        {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": "gAAAA-foreign"},
        {"type": "message", "role": "assistant", "phase": "commentary",
         "content": [{"type": "output_text", "text": "Looking."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command",
         "arguments": '{"cmd": "ls"}'},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_2", "name": "apply_patch",
         "input": "*** Begin Patch"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "a.py"},
        {"type": "custom_tool_call_output", "call_id": "call_2",
         "output": [{"type": "input_text", "text": "Done."}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Thanks."}]},
    ],
    "tools": [
        {"type": "function", "name": "exec_command", "strict": False, "parameters": NUMBERED},
        {"type": "namespace", "name": "multi_agent_v1", "description": "Agents.", "tools": [
            {"type": "function", "name": "spawn", "description": "Start one.",
             "parameters": NUMBERED},
            {"type": "function", "name": "wait", "parameters": NUMBERED},
        ]},
        {"type": "custom", "name": "apply_patch", "description": "Edits.",
         "format": {"type": "grammar", "syntax": "lark", "definition": PATCH}},
        {"type": "web_search", "external_web_access": True},
        {"type": "tool_search", "execution": "client"},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "thread-1",
    "text": {"verbosity": "low"},
    "client_metadata": {"x": "y"},
}  # fmt: skip
VERCEL: Json = {
    "model": "m",
    "input": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"n":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": '{"temp":3}'},
    ],
    "tools": [{"type": "function", "name": "weather", "description": "Tells it.", "strict": True,
               "parameters": {"$schema": "http://json-schema.org/draft-07/schema#", **NUMBERED}}],
    "tool_choice": {"type": "function", "name": "weather"},
    "max_output_tokens": 400,
    "temperature": 0.2,
    "text": {"format": {"type": "json_schema", "strict": True, "name": "response",
                        "schema": NUMBERED}},
}  # fmt: skip


# Real clients ----------------------------------------------------------------------------------


def test_a_turn_of_codex_is_understood_whole() -> None:
    talk = conversed(CODEX)

    assert talk.system == (Text("You are Codex."),)
    assert talk.turns == (
        Turn("user", (Text("Fix it."),)),
        Turn("assistant", (
            Text("Looking."),
            ToolCall(id="call_1", name="exec_command", arguments='{"cmd": "ls"}'),
            ToolCall(id="call_2", name="apply_patch", arguments="*** Begin Patch", kind="custom"),
        )),
        Turn("user", (
            ToolResult(id="call_1", content=(Text("a.py"),)),
            ToolResult(id="call_2", content=(Text("Done."),), kind="custom"),
        )),
        Turn("user", (Text("Thanks."),)),
    )  # fmt: skip
    assert talk.reasoning == Reasoning(effort="medium", shown=True)
    assert talk.tool_choice == ToolChoice(mode="auto", parallel=True)
    assert talk.others == {"prompt_cache_key": "thread-1", "verbosity": "low"}


def test_the_tools_of_codex_are_flattened_and_what_nobody_could_run_is_told() -> None:
    talk = conversed(CODEX)

    assert talk.tools == (
        Tool(name="exec_command", schema=NUMBERED, strict=False),
        Tool(name="multi_agent_v1__spawn", description="Agents.\n\nStart one.", schema=NUMBERED),
        Tool(name="multi_agent_v1__wait", schema=NUMBERED),
        Tool(
            name="apply_patch", description="Edits.", kind="custom",
            grammar={"type": "grammar", "syntax": "lark", "definition": PATCH},
        ),
    )  # fmt: skip
    assert talk.untranslatable == ("client_metadata", "input", "tools")


def test_tools_among_the_input_are_tools_and_their_calls_keep_their_namespace() -> None:
    tools = [{"type": "namespace", "name": "functions", "description": "", "tools": [
        {"type": "custom", "name": "exec"}]}]  # fmt: skip
    talk = said(
        {"type": "additional_tools", "role": "developer", "tools": tools},
        {"role": "user", "content": "go"},
        {"type": "custom_tool_call", "call_id": "c", "name": "exec", "namespace": "functions",
         "input": "ls"},
        {"type": "custom_tool_call_output", "call_id": "c",
         "output": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
    )  # fmt: skip

    assert talk.tools == (Tool(name="functions__exec", kind="custom"),)
    assert talk.turns[1].blocks == (
        ToolCall(id="c", name="functions__exec", arguments="ls", kind="custom"),
    )
    assert talk.turns[2].blocks == (
        ToolResult(id="c", content=(Text("a"), Text("b")), kind="custom"),
    )
    assert talk.untranslatable == ()


def test_a_turn_of_the_vercel_sdk_is_understood_whole() -> None:
    talk = conversed(VERCEL)

    assert talk.system == (Text("Be brief."),)
    assert [turn.role for turn in talk.turns] == ["user", "assistant", "user"]
    assert talk.format == Format(kind="json_schema", name="response", schema=NUMBERED, strict=True)
    assert talk.tool_choice == ToolChoice(mode="named", name="weather")
    assert (talk.max_tokens, talk.temperature) == (400, 0.2)
    assert talk.untranslatable == ()


def test_a_text_is_one_turn_of_the_user_after_the_instructions() -> None:
    talk = asked(instructions="Be kind.", user="u", safety_identifier="s", top_p=0.5)

    assert talk.system == (Text("Be kind."),)
    assert talk.turns == (Turn("user", (Text("hi"),)),)
    assert (talk.user, talk.others, talk.top_p) == ("u", {"safety_identifier": "s"}, 0.5)


# Parameters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"store": True}, ("store",)),
        ({"store": False, "truncation": "disabled", "background": False, "top_logprobs": 0}, ()),
        ({"truncation": "auto", "max_tool_calls": 3}, ("max_tool_calls", "truncation")),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2},
         ("include", "top_logprobs")),
        ({"stream_options": {"include_obfuscation": False}, "metadata": {"a": "b"}}, ()),
        ({"models": ["b"], "provider": {}, "session_id": "s"}, ()),
        ({"made_up": 1, "context_management": None}, ("made_up",)),
        ({"text": {"format": {"type": "grammar"}}}, ("text",)),
        ({"text": {"format": {"type": "text"}}}, ()),
    ],
)  # fmt: skip
def test_what_is_not_honoured_is_told(fields: Json, told: tuple[str, ...]) -> None:
    assert asked(**fields).untranslatable == told


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"effort": "none"}, Reasoning(effort="none", is_off=True, shown=False)),
        ({"summary": "auto"}, Reasoning(shown=True)),
        ({"effort": "high", "context": "all_turns"}, Reasoning(effort="high", shown=False)),
        (None, None),
    ],
)
def test_how_much_to_think_is_understood(wanted: Any, expected: Reasoning | None) -> None:
    assert asked(reasoning=wanted).reasoning == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": 3}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": {}}, "input"),
        ({"input": ["hi"]}, "input[0]"),
        ({"input": [{"content": "hi"}]}, "input[0].type"),
        ({"input": [{"role": "tool", "content": "hi"}]}, "input[0].role"),
        ({"input": [{"role": [], "content": "hi"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": 3}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [3]}]}, "input[0].content[0]"),
        ({"input": [{"role": "user", "content": [{"type": []}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
         "input[0].content[0].file_id"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]},
         "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "name": "a"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output"),
        ({"input": [{"type": "item_reference", "id": "fc_1"}]}, "input[0]"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True}, "background"),
        ({"stream": "yes"}, "stream"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"metadata": []}, "metadata"),
        ({"instructions": 3}, "instructions"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "a", "parameters": []}]}, "tools[0].parameters"),
        ({"tools": TOOLS, "tool_choice": 3}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"include": "all"}, "include"),
    ],
)  # fmt: skip
def test_a_field_that_cannot_be_understood_is_refused_by_name(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(**fields)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, set()),
        ({"tools": TOOLS}, {"tools"}),
        ({"tools": [{"type": "web_search"}]}, set()),
        ({"input": [{"type": "additional_tools", "tools": []}]}, {"tools"}),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, {"json_schema"}),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, {"pdf"}),
        ({"input": [{"type": "function_call_output", "output": [{"type": "input_image"}]}]},
         {"image"}),
        ({"input": 'say "input_image"'}, set()),
    ],
)  # fmt: skip
def test_what_a_request_needs_is_known(fields: Json, needs: set[str]) -> None:
    body = {"model": "m", "input": "hi", **fields}
    assert request.read(json.dumps(body).encode()).needs == needs


def test_a_picture_is_seen_however_its_type_is_spelt() -> None:
    content = [{"type": "input_image"}]
    plain = json.dumps({"model": "m", "input": [{"role": "user", "content": content}]}).encode()
    assert request.read(plain.replace(b"input_image", rb"input\u005fimage")).needs == {"image"}


def test_the_gateway_learns_what_it_needs_at_a_look() -> None:
    chat = request.read(json.dumps({**REQUEST, "stream": True, "max_output_tokens": 9}).encode())

    assert (chat.dialect, chat.model, chat.max_tokens) == ("responses", "m", 9)
    assert chat.stream
    assert chat.wants_usage


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["function", "message", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "role", "content", "name", "tools", "output", "call_id", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_PARAMETERS = [
    "input", "tools", "tool_choice", "text", "reasoning", "include", "instructions", "store",
    "parallel_tool_calls", "temperature", "user", "metadata", "stream", "truncation",
]  # fmt: skip


@given(fields=st.dictionaries(st.sampled_from(_PARAMETERS), _json, max_size=5))
def test_whatever_is_sent_is_understood_or_refused(fields: Json) -> None:
    try:
        asked(**fields)
    except InvalidRequest as refused:
        assert refused.param
