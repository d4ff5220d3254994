"""OpenAI's published schemas, read as their vendor reads them: optional fields may be null."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tests.routing.sandbox.speaking import Json

SCHEMAS = Path(__file__).parents[2] / "fixtures" / "specs" / "openai_schemas.json"


@cache
def definitions() -> Json:
    definitions: Json = json.loads(SCHEMAS.read_text())["$defs"]
    return {name: _with_nulls(schema) for name, schema in definitions.items()}


def _with_nulls(schema: Any) -> Any:
    """The schema, with null allowed for every property that is not required."""
    if isinstance(schema, list):
        return [_with_nulls(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    read = {name: _with_nulls(part) for name, part in schema.items()}
    properties, required = read.get("properties"), schema.get("required", [])
    if isinstance(properties, dict):
        read["properties"] = {
            name: part if name in required else {"anyOf": [part, {"type": "null"}]}
            for name, part in properties.items()
        }
    return read


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions()})


def validate(name: str, value: Json) -> None:
    """Raises jsonschema.ValidationError for what is none of these."""
    _validator(name).validate(value)
