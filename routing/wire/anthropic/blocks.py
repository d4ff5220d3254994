"""A caller's content blocks, read into the neutral middle."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from routing.conversation import (
    Block,
    CacheMark,
    Document,
    HiddenThinking,
    Image,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)  # fmt: skip
from routing.wire.anthropic.fields import Json, refused

SIGNER = "anthropic"

_encode = msgspec.json.Encoder().encode
_STORED = "names a file in Anthropic's storage; send its bytes or its URL for other providers"


def of_content(content: Any, place: str, lost: list[str]) -> Iterator[Block]:
    """The blocks of a message; what has no counterpart is named in `lost`. Raises InvalidRequest.

    Empty texts are dropped: clients send them, and half of the providers refuse them.
    """
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise refused("messages", f"{place}.content must be a text or a list of blocks")
    for number, block in enumerate(content):
        where = f"{place}.content.{number}"
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise refused("messages", f"{where} must be an object with a type")
        reader = _READERS.get(block["type"])
        if reader:
            yield from reader(block, where, lost)
        else:  # blocks of Anthropic's own tools, and what is newer than this code
            lost.append("messages")


def cache_of(block: Json) -> CacheMark:
    """The cache mark of a block."""
    control = block.get("cache_control")
    if not isinstance(control, dict):
        return ""
    return "1h" if control.get("ttl") == "1h" else "5m"


def text_of(block: Json, place: str, name: str = "text") -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise refused("messages", f"{place}.{name} must be a text")
    return value


def _text(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    text = text_of(block, place)
    if block.get("citations"):
        lost.append("citations")
    if text:
        yield Text(text, cache_of(block))


def _source(block: Json, place: str) -> Json:
    source = block.get("source")
    if not isinstance(source, dict) or not isinstance(source.get("type"), str):
        raise refused("messages", f"{place}.source must be an object with a type")
    if source["type"] == "file":
        raise refused("messages", f"{place} {_STORED}")
    return source


def _image(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    source, cache = _source(block, place), cache_of(block)
    if source["type"] == "base64":
        media_type, data = (text_of(source, place, name) for name in ("media_type", "data"))
        yield Image(media_type=media_type, data=data, cache=cache)
    elif source["type"] == "url":
        yield Image(url=text_of(source, place, "url"), cache=cache)
    else:
        raise refused("messages", f"{place}.source.type must be base64 or url")


def _document(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    source, cache = _source(block, place), cache_of(block)
    context, title = block.get("context"), block.get("title")
    named = title if isinstance(title, str) else ""
    if isinstance(context, str) and context:
        yield Text(context)
    if isinstance(block.get("citations"), dict) and block["citations"].get("enabled"):
        lost.append("citations")
    if source["type"] == "base64":
        data = text_of(source, place, "data")
        media_type = text_of(source, place, "media_type")
        yield Document(media_type=media_type, data=data, title=named, cache=cache)
    elif source["type"] == "url":
        yield Document(url=text_of(source, place, "url"), title=named, cache=cache)
    elif source["type"] == "text":
        text = text_of(source, place, "data")
        yield Document(media_type="text/plain", text=text, title=named, cache=cache)
    elif source["type"] == "content":
        if named:
            yield Text(named)
        yield from of_content(source.get("content"), place, lost)
    else:
        raise refused("messages", f"{place}.source.type must be base64, url, text or content")


def _search_result(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    parts = [block.get("title"), block.get("source")]
    found = of_content(block.get("content") or [], place, lost)
    parts += [inner.text for inner in found if isinstance(inner, Text)]
    text = "\n".join(part for part in parts if isinstance(part, str) and part)
    if text:
        yield Text(text, cache_of(block))


def _tool_use(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    arguments = block.get("input")
    if not isinstance(arguments, dict):
        raise refused("messages", f"{place}.input must be an object")
    yield ToolCall(
        id=text_of(block, place, "id"),
        name=text_of(block, place, "name"),
        arguments=_encode(arguments).decode(),
        cache=cache_of(block),
    )


def _tool_result(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    content = block.get("content")
    inner = of_content([] if content is None else content, place, lost)
    yield ToolResult(
        id=text_of(block, place, "tool_use_id"),
        content=tuple(part for part in inner if isinstance(part, Text | Image | Document)),
        is_error=block.get("is_error") is True,
        cache=cache_of(block),
    )


def _tool_reference(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    yield Text(text_of(block, place, "tool_name"))


def _thinking(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    """Signed, it is Anthropic's own: the gateway shows nobody else's signatures in this dialect."""
    signature = block.get("signature")
    signed = signature if isinstance(signature, str) else ""
    text = text_of(block, place, "thinking")
    if text or signed:
        yield Thinking(text=text, signature=signed, signer=SIGNER if signed else "")


def _redacted_thinking(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    yield HiddenThinking(data=text_of(block, place, "data"), signer=SIGNER)


def _compaction(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    """A summary that stands for the turns before it."""
    if block.get("content"):
        yield from of_content(block["content"], place, lost)


def _container_upload(block: Json, place: str, lost: list[str]) -> Iterator[Block]:
    raise refused("messages", f"{place} {_STORED}")


_READERS: dict[str, Callable[[Json, str, list[str]], Iterator[Block]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "search_result": _search_result,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "tool_reference": _tool_reference,
    "thinking": _thinking,
    "redacted_thinking": _redacted_thinking,
    "compaction": _compaction,
    "container_upload": _container_upload,
}
