"""JSON Schemas as Anthropic's structured outputs take them. Pure.

Limits that cannot be kept there are told to the model in the description
(platform.claude.com/docs/en/build-with-claude/structured-outputs, read 2026-11-20; the official
SDK's `transform_schema` does the same).
"""

from typing import Any

import msgspec

from routing.wire.anthropic.fields import Json

_encode = msgspec.json.Encoder().encode

_REFUSED = frozenset(
    {
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
        "maxLength", "maxItems", "uniqueItems", "contains", "minContains", "maxContains",
        "prefixItems", "additionalItems", "minProperties", "maxProperties", "patternProperties",
        "propertyNames", "dependencies", "dependentRequired", "dependentSchemas",
        "unevaluatedItems", "unevaluatedProperties", "if", "then", "else", "not",
    }
)  # fmt: skip
_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_MAPS = frozenset({"properties", "$defs", "definitions"})
_LISTS = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_SILENT = frozenset({"$schema", "$id", "$comment", "nullable"})


def cleaned(schema: Json) -> tuple[Json, bool]:
    """The schema without what Anthropic refuses, and whether a limit of it was lost."""
    lost: list[str] = []
    return _clean(schema, lost), bool(lost)


def of_object(schema: Json) -> tuple[Json, bool]:
    """A tool's schema with an object at its root, and whether it had to be changed in meaning.

    Anthropic refuses `anyOf`, `oneOf` and `allOf` at the root; their fields are joined.
    """
    joined = [name for name in _LISTS if isinstance(schema.get(name), list)]
    properties = _fields(schema)
    if not joined:
        if schema.get("type") == "object":
            return schema, False
        return {**schema, "type": "object", "properties": properties}, False
    required = _names(schema)
    for name in joined:
        variants = [variant for variant in schema[name] if isinstance(variant, dict)]
        for variant in variants:
            properties |= _fields(variant)
        asked = [_names(variant) for variant in variants]
        if asked:
            required |= set.union(*asked) if name == "allOf" else set.intersection(*asked)
    kept = {key: value for key, value in schema.items() if key not in _LISTS}
    kept |= {"type": "object", "properties": properties, "required": sorted(required)}
    return kept, True


def _fields(schema: Json) -> Json:
    found = schema.get("properties")
    return dict(found) if isinstance(found, dict) else {}


def _names(schema: Json) -> set[str]:
    found = schema.get("required")
    return {name for name in found if isinstance(name, str)} if isinstance(found, list) else set()


def _clean(schema: Any, lost: list[str]) -> Any:
    if not isinstance(schema, dict):
        return {} if schema is True else schema
    kept: Json = {}
    told: list[str] = []
    for key, value in schema.items():
        if key in _SILENT:
            continue
        if _is_refused(key, value):
            told.append(f"{key}: {_encode(value).decode()}")
        elif key in _MAPS and isinstance(value, dict):
            kept[key] = {name: _clean(inner, lost) for name, inner in value.items()}
        elif key in _LISTS and isinstance(value, list):
            kept[_LISTS[key]] = [_clean(inner, lost) for inner in value]
        else:
            kept[key] = _clean(value, lost) if key == "items" else value
    _close_object(schema, kept, told)
    if told:
        lost += told
        described = (schema.get("description"), "{" + ", ".join(told) + "}")
        kept["description"] = "\n\n".join(part for part in described if isinstance(part, str))
    return kept


def _is_refused(key: str, value: Any) -> bool:
    if key == "minItems":
        return value not in (0, 1)
    if key == "format":
        return not isinstance(value, str) or value not in _FORMATS
    if key == "$ref":  # of another document: nothing to look it up in
        return not (isinstance(value, str) and value.startswith("#"))
    return key in _REFUSED


def _close_object(schema: Json, kept: Json, told: list[str]) -> None:
    """Every object names its fields, and has no others."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "object" not in kinds and "properties" not in kept:
        return
    open_to = schema.get("additionalProperties")
    if isinstance(open_to, dict) and open_to:
        told.append(f"additionalProperties: {_encode(open_to).decode()}")
    kept["additionalProperties"] = False
