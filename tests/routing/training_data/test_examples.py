"""A call's request and answer as a line to fine-tune on, from every dialect."""

import json
from typing import Any

import pytest

from routing.chat import ChatRequest
from routing.training_data import examples
from routing.training_data.examples import Example, NotAnExample
from routing.wire.anthropic import request as anthropic
from routing.wire.openai import request as openai
from routing.wire.responses import request as responses

Json = dict[str, Any]
READERS = {"openai": openai.read, "anthropic": anthropic.read, "responses": responses.read}
GRAMMAR = {"type": "custom", "custom": {"name": "run", "description": "Runs code"}}


def asked(dialect: str, **body: Any) -> ChatRequest:
    return READERS[dialect](json.dumps({"model": "m", **body}).encode())


def said(content: Any = "Yes.", finish: str = "stop", **message: Any) -> Json:
    whole = {"role": "assistant", "content": content, **message}
    return {"model": "m", "choices": [{"index": 0, "message": whole, "finish_reason": finish}]}


def read(chat: ChatRequest, answer: Json | bytes) -> tuple[Json, Example]:
    raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    example = examples.of_call(chat, raw)
    assert b"\n" not in example.line
    return json.loads(example.line), example


def test_a_chat_is_told_as_it_stands() -> None:
    chat = asked(
        "openai",
        temperature=0.2,
        messages=[
            {"role": "developer", "content": "Be terse."},
            {"role": "user", "content": [{"type": "text", "text": "Is it?"},
                                         {"type": "text", "text": "Or not?"}]},
        ],
    )  # fmt: skip

    told, example = read(chat, said("Grüße ✓"))

    assert told == {
        "messages": [
            {"role": "system", "content": "Be terse."},
            {"role": "user", "content": "Is it?\n\nOr not?"},
            {"role": "assistant", "content": "Grüße ✓"},
        ]
    }
    assert example.finish == "stop"


def test_a_picture_stays_a_part() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    chat = asked("openai", messages=[{"role": "user", "content": [
        {"type": "text", "text": "What is it?"}, picture]}])  # fmt: skip

    told, _ = read(chat, said("A cat."))

    assert told["messages"][0]["content"] == [{"type": "text", "text": "What is it?"}, picture]


def test_calls_keep_their_ids_and_no_empty_content_stands_beside_them() -> None:
    call = {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    chat = asked(
        "openai",
        messages=[{"role": "user", "content": "Go"}],
        tools=[tool],
        parallel_tool_calls=False,
    )

    told, example = read(chat, said(None, "tool_calls", tool_calls=[call]))

    assert told["messages"][-1] == {"role": "assistant", "tool_calls": [call]}
    assert told["tools"] == [tool]
    assert told["parallel_tool_calls"] is False
    assert example.finish == "tool_calls"


def test_a_custom_tool_is_told_as_the_function_it_is_offered_as() -> None:
    call = {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": "print(1)"}}
    chat = asked("openai", messages=[{"role": "user", "content": "Go"}], tools=[GRAMMAR])

    told, _ = read(chat, said(None, "tool_calls", tool_calls=[call]))

    assert told["tools"][0]["function"]["name"] == "run"
    assert told["messages"][-1]["tool_calls"] == [
        {"id": "call_1", "type": "function",
         "function": {"name": "run", "arguments": '{"input":"print(1)"}'}}
    ]  # fmt: skip


def test_a_streamed_custom_call_is_told_in_the_same_way() -> None:
    chat = asked(
        "openai", messages=[{"role": "user", "content": "Go"}], tools=[GRAMMAR], stream=True
    )
    begun = {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "run", "input": ""}}
    deltas: list[Json] = [
        {"tool_calls": [begun]},
        {"tool_calls": [{"index": 0, "custom": {"input": "print(1)"}}]},
    ]
    chunks: list[Json] = [
        {"choices": [{"index": 0, "delta": one, "finish_reason": None}]} for one in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    stream = b": keep-alive\n\n" + b"".join(
        b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks
    )

    told, _ = read(chat, stream + b"data: [DONE]\n\n")

    function = told["messages"][-1]["tool_calls"][0]["function"]
    assert function == {"name": "run", "arguments": '{"input":"print(1)"}'}


def test_messages_lose_thoughts_and_join_their_texts() -> None:
    chat = asked(
        "anthropic",
        max_tokens=100,
        system=[{"type": "text", "text": "A."}, {"type": "text", "text": "B."}],
        messages=[{"role": "user", "content": "Well?"}],
    )
    answer = {
        "type": "message", "role": "assistant", "model": "m", "stop_reason": "max_tokens",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": "One, "}, {"type": "text", "text": "two"},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip

    told, example = read(chat, answer)

    assert told["messages"] == [
        {"role": "system", "content": "A.\n\nB."},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "One, two"},
    ]
    assert example.finish == "length"


@pytest.mark.parametrize(
    ("details", "finish"),
    [(None, "stop"), ({"reason": "max_output_tokens"}, "length"),
     ({"reason": "content_filter"}, "content_filter")],
)  # fmt: skip
def test_items_of_responses_become_the_last_turn(details: Json | None, finish: str) -> None:
    chat = asked("responses", instructions="Be terse.", input="Well?")
    answer = {
        "incomplete_details": details,
        "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "H"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "So it is.", "annotations": []}]},
        ],
    }  # fmt: skip

    told, example = read(chat, answer)

    assert told["messages"] == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "So it is."},
    ]
    assert example.finish == finish


HI = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("chat", "answer"),
    [
        (asked("openai", messages=HI, n=2), said()),
        (asked("openai", messages=HI), {"error": {"message": "no"}}),
        (asked("openai", messages=HI), b"garbage"),
        (asked("openai", messages=HI), said("")),
        (asked("openai", messages=HI), said("x" * examples.LARGEST)),
        (asked("openai", messages=HI, stream=True), b'data: {"choices": []}\n\n'),
        (asked("openai", messages=[{"role": "user", "content": [
            {"type": "file", "file": {"file_id": "file-1"}}]}]), said()),
        (asked("responses", input="Hi"), {"output": []}),
        (asked("responses", input="Hi", stream=True), b"event: response.failed\n\n"),
    ],
    ids=["n", "error", "garbage", "empty", "long", "cut", "file", "silent", "failed"],
)  # fmt: skip
def test_what_cannot_be_told_is_no_example_and_its_words_stay_out_of_the_reason(
    chat: ChatRequest, answer: Json | bytes
) -> None:
    with pytest.raises(NotAnExample) as refused:
        read(chat, answer)

    assert "Hi" not in str(refused.value)
