"""The pure parts: tokens, and values that are valid for schemas."""

from typing import Any

import jsonschema
import pytest

from routing.sandbox.writing import counting, specimens


@pytest.mark.parametrize("text", ["", "a", "abcd", "abcde", "Grüße", "東京 🎉🎉", "é" * 9])
def test_pieces_are_whole_characters_of_at_most_four_bytes(text: str) -> None:
    found = counting.pieces(text)

    assert "".join(found) == text
    assert all(0 < len(piece.encode()) <= 4 for piece in found)


def test_plain_text_has_a_token_per_four_bytes() -> None:
    assert [counting.tokens_of("x" * size) for size in (0, 1, 4, 5, 400)] == [0, 1, 1, 2, 100]


def test_cache_marks_and_media_do_not_change_a_prompts_digest_or_weigh_as_text() -> None:
    plain = {"type": "text", "text": "a"}
    marked = {**plain, "cache_control": {"type": "ephemeral"}}
    picture = {"type": "image_url", "image_url": {"url": "data:" + "A" * 100_000}}

    assert counting.part(plain)[:2] == counting.part(marked)[:2]
    assert counting.part(picture).tokens == 765


SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]},
    {"type": ["string", "null"]},
    {"type": ["null", "integer"]},
    {"const": {"x": 1}},
    {"enum": [3, 4]},
    {"type": "string", "minLength": 30},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "uuid"},
    {"type": "integer", "minimum": 7, "multipleOf": 5},
    {"type": "integer", "exclusiveMaximum": 0},
    {"type": "number", "exclusiveMinimum": 3, "maximum": 4},
    {"type": "number", "multipleOf": 0.25},
    {"type": "boolean"},
    {"type": "null"},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "items": {"type": "integer"}, "maxItems": 0},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
    {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    {"oneOf": [{"type": "object", "required": ["k"]}, {"type": "string"}]},
    {"allOf": [{"properties": {"a": {"type": "integer"}}}, {"required": ["a"]}], "type": "object"},
    {"$ref": "#/$defs/x", "$defs": {"x": {"type": "array", "items": {"$ref": "#/$defs/y"}},
                                    "y": {"type": "boolean"}}},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["value", "children", "next"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
]  # fmt: skip


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("variant", [0, 1])
def test_a_specimen_is_valid_for_its_schema(schema: dict[str, Any], variant: int) -> None:
    jsonschema.validate(specimens.of(schema, variant), schema)


def test_geminis_types_in_capitals_are_understood() -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}

    assert specimens.of(schema) == {"a": 1}


def test_a_schema_that_never_ends_is_given_up() -> None:
    schema = {"$defs": {"x": {"$ref": "#/$defs/x"}}, "$ref": "#/$defs/x"}

    assert isinstance(specimens.of(schema), str)
