"""Gemini's own embeddings: one content, or a batch of them."""

from typing import Any

import msgspec

from routing.sandbox.answers import Answer, Spent, Whole
from routing.sandbox.dialects import embeddings, shapes
from routing.sandbox.dialects.generate import fields
from routing.sandbox.dialects.generate.request import texts_of
from routing.sandbox.names import listed
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json

_FIELDS = listed("model content taskType title outputDimensionality embedContentConfig")
_USUAL = 3072


def one(exchange: Exchange) -> Answer:
    """`:embedContent`"""
    values, tokens = _values(exchange, shapes.body_of(exchange))
    content = {"embedding": {"values": values}, "usageMetadata": {"promptTokenCount": tokens}}
    return _answer(exchange, content, tokens)


def batch(exchange: Exchange) -> Answer:
    """`:batchEmbedContents`"""
    body = fields.read(exchange, shapes.body_of(exchange), frozenset({"requests"}))
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        raise exchange.refuse(Cause.MISSING, "requests")
    found = [_values(exchange, request) for request in requests]
    shown = [] if exchange.is_empty else [{"values": values} for values, _ in found]
    tokens = sum(count for _, count in found)
    content = {"embeddings": shown, "usageMetadata": {"promptTokenCount": tokens}}
    return _answer(exchange, content, tokens)


def _values(exchange: Exchange, request: Any) -> tuple[list[float], int]:
    body = fields.read(exchange, request, _FIELDS, "requests")
    shapes.check(exchange, body, {"outputDimensionality": shapes.whole(1, _USUAL)}, "requests")
    text = texts_of(body.get("content"))
    if not text:
        raise exchange.refuse(Cause.MISSING, "content")
    usual = embeddings.dimensions(exchange.name, _USUAL)
    size = body.get("outputDimensionality") or usual
    return list(embeddings.vector(text, size)), embeddings.tokens_in(text)


def _answer(exchange: Exchange, content: Json, tokens: int) -> Answer:
    spent = Spent(exchange.name, tokens)
    return Whole(body=msgspec.json.encode(content), spent=spent)
