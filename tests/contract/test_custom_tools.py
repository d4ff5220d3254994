"""Tools whose input is free text: every provider that knows them only as functions, both ways."""

import json
from typing import Any

import pytest

from tests.contract.ends import PROVIDERS, End
from tests.journeys.conftest import Caller

FORCING = tuple(end for end in PROVIDERS if end.forces)
TRANSLATED = tuple(end for end in PROVIDERS if end.slug in {"anthropic", "gemini"})


def posted(caller: Caller, path: str, body: dict[str, Any]) -> Any:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("end", FORCING, ids=str)
def test_a_forced_custom_tool_of_responses_is_called(caller: Caller, end: End) -> None:
    tools = [{"type": "custom", "name": name} for name in ("f", "g")]
    choice = {"type": "custom", "name": "g"}
    body = {"model": f"{end.slug}/{end.model}", "input": "Hi", "tools": tools}

    answer = posted(caller, "/v1/responses", {**body, "tool_choice": choice}).json()

    (call,) = (item for item in answer["output"] if item["type"] == "custom_tool_call")
    assert call["name"] == "g"
    assert not call["input"].startswith("{")


@pytest.mark.parametrize("end", TRANSLATED, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_custom_call_comes_back_to_chat_as_one(caller: Caller, end: End, *, stream: bool) -> None:
    body = {
        "model": f"{end.slug}/{end.model}",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "custom", "custom": {"name": "g"}}],
        "tool_choice": {"type": "custom", "custom": {"name": "g"}},
        "stream": stream,
    }

    answer = posted(caller, "/v1/chat/completions", body)

    call = streamed_call(answer.text) if stream else whole_call(answer.json())
    assert call["type"] == "custom"
    assert call["custom"]["name"] == "g"
    assert call["custom"]["input"]
    assert not call["custom"]["input"].startswith("{")


def whole_call(answer: Any) -> Any:
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert "function" not in call
    return call


def streamed_call(stream: str) -> Any:
    """The pieces of the one call, put together as clients do it."""
    events = [line[6:] for line in stream.splitlines() if line.startswith("data: {")]
    deltas = [json.loads(event)["choices"][0]["delta"] for event in events]
    pieces = [piece for delta in deltas for piece in delta.get("tool_calls") or ()]
    assert {piece["index"] for piece in pieces} == {0}
    assert not any("function" in piece for piece in pieces)
    first, *others = pieces
    written = "".join(piece["custom"]["input"] for piece in others)
    return {**first, "custom": {"name": first["custom"]["name"], "input": written}}
