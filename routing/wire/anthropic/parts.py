"""Blocks of the neutral middle, written as Anthropic's."""

import base64
import binascii
from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing.conversation import (
    Block,
    Document,
    HiddenThinking,
    Image,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)  # fmt: skip
from routing.wire.anthropic import names
from routing.wire.anthropic.blocks import SIGNER
from routing.wire.anthropic.fields import Json

_decode = msgspec.json.Decoder().decode

# The first characters of a file in base64; what callers declare is often wrong.
_MAGIC = {
    "iVBOR": "image/png",
    "/9j/": "image/jpeg",
    "R0lG": "image/gif",
    "UklGR": "image/webp",
}
_MARKS = {"5m": {"type": "ephemeral"}, "1h": {"type": "ephemeral", "ttl": "1h"}}
NO_RESULT = "No result was given."


def of_user(block: Block) -> Json | None:
    """A block of a user's turn; None for one that says nothing. Raises InvalidRequest."""
    if isinstance(block, Text):
        return _text(block.text, block.cache)
    if isinstance(block, Image):
        return _image(block)
    if isinstance(block, Document):
        return _document(block)
    if isinstance(block, Refusal):
        return _text(block.text)
    raise InvalidRequest(
        f"messages: Claude takes no {type(block).__name__.lower()} of a user."
        " Send a text or a transcript instead.",
        param="messages",
    )


def of_assistant(block: Block, call_id: str = "") -> Json | None:
    """A block of the assistant's; None for one that Anthropic would not take back.

    Thoughts that Anthropic did not sign are not sent: it refuses them.
    """
    if isinstance(block, Text | Refusal):
        return _text(block.text, getattr(block, "cache", ""))
    if isinstance(block, Thinking):
        if block.signer != SIGNER or not block.signature:
            return None
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    if isinstance(block, HiddenThinking):
        is_ours = block.signer == SIGNER
        return {"type": "redacted_thinking", "data": block.data} if is_ours else None
    if isinstance(block, ToolCall):
        return _tool_use(block, call_id)
    return _text(f"[{type(block).__name__.lower()}]")


def tool_result(result: ToolResult, call_id: str) -> Json:
    content = [part for part in map(of_user, result.content) if part]
    marks = [part.pop("cache_control") for part in content if "cache_control" in part]
    block: Json = {"type": "tool_result", "tool_use_id": call_id}
    if content:
        block["content"] = content
    if result.is_error:
        block["is_error"] = True
        block.setdefault("content", NO_RESULT)  # an error without a text is refused
    if marks:
        block["cache_control"] = marks[-1]
    return marked(block, result.cache)


def missing_result(call_id: str) -> Json:
    """Every call is answered in the next turn, or the request is refused."""
    return {
        "type": "tool_result", "tool_use_id": call_id, "content": NO_RESULT, "is_error": True,
    }  # fmt: skip


def marked(block: Json, cache: str) -> Json:
    if cache:
        block["cache_control"] = _MARKS[cache]
    return block


def _text(text: str, cache: str = "") -> Json | None:
    return marked({"type": "text", "text": text}, cache) if text.strip() else None


def arguments_of(call: ToolCall) -> Any:
    """A call's arguments as the object that Anthropic wants, byte-identical if they are one."""
    if call.kind == "custom":
        return {"input": call.arguments}
    if not call.arguments.strip():
        return {}
    try:
        value = _decode(call.arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"_raw": call.arguments}
    return msgspec.Raw(call.arguments.encode()) if isinstance(value, dict) else {"value": value}


def _tool_use(call: ToolCall, call_id: str) -> Json:
    block = {
        "type": "tool_use",
        "id": call_id,
        "name": names.to_wire(call.name, call.kind),
        "input": arguments_of(call),
    }
    return marked(block, call.cache)


def _image(image: Image) -> Json:
    if image.url:
        return marked({"type": "image", "source": _by_url(image.url)}, image.cache)
    found = (kind for magic, kind in _MAGIC.items() if image.data.startswith(magic))
    media_type = next(found, image.media_type.lower().replace("jpg", "jpeg"))
    if media_type not in _MAGIC.values():
        raise InvalidRequest(
            "messages: Claude takes images as PNG, JPEG, GIF or WebP.", param="messages"
        )
    source = {"type": "base64", "media_type": media_type, "data": image.data}
    return marked({"type": "image", "source": source}, image.cache)


def _by_url(url: str) -> Json:
    if not url.lower().startswith("https://"):
        raise InvalidRequest(
            "messages: Claude fetches files only from https:// addresses; send this one's bytes.",
            param="messages",
        )
    return {"type": "url", "url": url}


def _document(document: Document) -> Json:
    block: Json = {"type": "document", "source": _source(document)}
    if document.title:
        block["title"] = document.title
    return marked(block, document.cache)


def _source(document: Document) -> Json:
    if document.url:
        return _by_url(document.url)
    if document.text:
        return {"type": "text", "media_type": "text/plain", "data": document.text}
    if document.media_type == "application/pdf":
        return {"type": "base64", "media_type": "application/pdf", "data": document.data}
    try:
        text = base64.b64decode(document.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest(
            "messages: Claude takes documents as PDF or plain text.", param="messages"
        ) from None
    return {"type": "text", "media_type": "text/plain", "data": text}
