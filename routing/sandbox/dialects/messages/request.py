"""A Messages request, read into what it asks for."""

import hashlib
from collections.abc import Iterator
from typing import Any

from routing.sandbox.dialects import shapes
from routing.sandbox.dialects.messages import refusals
from routing.sandbox.dialects.messages.turns import blocks_of
from routing.sandbox.memory import Part
from routing.sandbox.profile import Exchange, Json
from routing.sandbox.writing import counting
from routing.sandbox.writing.ask import ANY_OBJECT, Ask, Tool, text_of
from routing.sandbox.writing.specimens import Schema

_CHOICES = {"any": "required", "tool": "required", "none": "none"}


def read(exchange: Exchange, *, counts_only: bool = False) -> Ask:
    """What is asked for. Raises Refused for what Anthropic would not take."""
    body = shapes.body_of(exchange)
    refusals.check(exchange, body, counts_only=counts_only)
    model = shapes.known_model(exchange, body["model"])
    choice = body.get("tool_choice") or {}
    thinking = body.get("thinking") or {}
    last = blocks_of(body["messages"][-1])
    return Ask(
        model=model,
        parts=tuple(_parts(model, body)),
        media_tokens=counting.media_tokens(body["messages"]),
        user_text=_last_text(body["messages"]),
        system_text=text_of(body.get("system")),
        tool_result=_tool_result(last),
        tools=_tools(body),
        tool_choice=_CHOICES.get(str(choice.get("type")), "auto"),
        named_tools=frozenset(filter(None, [choice.get("name")])),
        is_parallel=not choice.get("disable_parallel_tool_use"),
        schema=_schema(body),
        max_tokens=body.get("max_tokens"),
        stops=tuple(body.get("stop_sequences") or ()),
        thinks=thinking.get("type") not in {None, "disabled"},
        shows_thoughts=thinking.get("display") != "omitted",
        stream=bool(body.get("stream")),
    )


def _parts(model: str, body: Json) -> Iterator[Part]:
    """The prompt in the order in which it is cached: tools, system, messages block by block."""
    yield Part(0, hashlib.blake2b(model.encode(), digest_size=16).digest())
    blocks = [*(body.get("tools") or ()), *_system(body)]
    for message in body["messages"]:
        blocks += [{"type": "role", "role": message["role"]}, *blocks_of(message)]
    parts = [counting.part(block, _mark(block)) for block in blocks]
    if isinstance(body.get("cache_control"), dict) and parts:  # marks the end of it all
        parts[-1] = parts[-1]._replace(mark=_mark(body))
    yield from parts


def _system(body: Json) -> list[Any]:
    system = body.get("system")
    return [{"type": "text", "text": system}] if isinstance(system, str) else list(system or ())


def _mark(block: Any) -> str:
    control = block.get("cache_control") if isinstance(block, dict) else None
    return str(control.get("ttl") or "5m") if isinstance(control, dict) else ""


def _last_text(messages: list[Json]) -> str:
    """The user's own words: the last text of the last turn that has one."""
    for message in reversed(messages):
        texts = [b["text"] for b in blocks_of(message) if b.get("type") == "text"]
        if message["role"] == "user" and texts:
            return str(texts[-1])
    return ""


def _tool_result(blocks: list[Json]) -> str | None:
    """What the tools said, if the conversation ends with that (and perhaps a text after it)."""
    results = [block for block in blocks if block.get("type") == "tool_result"]
    if not results:
        return None
    return " ".join(text_of(result.get("content")) for result in results)


def _tools(body: Json) -> tuple[Tool, ...]:
    tools = [tool for tool in body.get("tools") or () if tool.get("type", "custom") == "custom"]
    return tuple(Tool(tool["name"], tool["input_schema"]) for tool in tools)


def _schema(body: Json) -> Schema | None:
    """`output_config.format`, or the older `output_format`."""
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        return None
    schema = wanted.get("schema")
    return schema if isinstance(schema, dict) else ANY_OBJECT
