"""A chat request, read into what it asks for."""

import hashlib
from typing import Any

from routing.sandbox.dialects import shapes
from routing.sandbox.dialects.chat import refusals
from routing.sandbox.dialects.chat.refusals import Rules
from routing.sandbox.memory import Part
from routing.sandbox.profile import Exchange, Json
from routing.sandbox.writing import counting
from routing.sandbox.writing.ask import ANY_OBJECT, Ask, Tool, reasons, stops_of, text_of
from routing.sandbox.writing.specimens import Schema

_REQUIRED = frozenset({"required", "any"})
_HIDDEN = frozenset({"hidden", "none"})


def read(exchange: Exchange, rules: Rules) -> Ask:
    """What is asked for. Raises Refused for what the provider would not take."""
    body = shapes.body_of(exchange)
    refusals.check(exchange, body, rules)
    model = shapes.known_model(exchange, body["model"])
    messages: list[Json] = body["messages"]
    choice, named = _tool_choice(body.get("tool_choice"))
    options = body.get("stream_options") or {}
    limit = body.get("max_completion_tokens")
    return Ask(
        model=model,
        parts=parts_of(model, body.get("tools"), messages),
        media_tokens=counting.media_tokens(messages),
        user_text=_last_text(messages),
        system_text=_system_text(messages),
        tool_result=_tool_result(messages),
        tools=_tools(body),
        tool_choice=choice,
        named_tools=named,
        is_parallel=body.get("parallel_tool_calls") is not False,
        schema=_schema(body.get("response_format")),
        max_tokens=body.get("max_tokens") if limit is None else limit,
        stops=stops_of(body.get("stop")),
        count=body.get("n") or 1,
        top_logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") else None,
        thinks=_thinks(model, body),
        shows_thoughts=_shows_thoughts(body),
        stream=bool(body.get("stream")),
        wants_usage=options.get("include_usage"),
    )


def parts_of(model: str, tools: Any, messages: list[Json]) -> tuple[Part, ...]:
    """The prompt in its order: the model that caches it, its tools, its messages."""
    head = Part(0, hashlib.blake2b(model.encode(), digest_size=16).digest())
    tooling = [counting.part(tools)] if tools else []
    return (head, *tooling, *(counting.part(message) for message in messages))


def _system_text(messages: list[Json]) -> str:
    found = [m for m in messages if m.get("role") in {"system", "developer"}]
    return "\n".join(text_of(message.get("content")) for message in found)


def _last_text(messages: list[Json]) -> str:
    user = (m for m in reversed(messages) if m["role"] in {"user", "developer", "system"})
    return text_of(next(user, {}).get("content"))


def _tool_result(messages: list[Json]) -> str | None:
    last = messages[-1]
    return text_of(last.get("content")) if last["role"] in {"tool", "function"} else None


def _tools(body: Json) -> tuple[Tool, ...]:
    tools = [tool.get(tool["type"]) for tool in body.get("tools") or ()]
    kinds = [tool["type"] for tool in body.get("tools") or ()]
    return tuple(
        Tool(tool["name"], tool.get("parameters") or {}, is_custom=kind == "custom")
        for tool, kind in zip(tools, kinds, strict=True)
        if isinstance(tool, dict) and "name" in tool
    )


def _tool_choice(value: Any) -> tuple[str, frozenset[str]]:
    """Whether a tool has to be called, and which ones come into question."""
    if isinstance(value, str):
        return ("required" if value in _REQUIRED else value), frozenset()
    if not isinstance(value, dict):
        return "auto", frozenset()
    allowed = value.get("allowed_tools")
    if isinstance(allowed, dict):
        names = [_name_of(tool) for tool in allowed.get("tools") or ()]
        return str(allowed.get("mode", "auto")), frozenset(filter(None, names))
    return "required", frozenset(filter(None, [_name_of(value)]))


def _name_of(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    inner = value.get(str(value.get("type")), value)
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""


def _schema(wanted: Any) -> Schema | None:
    """The shape that the answer has to have, None if it is free text."""
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return ANY_OBJECT
    if kind != "json_schema":
        return None
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else ANY_OBJECT


def _thinks(model: str, body: Json) -> bool:
    """By its family, unless thinking is switched off; any model if it is asked for."""
    settings = body.get("reasoning")
    settings = settings if isinstance(settings, dict) else {}
    effort = body.get("reasoning_effort") or settings.get("effort")
    if effort == "none" or settings.get("enabled") is False or body.get("disable_reasoning"):
        return False
    is_asked = bool(settings.get("enabled") or settings.get("effort") or settings.get("max_tokens"))
    return reasons(model) or is_asked or body.get("prompt_mode") == "reasoning"


def _shows_thoughts(body: Json) -> bool:
    settings = body.get("reasoning")
    if isinstance(settings, dict) and settings.get("exclude"):
        return False
    return body.get("include_reasoning") is not False and (
        body.get("reasoning_format") not in _HIDDEN
    )
