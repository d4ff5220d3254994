"""A caller's messages, read into turns of the neutral middle."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing.conversation import (
    Audio,
    Block,
    CacheMark,
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

_DATA_URL = re.compile(r"data:([\w.+/-]*)(?:;[\w=.+-]+)*;base64,", re.ASCII)
# Who signed, by the format that OpenRouter's `reasoning_details` name.
_SIGNERS = {"anthropic-claude-v1": "anthropic", "google-gemini-v1": "gemini"}


def read(messages: list[Any]) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """What stands before the first turn, and the turns. Raises InvalidRequest naming the place."""
    system: list[Text] = []
    turns: list[Turn] = []
    legacy = ""  # the id given to the last `function_call`, which has none
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        role = _text_in(message, "role")
        if role in {"system", "developer"}:
            texts = tuple(_texts(message.get("content"), place))
            if turns:
                turns.append(Turn("system", texts))
            else:
                system += texts
        elif role == "user":
            turns.append(Turn("user", tuple(_parts(message.get("content"), place))))
        elif role == "assistant":
            legacy = f"call_{number}"
            turns.append(Turn("assistant", tuple(_assistant(message, place, legacy))))
        elif role in {"tool", "function"}:
            turns.append(Turn("user", (_result(message, place, legacy),)))
        else:
            raise InvalidRequest(
                f"{place}.role must be system, developer, user, assistant or tool.",
                param=f"{place}.role",
            )
    return tuple(system), tuple(turn for turn in turns if turn.blocks)


def _text_in(value: Any, name: str) -> str:
    """A field that must be a text; empty where it is none."""
    found = value.get(name) if type(value) is dict else None
    return found if type(found) is str else ""


def _assistant(message: Json, place: str, legacy: str) -> Iterator[Block]:
    yield from thoughts(message)
    yield from _parts(message.get("content"), place)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        yield Refusal(message["refusal"])
    calls = message.get("tool_calls")
    if calls is not None and type(calls) is not list:
        raise InvalidRequest(f"{place}.tool_calls must be a list.", param=f"{place}.tool_calls")
    for position, call in enumerate(calls or ()):
        yield _call(call, f"{place}.tool_calls[{position}]")
    old = message.get("function_call")
    if isinstance(old, dict) and isinstance(old.get("name"), str):
        yield ToolCall(id=legacy, name=old["name"], arguments=arguments(old.get("arguments")))


def thoughts(message: Json) -> Iterator[Block]:
    """Reasoning in any of the places where clients keep it; details know who signed."""
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        for detail in details:
            if isinstance(detail, dict):
                yield from _detail(detail)
        return
    text = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(text, str) and text:
        yield Thinking(text=text)


def _detail(detail: Json) -> Iterator[Block]:
    signer = signer_of(detail)
    text = detail.get("text") or detail.get("summary")
    if detail.get("type") == "reasoning.encrypted" and isinstance(detail.get("data"), str):
        yield HiddenThinking(data=detail["data"], signer=signer)
    elif isinstance(text, str) or detail.get("signature"):
        signature = detail.get("signature")
        yield Thinking(
            text=text if isinstance(text, str) else "",
            signature=signature if isinstance(signature, str) else "",
            signer=signer,
        )


def signer_of(detail: Json) -> str:
    return _SIGNERS.get(str(detail.get("format")), "")


def _call(call: Any, place: str) -> ToolCall:
    kind = "custom" if type(call) is dict and call.get("type") == "custom" else "function"
    described = call.get(kind) if type(call) is dict else None
    if type(described) is not dict or type(described.get("name")) is not str:
        raise InvalidRequest(f"{place} must name its function.", param=place)
    written = described.get("input" if kind == "custom" else "arguments")
    return ToolCall(
        id=str(call.get("id") or ""),
        name=described["name"],
        arguments=str(written or "") if kind == "custom" else arguments(written),
        kind="custom" if kind == "custom" else "function",
        signature=signature(call),
    )


def arguments(written: Any) -> str:
    """The text as it stands; some clients send the object instead of its text."""
    if isinstance(written, str):
        return written or "{}"
    return msgspec.json.encode(written).decode() if written is not None else "{}"


def signature(call: Json) -> str:
    """Gemini's signature, where its OpenAI-compatible endpoint has clients keep it."""
    found: Any = call.get("extra_content")
    for name in ("google", "thought_signature"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _result(message: Json, place: str, legacy: str) -> ToolResult:
    id_ = message.get("tool_call_id") or (legacy if message.get("role") == "function" else "")
    if type(id_) is not str or not id_:
        raise InvalidRequest(
            f"{place}.tool_call_id must be the id of a call.", param=f"{place}.tool_call_id"
        )
    blocks = _parts(message.get("content"), place)
    content = tuple(block for block in blocks if isinstance(block, Text | Image | Document))
    return ToolResult(id=id_, content=content, cache=cache_mark(message))


def _texts(content: Any, place: str) -> Iterator[Text]:
    for block in _parts(content, place):
        if isinstance(block, Text):
            yield block


def _parts(content: Any, place: str) -> Iterator[Block]:
    """A message's content: a text, or parts. Empty texts are no blocks."""
    if content is None:
        return
    if type(content) is str:
        if content:
            yield Text(content)
        return
    if type(content) is not list:
        raise InvalidRequest(
            f"{place}.content must be a text or a list of parts.", param=f"{place}.content"
        )
    for position, part in enumerate(content):
        where = f"{place}.content[{position}]"
        kind = _text_in(part, "type")
        reader = _PARTS.get(kind)
        if reader is None:
            raise InvalidRequest(f"{where}: there is no part of type {kind!r}.", param=where)
        block = reader(part, where)
        if block is not None:
            yield block


def _text(part: Json, place: str) -> Text | None:
    text = part.get("text")
    if type(text) is not str:
        raise InvalidRequest(f"{place}.text must be a text.", param=place)
    return Text(text, cache_mark(part)) if text else None


def _refusal(part: Json, _: str) -> Refusal | None:
    text = part.get("refusal")
    return Refusal(text) if isinstance(text, str) and text else None


def _image(part: Json, place: str) -> Image:
    described = part.get("image_url")
    url = described.get("url") if isinstance(described, dict) else described
    if type(url) is not str or not url:
        raise InvalidRequest(f"{place}.image_url.url must be an address.", param=place)
    detail = described.get("detail") if isinstance(described, dict) else ""
    media_type, data = data_of(url)
    return Image(
        media_type=media_type,
        data=data,
        url="" if data else url,
        detail=detail if isinstance(detail, str) else "",
        cache=cache_mark(part),
    )


def _audio(part: Json, place: str) -> Audio:
    described = part.get("input_audio")
    fields = described if isinstance(described, dict) else {}
    data, form = fields.get("data"), fields.get("format")
    if type(data) is not str or type(form) is not str:
        raise InvalidRequest(f"{place}.input_audio needs data and format.", param=place)
    return Audio(format=form, data=data)


def _file(part: Json, place: str) -> Document:
    described = part.get("file")
    fields = described if isinstance(described, dict) else {}
    written = fields.get("file_data")
    if type(written) is not str or not written:
        raise InvalidRequest(
            f"{place}.file needs file_data: files that are kept at a provider cannot be reached"
            " from another.",
            param=place,
        )
    media_type, data = data_of(written)
    title = fields.get("filename")
    return Document(
        media_type=media_type or "application/pdf",
        data=data or written,
        title=title if isinstance(title, str) else "",
        cache=cache_mark(part),
    )


_PARTS = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}


def data_of(url: str) -> tuple[str, str]:
    """Media type and base64 of a data URL; two empty texts for any other."""
    found = _DATA_URL.match(url)
    return (found[1], url[found.end() :]) if found else ("", "")


def cache_mark(part: Json) -> CacheMark:
    """Anthropic's `cache_control`, which OpenRouter's clients put on parts."""
    mark = part.get("cache_control")
    if not isinstance(mark, dict):
        return ""
    return "1h" if mark.get("ttl") == "1h" else "5m"
