"""Estimates of a request's input tokens, where nobody counts them exactly. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec

from routing import tokens
from routing.wire.anthropic.fields import Json

CHARACTERS_PER_TOKEN = 3.5
TOKENS_PER_MESSAGE = 4
FILE_TOKENS = tokens.IMAGE_TOKENS
BYTES_PER_FILE = 200_000  # of base64; a longer document is counted as several

_encode = msgspec.json.Encoder().encode
# What a block says about itself and not to the model.
_SILENT = frozenset({"type", "cache_control", "signature", "id", "tool_use_id", "citations"})


def of_body(raw: bytes, body: Json) -> int:
    """Input tokens by the size of a body, with inline files counted as files."""
    estimate = tokens.of_body(raw)
    if b'"base64"' not in raw:
        return estimate
    sizes = list(_inline_files(body.get("messages")))
    return max(1, estimate - int(sum(sizes) / tokens.BYTES_PER_TOKEN)) + _of_files(sizes)


def of_request(body: Json) -> int:
    """Input tokens by the texts of a request: what `count_tokens` answers where nobody counts."""
    messages = body.get("messages")
    count = len(messages) if isinstance(messages, list) else 0
    written = _characters(body.get("system")) + _characters(messages)
    if body.get("tools"):
        written += len(_encode(body["tools"]).decode())
    files = _of_files(list(_inline_files(messages)))
    return int(written / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE * count + files + 1


def _of_files(sizes: list[int]) -> int:
    return sum(FILE_TOKENS * (1 + size // BYTES_PER_FILE) for size in sizes)


def _characters(value: Any) -> int:
    """Characters of all that the model reads in a value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    if not isinstance(value, dict):
        return 0
    if value.get("type") == "tool_use":
        return len(str(value.get("name"))) + len(_encode(value.get("input")).decode())
    if value.get("type") == "base64" and "media_type" in value:
        return 0
    return sum(_characters(inner) for key, inner in value.items() if key not in _SILENT)


def _inline_files(value: Any) -> Iterator[int]:
    """The length of each file in base64 that stands in messages, results of tools included."""
    for message in value if isinstance(value, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            if not isinstance(block, dict):
                continue
            source = block.get("source")
            if isinstance(source, dict) and source.get("type") == "base64":
                yield len(source["data"]) if isinstance(source.get("data"), str) else 0
            elif block.get("type") == "tool_result":
                yield from _inline_files([block])
