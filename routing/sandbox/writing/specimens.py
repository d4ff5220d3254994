"""A JSON value that is valid for a schema. Pure, and the same every time."""

import math
import sys
from collections.abc import Callable
from typing import Any, Final

Schema = dict[str, Any]

DEEPEST: Final = 8  # below, only what is required is written

_FORMATS: Final = {
    "date": "2026-01-15",
    "time": "12:30:00Z",
    "date-time": "2026-01-15T12:30:00Z",
    "duration": "PT5M",
    "email": "sandbox@example.com",
    "idn-email": "sandbox@example.com",
    "hostname": "sandbox.example.com",
    "uri": "https://example.com/sandbox",
    "uri-reference": "/sandbox",
    "iri": "https://example.com/sandbox",
    "uuid": "6f1c0d7e-0000-4000-8000-5a4db0c5a4db",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


class Specimen:
    """Writes values for the parts of one schema; `variant` makes two of them differ."""

    def __init__(self, root: Schema, variant: int = 0) -> None:
        self._root, self._variant = root, variant

    def write(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        """The value for a part of the schema; `name` is the property that it is for."""
        if not isinstance(schema, dict):
            return f"sandbox {name}".strip()
        schema = self._resolved(schema, depth)
        if "const" in schema:
            return schema["const"]
        choices = schema.get("enum")
        if isinstance(choices, list) and choices:
            return choices[self._variant % len(choices)]
        return _WRITERS[_type_of(schema)](self, schema, name, depth)

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        """The schema with references followed, the first of its choices taken, its parts merged."""
        for _ in range(32):
            if isinstance(schema.get("$ref"), str):
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self._referred(schema["$ref"]), **rest}
            elif isinstance(schema.get("allOf"), list):
                schema = self._merged(schema, schema["allOf"], depth)
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                chosen = choices[-1] if depth > DEEPEST else choices[0]
                rest = {k: v for k, v in schema.items() if k not in {"anyOf", "oneOf"}}
                schema = {**rest, **(chosen if isinstance(chosen, dict) else {})}
            else:
                break
        return schema

    def _referred(self, reference: str) -> Schema:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            found = found.get(key, {}) if isinstance(found, dict) and key else found
        return found if isinstance(found, dict) else {}

    def _merged(self, schema: Schema, parts: list[Any], depth: int) -> Schema:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for part in parts:
            whole = self._resolved(part, depth) if isinstance(part, dict) else {}
            for key, value in whole.items():
                if key == "properties":
                    merged[key] = {**value, **merged.get(key, {})}
                elif key == "required":
                    merged[key] = [*value, *merged.get(key, [])]
                else:
                    merged.setdefault(key, value)
        return merged

    def object(self, schema: Schema, _: str, depth: int) -> Any:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        required = [name for name in schema.get("required") or [] if isinstance(name, str)]
        names = [*properties, *(name for name in required if name not in properties)]
        if depth >= DEEPEST:
            names = [name for name in names if name in required]
        extra = schema.get("additionalProperties")
        wanted = schema.get("minProperties", 0)
        names += [f"sandbox_{index}" for index in range(len(names), wanted)]
        return {name: self.write(properties.get(name, extra), name, depth + 1) for name in names}

    def array(self, schema: Schema, name: str, depth: int) -> Any:
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        least, most = schema.get("minItems", 0), schema.get("maxItems", sys.maxsize)
        usual = 0 if depth >= DEEPEST else 1
        items = schema.get("items", {})
        if items is False:
            usual = least = 0
        values = [self.write(part, name, depth + 1) for part in first]
        for index in range(len(values), min(max(least, len(first) or usual), most)):
            other = Specimen(self._root, self._variant + index)
            values.append(other.write(items, name, depth + 1))
        return values

    def text(self, schema: Schema, name: str, _: int) -> str:
        text = _FORMATS.get(str(schema.get("format")), f"sandbox {name}".strip())
        if self._variant and "format" not in schema:
            text += f" {self._variant + 1}"
        least, most = schema.get("minLength", 0), schema.get("maxLength", sys.maxsize)
        return text.ljust(least, "x")[:most]

    def number(self, schema: Schema, _name: str, _depth: int) -> float | int:
        low, high = _bounds(schema, 0.5)
        step = schema.get("multipleOf")
        value = min(max(1.5 + self._variant, low), high)
        if isinstance(step, int | float) and step > 0:
            value = math.ceil(value / step) * step
            value = value - step if value > high else value
        return value

    def integer(self, schema: Schema, _name: str, _depth: int) -> int:
        low, high = _bounds(schema, 1)
        value = min(max(1 + self._variant, math.ceil(low)), math.floor(high))
        step = schema.get("multipleOf")
        if isinstance(step, int) and step > 0:
            value = math.ceil(value / step) * step
        return value

    def flag(self, _schema: Schema, _name: str, _depth: int) -> bool:
        return self._variant % 2 == 0

    def nothing(self, _schema: Schema, _name: str, _depth: int) -> None:
        return None


def of(schema: Schema, variant: int = 0) -> Any:
    """A value for a whole schema."""
    return Specimen(schema, variant).write(schema)


def _bounds(schema: Schema, step: float) -> tuple[float, float]:
    """The least and the greatest number allowed, exclusive bounds moved inwards by a step."""
    low, high = schema.get("minimum", -sys.maxsize), schema.get("maximum", sys.maxsize)
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if isinstance(above, int | float) and not isinstance(above, bool):
        low = max(low, above + step)
    if isinstance(below, int | float) and not isinstance(below, bool):
        high = min(high, below - step)
    return low, high


def _type_of(schema: Schema) -> str:
    """The type to write. Gemini spells them in capitals; of several the first that is not null."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str) and kind.lower() in _WRITERS:
        return kind.lower()
    if "properties" in schema or "required" in schema or "additionalProperties" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


_WRITERS: Final[dict[str, Callable[[Specimen, Schema, str, int], Any]]] = {
    "object": Specimen.object,
    "array": Specimen.array,
    "string": Specimen.text,
    "number": Specimen.number,
    "integer": Specimen.integer,
    "boolean": Specimen.flag,
    "null": Specimen.nothing,
}
