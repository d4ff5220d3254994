"""JSON Schemas as `parametersJsonSchema` and `responseJsonSchema` take them.

Gemini knows a part of JSON Schema (ai.google.dev, GenerationConfig, read 2026-11-20) and answers
400 to some of the rest: `$schema`, and anything beside a `$ref`. What cannot be said as a rule is
said in the description, so that the model still reads it. Pure.
"""

from collections.abc import Callable
from typing import Any

from routing.conversation import Json

_DROPPED = frozenset({
    "$schema", "title", "discriminator", "examples", "strict", "exclusiveMinimum",
    "exclusiveMaximum",
})  # fmt: skip
_FORMATS = frozenset({"date-time", "date", "time"})
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


def fitted(schema: Json) -> Json:
    """The schema without what Gemini refuses; the caller's own object is left as it is."""
    if "$ref" in schema:
        return {k: _reference(v) for k, v in schema.items() if k.startswith("$") and k != "$schema"}
    found: Json = {}
    hints = []
    for name, value in schema.items():
        if name in _DROPPED:
            if name.startswith("exclusive"):
                hints.append(f"{_WORDS[name]} {value}")
        elif name == "const":
            found["enum"] = [value]
            found.setdefault("type", schema.get("type") or _TYPES.get(type(value), "string"))
        elif name == "format" and not (isinstance(value, str) and value in _FORMATS):
            hints.append(f"format: {value}")
        elif name in _HOLDERS:
            found["$defs" if name == "definitions" else name] = _HOLDERS[name](value)
        else:
            found[name] = value
    if hints:
        told = found.get("description")
        found["description"] = f"{told} ({'; '.join(hints)})" if told else "; ".join(hints)
    return found


_WORDS = {"exclusiveMinimum": "more than", "exclusiveMaximum": "less than"}


def _reference(value: Any) -> Any:
    return value.replace("#/definitions/", "#/$defs/", 1) if isinstance(value, str) else value


def _one(value: Any) -> Any:
    return fitted(value) if isinstance(value, dict) else value


def _listed(value: Any) -> Any:
    return [_one(inner) for inner in value] if isinstance(value, list) else _one(value)


def _named(value: Any) -> Any:
    return {k: _one(v) for k, v in value.items()} if isinstance(value, dict) else value


# Where schemas stand inside a schema. A property that is called `title` is none of these words.
_HOLDERS: dict[str, Callable[[Any], Any]] = {
    "properties": _named, "$defs": _named, "definitions": _named, "patternProperties": _named,
    "items": _listed, "prefixItems": _listed, "anyOf": _listed, "oneOf": _listed,
    "allOf": _listed, "additionalProperties": _one, "not": _one,
}  # fmt: skip
