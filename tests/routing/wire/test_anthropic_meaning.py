"""What a caller of Anthropic's dialect means, in nobody's dialect."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidRequest
from routing.conversation import (
    Conversation,
    Document,
    Format,
    HiddenThinking,
    Image,
    Reasoning,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)  # fmt: skip
from routing.providers.spec import Quirks
from routing.wire.anthropic import errors, request

SAMPLE = Path(__file__).parents[2] / "fixtures" / "providers" / "anthropic" / "request.json"
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]


def meant(**fields: Any) -> Conversation:
    body = {"model": "m", "max_tokens": 100, "messages": MESSAGES, **fields}
    return request.converse(request.read(json.dumps(body).encode()))


def blocks(*content: dict[str, Any], role: str = "user") -> tuple[Any, ...]:
    conversation = meant(messages=[{"role": role, "content": list(content)}])
    return conversation.turns[0].blocks if conversation.turns else ()


def test_the_sample_request_is_understood_whole() -> None:
    found = request.converse(request.read(SAMPLE.read_bytes()))
    assert found.system == (Text("Be brief.", "5m"),)
    user, assistant, results = found.turns
    assert user.blocks == (
        Text("Weather?"),
        Image(media_type="image/png", data="iVBORw0KGgo="),
        Document(url="https://example.com/a.pdf", title="a"),
    )
    assert assistant.blocks == (
        Thinking(text="…", signature="EqQB...", signer="anthropic"),
        ToolCall(id="toolu_01A", name="get_weather", arguments='{"city":"Oslo"}'),
    )
    assert results.blocks == (
        ToolResult(id="toolu_01A", content=(Text("4 C"), Image(url="https://example.com/r.png"))),
        Text("And tomorrow?"),
    )
    assert found.tools[0].schema["required"] == ["city"]
    assert found.tool_choice == ToolChoice(parallel=False)
    assert found.reasoning == Reasoning(effort="medium")
    assert found.format is not None
    assert found.format.schema["required"] == ["a"]
    assert (found.stop, found.user, found.max_tokens) == (("END",), "u-1", 1024)
    assert found.untranslatable == ()


def test_claude_codes_billing_header_is_dropped() -> None:
    system = [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cch=abc;"},
        {"type": "text", "text": "You are.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
    assert meant(system=system).system == (Text("You are.", "1h"),)


def test_claude_codes_further_fields_are_named_and_never_refused() -> None:
    found = meant(
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        thinking={"type": "adaptive", "display": "omitted"},
        output_config={"effort": "high", "task_budget": {"total": 9}},
        safeguards={"x": 1},
        metadata={"user_id": '{"device_id":"d"}'},
        tools=[
            {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        ],
    )
    assert found.reasoning == Reasoning(effort="high", shown=False)
    assert found.user == '{"device_id":"d"}'
    assert [tool.name for tool in found.tools] == ["f"]
    assert set(found.untranslatable) == {
        "context_management", "safeguards", "tools", "output_config",
    }  # fmt: skip


def test_a_thread_is_refused_in_the_words_that_the_tool_runner_reads() -> None:
    with pytest.raises(InvalidRequest) as refused:
        meant(thread={"type": "create"})
    error = json.loads(errors.write(refused.value, call_id="call_1"))
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert error["error"]["details"] == {
        "error_code": "thread_unsupported_request", "unsupported": ["thread"],
    }  # fmt: skip
    assert error["request_id"] == "call_1"


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "disabled"}}, Reasoning(is_off=True)),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(budget=2048)),
        ({"thinking": {"type": "adaptive"}}, Reasoning(effort="medium")),
        ({"thinking": {"type": "between_tools"}}, Reasoning(effort="medium")),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
    ],
)
def test_thinking_is_understood(fields: dict[str, Any], reasoning: Reasoning | None) -> None:
    assert meant(**fields).reasoning == reasoning


@pytest.mark.parametrize(
    ("choice", "meaning"),
    [
        ({"type": "any"}, ToolChoice(mode="required")),
        ({"type": "none"}, ToolChoice(mode="none")),
        ({"type": "tool", "name": "f"}, ToolChoice(mode="named", name="f")),
        ({"type": "tool", "name": "web_search"}, ToolChoice()),
    ],
)
def test_a_tool_choice_is_understood(choice: dict[str, Any], meaning: ToolChoice) -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}},
             {"type": "web_search_20250305", "name": "web_search"}]  # fmt: skip
    assert meant(tools=tools, tool_choice=choice).tool_choice == meaning


def test_an_older_output_format_is_understood() -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}
    expected = Format(kind="json_schema", schema={"type": "object"}, strict=True)
    assert meant(output_format=wanted).format == expected
    assert meant(output_config={"format": wanted}).format == expected


def test_examples_of_a_tools_input_go_into_its_description() -> None:
    tool = {"name": "f", "description": "Does.", "input_schema": {}, "input_examples": [{"a": 1}]}
    assert '{"a":1}' in meant(tools=[tool]).tools[0].description


def test_empty_texts_and_turns_are_dropped() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "a"}]},
        {"role": "assistant", "content": ""},
        {"role": "system", "content": "Now in French."},
    ]
    assert meant(messages=messages).turns == (
        Turn("user", (Text("a"),)), Turn("system", (Text("Now in French."),)),
    )  # fmt: skip


def test_documents_of_every_kind_are_read() -> None:
    sources = [
        {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
        {"type": "text", "media_type": "text/plain", "data": "words"},
        {"type": "content", "content": [{"type": "text", "text": "inner"}]},
    ]
    documents = [{"type": "document", "source": source, "title": "T"} for source in sources]
    assert blocks(*documents) == (
        Document(data="JVBE", title="T"),
        Document(media_type="text/plain", text="words", title="T"),
        Text("T"),
        Text("inner"),
    )


def test_search_results_become_texts() -> None:
    found = {"type": "search_result", "source": "https://a.example", "title": "A",
             "content": [{"type": "text", "text": "words"}]}  # fmt: skip
    assert blocks(found) == (Text("A\nhttps://a.example\nwords"),)


def test_thoughts_keep_their_signer_only_where_they_are_signed() -> None:
    assert blocks(
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "thinking", "thinking": "b", "signature": ""},
        {"type": "redacted_thinking", "data": "d"},
        role="assistant",
    ) == (
        Thinking(text="a", signature="s", signer="anthropic"),
        Thinking(text="b"),
        HiddenThinking(data="d", signer="anthropic"),
    )


def test_blocks_of_anthropics_own_tools_are_left_out_and_named() -> None:
    own = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    messages = [{"role": "user", "content": [own, {"type": "text", "text": "a"}]}]
    found = meant(messages=messages)
    assert found.turns == (Turn("user", (Text("a"),)),)
    assert found.untranslatable == ("messages",)


def test_a_refill_of_the_cache_alone_asks_others_for_one_token() -> None:
    assert meant(max_tokens=0).max_tokens == 1


# Request → neutral → request ------------------------------------------------------------------

words = st.sampled_from(["a", "b c", "é€"])
texts = st.fixed_dictionaries(
    {"type": st.just("text"), "text": words},
    optional={"cache_control": st.just({"type": "ephemeral", "ttl": "1h"})},
)
images = st.just(
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw"}}
)
documents = st.fixed_dictionaries(
    {"type": st.just("document"),
     "source": st.sampled_from([
         {"type": "url", "url": "https://a.example/x.pdf"},
         {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
         {"type": "text", "media_type": "text/plain", "data": "words"}])},
    optional={"title": words},
)  # fmt: skip
thoughts = st.sampled_from(
    [{"type": "thinking", "thinking": "t", "signature": "s"},
     {"type": "redacted_thinking", "data": "d"}]
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A request as a careful client of Anthropic's sends it."""
    first = draw(st.lists(texts | images | documents, min_size=1))
    messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
    for number in range(draw(st.integers(0, 3))):
        arguments = draw(st.lists(st.sampled_from([{}, {"a": [1.0, "é"]}]), max_size=2))
        calls = [{"type": "tool_use", "id": f"toolu_{number}_{k}", "name": "f", "input": given}
                 for k, given in enumerate(arguments)]  # fmt: skip
        results = [{"type": "tool_result", "tool_use_id": call["id"],
                    "content": [draw(texts.filter(lambda t: "cache_control" not in t))]}
                   for call in calls]  # fmt: skip
        said = [*draw(st.lists(thoughts, max_size=1)), draw(texts), *calls]
        messages.append({"role": "assistant", "content": said})
        messages.append({"role": "user", "content": [*results, draw(texts)]})
    tool = {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}}
    optional = {
        "system": st.lists(texts, min_size=1, max_size=2),
        "tool_choice": st.sampled_from(
            [{"type": "any"}, {"type": "none"}, {"type": "tool", "name": "f"},
             {"type": "auto", "disable_parallel_tool_use": True}]),
        "stop_sequences": st.just(["END"]),
        "temperature": st.sampled_from([0.5, 1.0]),
        "top_k": st.just(5),
        "metadata": st.just({"user_id": "u-1"}),
        "service_tier": st.sampled_from(["auto", "standard_only"]),
        "output_config": st.just({"format": {"type": "json_schema", "schema": {
            "type": "object", "properties": {}, "additionalProperties": False}}}),
    }  # fmt: skip
    further = draw(st.fixed_dictionaries({}, optional=optional))
    return {"model": "m", "max_tokens": 100, "messages": messages, "tools": [tool], **further}


def marks(body: Any) -> int:
    return json.dumps(body).count("cache_control")


@given(bodies().filter(lambda body: marks(body) <= 4))
def test_a_request_keeps_its_meaning_through_the_neutral_middle(body: dict[str, Any]) -> None:
    first = request.converse(request.read(json.dumps(body).encode()))
    written = request.write_conversation(
        first, model="m", offer=None, quirks=Quirks(), stream=False
    )
    assert written.adapted == ()
    assert request.converse(request.read(written.body)) == first


STORED = {"type": "file", "file_id": "file_1"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"system": 3}, "system"),
        ({"system": [{"type": "text"}]}, "system"),
        ({"messages": ["hi"]}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 3}]}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": STORED}]}]},
            "messages",
        ),
        (
            {"messages": [{"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "f", "input": "{}"}]}]},
            "messages",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences"),
        ({"tools": ["f"]}, "tools"),
        ({"tools": [{"input_schema": {}}]}, "tools"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"thinking": {"type": "hard"}}, "thinking"),
        ({"thinking": {"type": "enabled"}}, "thinking"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config"),
        ({"metadata": "x"}, "metadata"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        meant(**fields)
    assert refused.value.param == param
