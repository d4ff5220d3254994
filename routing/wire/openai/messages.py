"""Turns of the neutral middle, written as messages for a provider."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from routing.conversation import (
    Audio,
    Block,
    CacheMark,
    Conversation,
    Document,
    HiddenThinking,
    Image,
    Json,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from routing.providers.spec import Quirks

DIALECT = "openai"
PICTURE_FOLLOWS = "[the image follows]"
_FORMATS = {"anthropic": "anthropic-claude-v1", "gemini": "google-gemini-v1"}


def write(conversation: Conversation, quirks: Quirks) -> list[Json]:
    messages: list[Json] = []
    if conversation.system:
        content = _content(conversation.system, quirks, join="\n\n")
        messages.append({"role": "system", "content": content})
    for turn in conversation.turns:
        messages += _WRITERS[turn.role](turn, quirks)
    return messages


def _system(turn: Turn, quirks: Quirks) -> Iterator[Json]:
    yield {"role": "system", "content": _content(turn.blocks, quirks, join="\n\n")}


def _user(turn: Turn, quirks: Quirks) -> Iterator[Json]:
    """Results of tools first, each a message; then what the user says, with the results' images."""
    results = [block for block in turn.blocks if isinstance(block, ToolResult)]
    said = [block for block in turn.blocks if not isinstance(block, ToolResult)]
    pictures = [b for result in results for b in result.content if not isinstance(b, Text)]
    for result in results:
        yield {"role": "tool", "tool_call_id": result.id, "content": _told(result)}
    if pictures or said:
        yield {"role": "user", "content": _content([*pictures, *said], quirks)}


def _told(result: ToolResult) -> str:
    """A result as text: that is all that every provider takes."""
    texts = [block.text if isinstance(block, Text) else PICTURE_FOLLOWS for block in result.content]
    told = "\n".join(texts)
    return f"Error: {told}" if result.is_error else told


def _assistant(turn: Turn, quirks: Quirks) -> Iterator[Json]:
    message: Json = {"role": "assistant"}
    said = [block for block in turn.blocks if isinstance(block, Text)]
    calls = [block for block in turn.blocks if isinstance(block, ToolCall)]
    refused = [block.text for block in turn.blocks if isinstance(block, Refusal)]
    message["content"] = _content(said, quirks) if said else None
    if refused and not said:
        message["content"] = "\n".join(refused)
    if calls:
        message["tool_calls"] = [_call(call) for call in calls]
    elif message["content"] is None:
        message["content"] = ""
    yield {**message, **_thoughts(turn.blocks, quirks)}


def _thoughts(blocks: Iterable[Block], quirks: Quirks) -> Json:
    """Thoughts of the history, where and as this provider takes them."""
    place = quirks.reasoning_in_history
    if place == "reasoning_details":
        details = [detail(block, index) for index, block in enumerate(blocks)]
        kept = [shown for shown in details if shown]
        return {place: kept} if kept else {}
    text = "".join(block.text for block in blocks if isinstance(block, Thinking))
    return {place: text} if place and text else {}


def detail(block: Block, index: int) -> Json | None:
    if isinstance(block, Thinking):
        shown: Json = {"type": "reasoning.text", "text": block.text, "index": index}
        if block.signature:
            shown["signature"] = block.signature
    elif isinstance(block, HiddenThinking):
        shown = {"type": "reasoning.encrypted", "data": block.data, "index": index}
    else:
        return None
    return {**shown, "format": format_of(block.signer)}


def format_of(signer: str) -> str:
    """Who signed, as `reasoning_details` name it."""
    return _FORMATS.get(signer, "unknown")


def _call(call: ToolCall) -> Json:
    arguments = call.arguments or "{}"
    if call.kind == "custom":  # offered as a function with one text
        arguments = msgspec.json.encode({"input": call.arguments}).decode()
    described = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": described}


def _content(blocks: Iterable[Block], quirks: Quirks, join: str = "") -> Any:
    """One text as it is; several things as parts. Texts that may be joined are one."""
    parts = [part for block in blocks if (part := _part(block, quirks))]
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    if join and all(part.keys() == {"type", "text"} for part in parts):
        return join.join(part["text"] for part in parts)
    return parts


def _part(block: Block, quirks: Quirks) -> Json | None:
    writer = _PARTS.get(type(block))
    part = writer(block) if writer else None
    mark: CacheMark = getattr(block, "cache", "")
    if part and mark and quirks.keeps_cache_marks:
        part["cache_control"] = {"type": "ephemeral", **({"ttl": "1h"} if mark == "1h" else {})}
    return part


def _text(block: Text) -> Json:
    return {"type": "text", "text": block.text}


def _image(block: Image) -> Json:
    url = block.url or f"data:{block.media_type or 'image/png'};base64,{block.data}"
    described = {"url": url, **({"detail": block.detail} if block.detail else {})}
    return {"type": "image_url", "image_url": described}


def _document(block: Document) -> Json:
    if block.text:
        title = f"{block.title}\n\n" if block.title else ""
        return {"type": "text", "text": f"{title}{block.text}"}
    if block.url:
        return {"type": "text", "text": f"{block.title or 'Document'}: {block.url}"}
    data = f"data:{block.media_type};base64,{block.data}"
    named = block.title or "document.pdf"
    return {"type": "file", "file": {"filename": named, "file_data": data}}


def _audio(block: Audio) -> Json:
    return {"type": "input_audio", "input_audio": {"data": block.data, "format": block.format}}


_PARTS: dict[type, Any] = {Text: _text, Image: _image, Document: _document, Audio: _audio}
_WRITERS = {"system": _system, "user": _user, "assistant": _assistant}
