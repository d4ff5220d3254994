"""A Responses request, read into what it asks for."""

import hashlib
import re
from typing import Any

from routing.sandbox.dialects import shapes
from routing.sandbox.memory import Part
from routing.sandbox.names import listed
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json
from routing.sandbox.writing import counting
from routing.sandbox.writing.ask import ANY_OBJECT, Ask, Tool, reasons, text_of
from routing.sandbox.writing.specimens import Schema

_FIELDS = listed(
    "access_programs background client_metadata context_management conversation image "
    "include input instructions max_output_tokens max_tool_calls metadata model "
    "moderation parallel_tool_calls previous_response_id prompt prompt_cache_key "
    "prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier "
    "store stream stream_options temperature text tool_choice tools top_logprobs top_p "
    "truncation user"
)
_SHAPES = {
    "model": shapes.TEXT,
    "input": shapes.TEXT_OR_LIST,
    "instructions": shapes.either("a string or an array", str, list),
    "max_output_tokens": shapes.whole(16),
    "stream": shapes.FLAG,
    "store": shapes.FLAG,
    "background": shapes.FLAG,
    "temperature": shapes.number(0, 2),
    "top_p": shapes.number(0, 1),
    "tools": shapes.LIST,
    "tool_choice": shapes.TEXT_OR_OBJECT,
    "reasoning": shapes.OBJECT,
    "text": shapes.OBJECT,
    "include": shapes.LIST,
    "truncation": shapes.one_of("auto", "disabled"),
}
_NEVER_SAMPLES = re.compile(r"^(?:o\d|gpt-(?:5(?![.\d])|[6-9]|\d\d)(?![\d.]*+-chat))")
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_CALLS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}


def read(exchange: Exchange) -> Ask:
    """What is asked for. Raises Refused for what OpenAI would not take."""
    body = shapes.body_of(exchange)
    _check(exchange, body)
    model = shapes.known_model(exchange, body["model"])
    items = _items(exchange, body["input"])
    reasoning = body.get("reasoning") or {}
    choice, named = _tool_choice(body.get("tool_choice"))
    return Ask(
        model=model,
        parts=_parts(model, body, items),
        media_tokens=counting.media_tokens(items),
        user_text=_last_text(items),
        tool_result=_tool_result(items),
        tools=_tools(body, items),
        tool_choice=choice,
        named_tools=named,
        is_parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema(body),
        max_tokens=body.get("max_output_tokens"),
        thinks=reasons(model) and reasoning.get("effort") != "none",
        shows_thoughts=bool(reasoning.get("summary") or reasoning.get("generate_summary")),
        stream=bool(body.get("stream")),
    )


def _check(exchange: Exchange, body: Json) -> None:
    shapes.require(exchange, body, "model", "input")
    shapes.only(exchange, body, _FIELDS)
    shapes.check(exchange, body, _SHAPES)
    if body.get("previous_response_id") is not None:
        raise exchange.problem("no_previous_response", id=str(body["previous_response_id"]))
    if _NEVER_SAMPLES.search(body["model"]):
        for name in ("temperature", "top_p"):
            if body.get(name) not in {None, 1}:
                raise exchange.refuse(Cause.UNSUPPORTED, name)


def _items(exchange: Exchange, given: Any) -> list[Json]:
    """The input as a list of items, each of a known form."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    for index, item in enumerate(given):
        if not isinstance(item, dict) or not ("role" in item or "type" in item):
            raise exchange.refuse(Cause.MISSING, "input", index, "type")
    _check_outputs(exchange, given)
    return list(given)


def _check_outputs(exchange: Exchange, items: list[Json]) -> None:
    """Every call is answered, and every answer belongs to a call."""
    made = {(item.get("type"), item.get("call_id")) for item in items}
    for item in items:
        kind = str(item.get("type"))
        if kind in _OUTPUTS and (_CALLS[kind], item.get("call_id")) not in made:
            raise exchange.problem("stray_output", id=str(item.get("call_id")))
        for output, call in _CALLS.items():
            if kind == call and (output, item.get("call_id")) not in made:
                raise exchange.problem("missing_output", id=str(item.get("call_id")))


def _parts(model: str, body: Json, items: list[Json]) -> tuple[Part, ...]:
    head = Part(0, hashlib.blake2b(model.encode(), digest_size=16).digest())
    before = [body[name] for name in ("tools", "instructions") if body.get(name)]
    return (head, *(counting.part(value) for value in [*before, *items]))


def _last_text(items: list[Json]) -> str:
    said = [item for item in items if item.get("role") == "user"]
    return text_of(said[-1].get("content")) if said else ""


def _tool_result(items: list[Json]) -> str | None:
    last = items[-1] if items else {}
    return text_of(last.get("output")) if last.get("type") in _OUTPUTS else None


def _tools(body: Json, items: list[Json]) -> tuple[Tool, ...]:
    """Functions and custom tools, those of namespaces and of `additional_tools` included."""
    given = list(body.get("tools") or ())
    for item in items:
        if item.get("type") == "additional_tools":
            given += item.get("tools") or ()
    flat = [inner for tool in given for inner in _flattened(tool)]
    return tuple(
        Tool(tool["name"], tool.get("parameters") or {}, is_custom=tool["type"] == "custom")
        for tool in flat
    )


def _flattened(tool: Any) -> list[Json]:
    if not isinstance(tool, dict):
        return []
    if tool.get("type") == "namespace":
        return [inner for one in tool.get("tools") or () for inner in _flattened(one)]
    return [tool] if tool.get("type") in {"function", "custom"} and tool.get("name") else []


def _tool_choice(value: Any) -> tuple[str, frozenset[str]]:
    if isinstance(value, str):
        return value, frozenset()
    if not isinstance(value, dict):
        return "auto", frozenset()
    if value.get("type") == "allowed_tools":
        names = [tool.get("name") for tool in value.get("tools") or () if isinstance(tool, dict)]
        return str(value.get("mode", "auto")), frozenset(filter(None, names))
    name = value.get("name")
    return ("required", frozenset({name})) if isinstance(name, str) else ("auto", frozenset())


def _schema(body: Json) -> Schema | None:
    wanted = (body.get("text") or {}).get("format") or {}
    kind = wanted.get("type")
    if kind == "json_object":
        return ANY_OBJECT
    schema = wanted.get("schema")
    return schema if kind == "json_schema" and isinstance(schema, dict) else None
