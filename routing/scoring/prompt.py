"""The prompt of a request, whatever its dialect: what the scorer reads of it. Pure.

Cheap on purpose: it looks at the end of the conversation and copies at most `MOST` characters.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from routing.chat import Body, ChatRequest

MOST = 32_768  # characters; of a longer text its beginning and its end
TAIL = 500
RESULTS = frozenset({"tool", "function"})  # roles of OpenAI's messages that answer a tool call
RESULT_TYPES = frozenset({"tool_result", "function_call_output"})
TEXTS = frozenset({"text", "input_text"})
JSON_TYPES = frozenset({"json_object", "json_schema"})


class Prompt(msgspec.Struct, frozen=True, gc=False):
    text: str  # of the last user turn that has one, else the instructions
    uses_tools: bool = False  # the request carries tools or ends with a tool's result
    wants_json: bool = False  # a JSON format is asked for


def of_request(chat: ChatRequest) -> Prompt:
    body = chat.body
    turns = _turns(body)
    uses_tools = bool(body.get("tools") or body.get("functions")) or _ends_with_result(turns)
    return Prompt(_text(turns, body), uses_tools, _wants_json(body))


def _turns(body: Body) -> list[Any]:
    turns = body.get("messages") or body.get("input")
    if type(turns) is str:
        return [{"role": "user", "content": turns}]
    return turns if type(turns) is list else []


def _ends_with_result(turns: list[Any]) -> bool:
    last = turns[-1] if turns else None
    if type(last) is not dict:
        return False
    if last.get("role") in RESULTS or last.get("type") in RESULT_TYPES:
        return True
    content = last.get("content")
    return type(content) is list and any(
        type(part) is dict and part.get("type") in RESULT_TYPES for part in content
    )


def _wants_json(body: Body) -> bool:
    places = (
        body.get("response_format"),  # OpenAI's chat
        _inner(body, "text"),  # Responses
        _inner(body, "output_config"),  # Anthropic's messages
        body.get("output_format"),
    )
    return any(type(wish) is dict and wish.get("type") in JSON_TYPES for wish in places)


def _inner(body: Body, name: str) -> Any:
    holder = body.get(name)
    return holder.get("format") if type(holder) is dict else None


def _text(turns: list[Any], body: Body) -> str:
    for turn in reversed(turns):
        if type(turn) is dict and turn.get("role") == "user":
            text = _joined(turn.get("content"))
            if text:
                return text
    return _joined(body.get("instructions") or body.get("system"))


def _joined(content: Any) -> str:
    if type(content) is str:
        return _bounded(content)
    if type(content) is not list:
        return ""
    texts = list(_texts(content))
    return _bounded(texts[0] if len(texts) == 1 else "\n".join(texts))


def _texts(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if type(part) is str:
            yield part
        elif type(part) is dict and part.get("type") in TEXTS and type(part.get("text")) is str:
            yield _bounded(part["text"])


def _bounded(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - TAIL]}{text[-TAIL:]}"
