"""What the scorer reads of a request in each dialect."""

from typing import Any

import pytest

from routing.scoring import prompt
from routing.scoring.prompt import Prompt
from tests.routing.plan.builders import chat

TOOL = {"type": "function", "function": {"name": "look"}}


def of(**body: Any) -> Prompt:
    return prompt.of_request(chat(body=body))


@pytest.mark.parametrize(
    "body",
    [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
        {"system": "Be brief.", "messages": [{"role": "user", "content": "Hi"}]},
        {"instructions": "Be brief.", "input": "Hi"},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
        {"input": [{"type": "message", "role": "user", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "{"}]},
        {"messages": [{"role": "user", "content": "Old"}, {"role": "user", "content": "Hi"}]},
        {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]},
            ]
        },
    ],
)
def test_the_text_is_that_of_the_last_user_turn_that_has_one(body: dict[str, Any]) -> None:
    assert of(**body) == Prompt("Hi")


def test_parts_are_joined_and_pictures_left_out() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert of(messages=[{"role": "user", "content": parts}]).text == "a\nb"


@pytest.mark.parametrize(
    "body", [{"messages": [], "system": "Be brief."}, {"input": [], "instructions": "Be brief."}]
)
def test_without_a_user_the_instructions_are_read(body: dict[str, Any]) -> None:
    assert of(**body).text == "Be brief."


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": "Hi"}], "tools": [TOOL]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "tool", "content": "4"}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "4"}]}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "4"}]},
    ],
)
def test_tools_and_their_results_are_noticed(body: dict[str, Any]) -> None:
    assert of(**body).uses_tools


@pytest.mark.parametrize(
    "wish",
    [
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"text": {"format": {"type": "json_schema"}}},
        {"output_config": {"format": {"type": "json_schema"}}},
    ],
)
def test_a_wish_for_json_is_noticed(wish: dict[str, Any]) -> None:
    assert of(messages=[], **wish).wants_json
    assert not of(messages=[], response_format={"type": "text"}).wants_json


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": [3, None]},
        {"input": 7},
        {"messages": [{"role": "user"}]},
    ],
)
def test_an_odd_body_reads_as_an_empty_prompt(body: dict[str, Any]) -> None:
    assert of(**body) == Prompt("")


def test_a_huge_text_is_cut_in_its_middle() -> None:
    text = "a" * 100_000 + "end"
    read = of(messages=[{"role": "user", "content": text}]).text
    assert len(read) == prompt.MOST
    assert read.startswith("aaa")
    assert read.endswith("end")
