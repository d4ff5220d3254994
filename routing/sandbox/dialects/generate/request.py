"""A generateContent request, read into what it asks for."""

import hashlib
from typing import Any

from routing.sandbox.dialects import shapes
from routing.sandbox.dialects.generate import contents, fields
from routing.sandbox.memory import Part
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json
from routing.sandbox.writing import counting
from routing.sandbox.writing.ask import ANY_OBJECT, Ask, Tool, reasons, text_of
from routing.sandbox.writing.specimens import Schema

_MODES = {"ANY": "required", "NONE": "none"}

_CONFIG_SHAPES = {
    "stopSequences": shapes.TEXTS,
    "candidateCount": shapes.whole(1, 8),
    "maxOutputTokens": shapes.whole(1),
    "temperature": shapes.number(0, 2),
    "topP": shapes.number(0, 1),
    "topK": shapes.whole(1),
    "seed": shapes.INTEGER,
    "responseMimeType": shapes.TEXT,
    "responseSchema": shapes.OBJECT,
    "responseJsonSchema": shapes.OBJECT,
}


def read(exchange: Exchange, *, stream: bool) -> Ask:
    """What is asked for. Raises Refused for what Gemini would not take."""
    model = shapes.known_model(exchange, exchange.name)
    body = fields.read(exchange, shapes.body_of(exchange), fields.REQUEST)
    config = fields.read(
        exchange, body.get("generationConfig") or {}, fields.CONFIG, "generation_config"
    )
    shapes.check(exchange, config, _CONFIG_SHAPES, "generation_config")
    turns = contents.read(exchange, body.get("contents"), model)
    thinking = fields.read(
        exchange, config.get("thinkingConfig") or {}, fields.THINKING, "thinking_config"
    )
    choice, named = _tool_choice(body.get("toolConfig"))
    return Ask(
        model=model,
        parts=_parts(model, body, turns),
        media_tokens=counting.media_tokens(turns),
        user_text=contents.last_text(turns),
        tool_result=contents.tool_result(turns),
        tools=_tools(exchange, body.get("tools")),
        tool_choice=choice,
        named_tools=named,
        schema=_schema(config),
        max_tokens=config.get("maxOutputTokens"),
        stops=tuple(config.get("stopSequences") or ()),
        count=config.get("candidateCount") or 1,
        thinks=reasons(model) and thinking.get("thinkingBudget") != 0,
        shows_thoughts=bool(thinking.get("includeThoughts")),
        stream=stream,
    )


def _parts(model: str, body: Json, turns: list[Json]) -> tuple[Part, ...]:
    head = Part(0, hashlib.blake2b(model.encode(), digest_size=16).digest())
    before = [body[name] for name in ("tools", "systemInstruction") if body.get(name)]
    return (head, *(counting.part(value) for value in [*before, *turns]))


def _tools(exchange: Exchange, tools: Any) -> tuple[Tool, ...]:
    found = []
    for index, tool in enumerate(tools or ()):
        if not isinstance(tool, dict):
            raise exchange.refuse(Cause.INVALID, "tools", index, reason="expected an object")
        named = {fields.camel(name): inner for name, inner in tool.items()}
        for number, one in enumerate(named.get("functionDeclarations") or ()):
            if not isinstance(one, dict) or not one.get("name"):
                place = ("tools", index, "function_declarations", number, "name")
                raise exchange.refuse(Cause.MISSING, *place)
            declared = {fields.camel(name): inner for name, inner in one.items()}
            schema = declared.get("parametersJsonSchema") or declared.get("parameters")
            found.append(Tool(declared["name"], schema or {}))
    return tuple(found)


def _tool_choice(config: Any) -> tuple[str, frozenset[str]]:
    calling = _inner(_inner(config, "functionCallingConfig"), "")
    names = calling.get("allowedFunctionNames")
    chosen = frozenset(names) if isinstance(names, list) else frozenset()
    return _MODES.get(str(calling.get("mode", "AUTO")).upper(), "auto"), chosen


def _inner(value: Any, name: str) -> Json:
    """The object under a name (under none: the object itself), its names in camel case."""
    named = {fields.camel(k): v for k, v in value.items()} if isinstance(value, dict) else {}
    if not name:
        return named
    inner = named.get(name)
    return inner if isinstance(inner, dict) else {}


def _schema(config: Json) -> Schema | None:
    if config.get("responseMimeType") != "application/json":
        return None
    return config.get("responseJsonSchema") or config.get("responseSchema") or ANY_OBJECT


def texts_of(content: Any) -> str:
    """The text of an embedding's content."""
    parts = content.get("parts") if isinstance(content, dict) else None
    return text_of(parts)
