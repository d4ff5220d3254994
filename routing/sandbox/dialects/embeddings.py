"""Embeddings in OpenAI's shape: the same text has the same vector."""

import base64
import hashlib
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from routing.sandbox.answers import Answer, Spent, Whole
from routing.sandbox.dialects import shapes
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Endpoint, Exchange, Json
from routing.sandbox.writing.counting import weight

MOST_DIMENSIONS = 4096

# Sizes of vectors by model, from the vendors' pages (2026-11); others have the profile's own.
_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "mistral-embed": 1024,
    "codestral-embed": 1536,
    "gemini-embedding-001": 3072,
    "nomic-embed-text-v1_5": 768,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingManner:
    """What differs from OpenAI."""

    dimensions_field: str = "dimensions"
    fields: frozenset[str] | None = None  # the parameters there are; None: others are ignored
    usual_dimensions: int = 1024
    usage: Callable[[int], Json] = lambda tokens: {"prompt_tokens": tokens, "total_tokens": tokens}
    top: Callable[[Exchange], Json] = lambda _: {}


def endpoint(manner: EmbeddingManner) -> Endpoint:
    """`POST …/embeddings` of a provider."""

    def answer(exchange: Exchange) -> Answer:
        body = shapes.body_of(exchange)
        texts = _check(exchange, body, manner)
        model = shapes.known_model(exchange, body["model"])
        size = body.get(manner.dimensions_field) or dimensions(model, manner.usual_dimensions)
        encode = _as_base64 if body.get("encoding_format") == "base64" else list
        tokens = sum(tokens_in(text) for text in texts)
        vectors = [] if exchange.is_empty else [vector(text, size) for text in texts]
        content = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": encode(values)}
                for index, values in enumerate(vectors)
            ],
            "model": model,
            "usage": manner.usage(tokens),
            **manner.top(exchange),
        }
        return Whole(body=msgspec.json.encode(content), spent=Spent(model, tokens))

    return Endpoint(answer=answer)


def _check(exchange: Exchange, body: Json, manner: EmbeddingManner) -> list[Any]:
    """The inputs, as a list. Raises Refused."""
    shapes.require(exchange, body, "model", "input")
    if manner.fields is not None:
        shapes.only(exchange, body, manner.fields)
    allowed = {
        "model": shapes.TEXT,
        "input": shapes.TEXT_OR_LIST,
        "encoding_format": shapes.one_of("float", "base64"),
        manner.dimensions_field: shapes.whole(1, MOST_DIMENSIONS),
    }
    shapes.check(exchange, body, allowed)
    given = body["input"]
    if not given:
        raise exchange.refuse(Cause.INVALID, "input", reason="expected at least one input")
    if isinstance(given, str) or all(isinstance(one, int) for one in given):
        return [given]
    if not all(isinstance(one, str | list) and one for one in given):
        raise exchange.refuse(Cause.INVALID, "input", reason="expected strings or token arrays")
    return list(given)


def dimensions(model: str, usual: int) -> int:
    return _DIMENSIONS.get(model.rpartition("/")[2], usual)


def tokens_in(text: Any) -> int:
    """Tokens of an input: a text, or a list of token ids."""
    return len(text) if isinstance(text, list) else max(1, -(-weight(text).text // 4))


def vector(text: Any, size: int) -> tuple[float, ...]:
    """A unit vector made from the text's digest."""
    seed = msgspec.json.encode(text)
    raw = struct.unpack(f"<{size}h", hashlib.shake_256(seed).digest(2 * size))
    length = math.sqrt(sum(number * number for number in raw)) or 1.0
    return tuple(round(number / length, 8) for number in raw)


def _as_base64(values: Sequence[float]) -> str:
    """Little-endian float32, as OpenAI packs them."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
