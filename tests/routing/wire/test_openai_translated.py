"""OpenAI's dialect through the neutral middle: requests, answers and streams in both directions."""

import json
from decimal import Decimal
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from accounts.errors import InvalidRequest
from billing.usage import Usage
from routing.conversation import (
    Answer,
    Conversation,
    Document,
    HiddenThinking,
    Image,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from routing.providers.spec import Quirks
from routing.wire.openai import request, translated_reply, translated_request
from routing.wire.sides import Envelope

ENVELOPE = Envelope(body_id="chatcmpl-1", model="m", created=1_795_000_000)
CUSTOM = Envelope(
    body_id="chatcmpl-1",
    model="m",
    created=1_795_000_000,
    request={"tools": [{"type": "custom", "custom": {"name": "g"}}, None, {"custom": []}]},
)
USAGE = Usage(input_uncached=10, cache_read=2, output_visible=3, reasoning=4)


def conversation(*messages: dict[str, Any], **fields: Any) -> Conversation:
    body = json.dumps({"model": "m", "messages": messages, **fields}).encode()
    return translated_request.converse(request.read(body))


def written(conversed: Conversation, quirks: Quirks | None = None) -> tuple[Any, tuple[str, ...]]:
    out = translated_request.write_conversation(
        conversed, model="x", offer=None, quirks=quirks or Quirks(), stream=False
    )
    return json.loads(out.body), out.adapted


USER = {"role": "user", "content": "hi"}
FORMAT = "anthropic-claude-v1"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
SCHEMA = {"name": "n", "schema": {"type": "object"}, "strict": True}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a" : 1}'}}


class TestRequestsAreRead:
    def test_what_stands_first_is_system_and_what_comes_later_a_turn(self) -> None:
        read = conversation(
            {"role": "developer", "content": "a"},
            {"role": "system", "content": [{"type": "text", "text": "b"}]},
            USER,
            {"role": "system", "content": "c"},
        )
        assert read.system == (Text("a"), Text("b"))
        assert read.turns == (Turn("user", (Text("hi"),)), Turn("system", (Text("c"),)))

    def test_images_by_address_and_by_bytes_and_files(self) -> None:
        parts = [
            {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
            },
        ]
        (turn,) = conversation({"role": "user", "content": parts}).turns
        assert turn.blocks == (
            Image(url="https://x.example/a.png", detail="low"),
            Image(media_type="image/png", data="iVBO"),
            Document(media_type="application/pdf", data="JVBE", title="a.pdf"),
        )

    def test_calls_keep_their_arguments_as_they_were_written(self) -> None:
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        result = {"role": "tool", "tool_call_id": "c1", "content": "4 C"}
        read = conversation(USER, message, result)
        assert read.turns[1].blocks == (ToolCall(id="c1", name="f", arguments='{"a" : 1}'),)
        assert read.turns[2].blocks == (ToolResult(id="c1", content=(Text("4 C"),)),)

    def test_thoughts_know_who_signed_them(self) -> None:
        details = [
            {"type": "reasoning.text", "text": "t", "signature": "s", "format": FORMAT},
            {"type": "reasoning.encrypted", "data": "d", "format": FORMAT},
        ]
        message = {"role": "assistant", "content": "x", "reasoning_details": details}
        assert conversation(USER, message).turns[1].blocks == (
            Thinking(text="t", signature="s", signer="anthropic"),
            HiddenThinking(data="d", signer="anthropic"),
            Text("x"),
        )

    def test_the_legacy_function_call_gets_an_id_of_its_own(self) -> None:
        called = {"name": "f", "arguments": "{}"}
        read = conversation(
            USER,
            {"role": "assistant", "content": None, "function_call": called},
            {"role": "function", "name": "f", "content": "1"},
        )
        (call,), (result,) = read.turns[1].blocks, read.turns[2].blocks
        assert isinstance(call, ToolCall)
        assert isinstance(result, ToolResult)
        assert call.id == result.id

    def test_parameters_that_only_openai_has_are_kept_apart(self) -> None:
        read = conversation(USER, logprobs=True, temperature=0, reasoning_effort="low", x=None)
        assert read.others == {"logprobs": True}
        assert read.temperature == 0
        assert read.reasoning == Reasoning(effort="low")

    @pytest.mark.parametrize(
        ("messages", "fields", "param"),
        [
            ([{"role": "robot"}], {}, "messages[0].role"),
            ([{"role": "user", "content": 7}], {}, "messages[0].content"),
            ([{"role": "user", "content": [{"type": "x"}]}], {}, "messages[0].content[0]"),
            ([{"role": "tool", "content": "x"}], {}, "messages[0].tool_call_id"),
            ([USER], {"tools": [{"type": "function"}]}, "tools[0]"),
            ([USER], {"tool_choice": 7}, "tool_choice"),
            ([USER], {"temperature": "hot"}, "temperature"),
            ([USER], {"stop": [1]}, "stop"),
        ],
    )
    def test_what_cannot_be_understood_is_refused_by_name(
        self, messages: list[Any], fields: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            conversation(*messages, **fields)
        assert refused.value.param == param


class TestRequestsAreWritten:
    def test_reading_what_was_written_gives_the_same_conversation(self) -> None:
        read = conversation(
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "a"}, PICTURE]},
            {"role": "assistant", "content": "b", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "r"},
            tools=[FUNCTION],
            tool_choice={"type": "function", "function": {"name": "f"}},
            parallel_tool_calls=False,
            response_format={"type": "json_schema", "json_schema": SCHEMA},
            max_completion_tokens=7, temperature=0.5, top_p=0.9, stop=["a", "b"], seed=3, user="u",
            logit_bias={"1": 2},
        )  # fmt: skip
        body, adapted = written(read)
        assert adapted == ()
        assert translated_request.converse(request.read(json.dumps(body).encode())) == read

    def test_results_come_first_and_their_images_after_all_of_them(self) -> None:
        picture = Image(media_type="image/png", data="iVBO")
        results = [ToolResult(id=id_, content=(Text(id_), picture)) for id_ in ("a", "b")]
        body, _ = written(Conversation(turns=(Turn("user", (Text("now"), *results)),)))
        assert [message["role"] for message in body["messages"]] == ["tool", "tool", "user"]
        kinds = [part["type"] for part in body["messages"][2]["content"]]
        assert kinds == ["image_url", "image_url", "text"]

    def test_an_error_of_a_tool_says_so(self) -> None:
        result = ToolResult(id="a", content=(Text("no"),), is_error=True)
        body, _ = written(Conversation(turns=(Turn("user", (result,)),)))
        assert body["messages"][0]["content"] == "Error: no"

    def test_ids_of_calls_fit_a_provider_that_is_strict_and_stay_pairs(self) -> None:
        turns = (
            Turn("assistant", (ToolCall(id="toolu_01ABC", name="f", arguments="{}"),)),
            Turn("user", (ToolResult(id="toolu_01ABC", content=(Text("x"),)),)),
        )
        body, _ = written(Conversation(turns=turns), Quirks(tool_id_length=9))
        called = body["messages"][0]["tool_calls"][0]["id"]
        assert called == body["messages"][1]["tool_call_id"]
        assert len(called) == 9
        assert called.isalnum()

    def test_a_wish_to_think_is_told_where_a_provider_cannot(self) -> None:
        wish = Conversation(turns=(Turn("user", (Text("x"),)),), reasoning=Reasoning(budget=5000))
        body, adapted = written(wish)
        assert "reasoning_effort" not in body
        assert adapted == ("reasoning_effort",)
        body, adapted = written(wish, Quirks(thinking="effort", efforts=("low", "medium")))
        assert body["reasoning_effort"] == "medium"
        assert adapted == ()

    def test_one_forced_tool_is_the_only_one_offered_where_some_tool_can_be_forced(self) -> None:
        tools = [{"type": "function", "function": {"name": name}} for name in ("f", "g")]
        read = conversation(
            USER, tools=tools, tool_choice={"type": "function", "function": {"name": "g"}}
        )
        body, _ = written(read, Quirks(forced_tools="any", required_as="any"))
        assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]
        assert body["tool_choice"] == "any"

    def test_a_forced_custom_tool_is_the_function_that_it_is_offered_as(self) -> None:
        tools = tuple(Tool(name=name, kind="custom") for name in ("f", "g"))
        choice = ToolChoice(mode="named", name="g")
        asked = Conversation(turns=(Turn("user", (Text("x"),)),), tools=tools, tool_choice=choice)
        body, _ = written(asked)
        assert body["tool_choice"] == {"type": "function", "function": {"name": "g"}}
        body, _ = written(asked, Quirks(forced_tools="any", required_as="any"))
        assert [tool["function"]["name"] for tool in body["tools"]] == ["g"]


BLOCKS = (
    Thinking(text="hm", signature="sig", signer="anthropic"),
    HiddenThinking(data="d", signer="anthropic"),
    Text("Let me look."),
    ToolCall(id="c1", name="f", arguments='{"a" : 1}'),
    ToolCall(id="c2", name="g", arguments="{}", signature="RXF"),
    ToolCall(id="c3", name="h", arguments="free {", kind="custom"),
)


class TestAnswers:
    def test_an_answer_is_one_that_the_sdk_reads_and_that_we_read_back(self) -> None:
        answer = Answer(blocks=BLOCKS, finish="tool_calls")
        body = translated_reply.write_answer(
            answer, envelope=ENVELOPE, usage=USAGE, cost=Decimal("0.0021")
        )
        ChatCompletion.model_validate_json(body, strict=True)
        back = translated_reply.read_answer(body, Quirks())
        assert back.blocks == BLOCKS
        assert back.finish == "tool_calls"
        assert back.usage == USAGE
        assert json.loads(body)["usage"]["cost"] == 0.0021

    def test_a_refusal_stands_in_its_own_field(self) -> None:
        answer = Answer(blocks=(Refusal("no"),), finish="content_filter")
        body = translated_reply.write_answer(answer, envelope=ENVELOPE, usage=USAGE, cost=None)
        message = json.loads(body)["choices"][0]["message"]
        assert message["refusal"] == "no"
        assert message["content"] is None

    def test_what_a_provider_wrapped_for_a_custom_tool_is_unwrapped(self) -> None:
        calls = (
            ToolCall(id="a", name="g", arguments='{"input":"ls -l"}'),
            ToolCall(id="b", name="g", arguments="not as asked"),
            ToolCall(id="c", name="f", arguments='{"input":"x"}'),
        )
        body = translated_reply.write_answer(
            Answer(blocks=calls, finish="tool_calls"), envelope=CUSTOM, usage=USAGE, cost=None
        )
        ChatCompletion.model_validate_json(body, strict=True)
        assert translated_reply.read_answer(body, Quirks()).blocks == (
            ToolCall(id="a", name="g", arguments="ls -l", kind="custom"),
            ToolCall(id="b", name="g", arguments="not as asked", kind="custom"),
            calls[2],
        )

    def test_mistrals_chunks_are_text_and_thoughts(self) -> None:
        chunks = [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "Hi"},
        ]
        call = {"id": "abc", "function": {"name": "f", "arguments": {"a": 1}}}
        choice = {
            "index": 0,
            "finish_reason": "model_length",
            "message": {"role": "assistant", "content": chunks, "tool_calls": [call]},
        }
        answer = translated_reply.read_answer(json.dumps({"choices": [choice]}).encode(), Quirks())
        assert answer.blocks[:2] == (Thinking(text="hm"), Text("Hi"))
        assert answer.blocks[2] == ToolCall(id="abc", name="f", arguments='{"a":1}')
