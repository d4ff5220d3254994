"""Turns as Gemini's contents: alternating, calls and their results in step, thoughts signed. Pure.

One content holds all that one side says in a row. Results stand in a content of their own: beside
them a text would be taken for the model's (googleapis/python-genai, 2026).
"""

import mimetypes
from collections.abc import Iterable, Iterator
from itertools import groupby
from urllib.parse import urlsplit

import msgspec

from accounts.errors import InvalidRequest
from routing.conversation import (
    Audio,
    Block,
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

SIGNER = "gemini"
# For calls that another model made, or whose signature is lost (ai.google.dev/gemini-api/docs/
# thought-signatures, read 2026-11-20): Gemini 3 refuses a call without any.
UNSIGNED = "skip_thought_signature_validator"
GO_ON = "Continue."

# Files that a functionResponse itself may carry (docs, function calling, read 2026-11-20).
_RESULT_MEDIA = frozenset({"image/png", "image/jpeg", "image/webp", "application/pdf"})
_EMPTY_OBJECT = msgspec.Raw(b"{}")
_decode = msgspec.json.Decoder().decode


def write(conversation: Conversation, quirks: Quirks, adapted: list[str]) -> list[Json]:
    """The contents. Raises InvalidRequest for a result whose call is not there."""
    names = _names(conversation.turns)
    contents: list[Json] = []
    for is_model, run in groupby(conversation.turns, lambda turn: turn.role == "assistant"):
        blocks = [block for turn in run for block in turn.blocks]
        if is_model:
            contents += _content("model", _model_parts(blocks, quirks))
        else:
            results, others = _user_parts(blocks, names, quirks)
            contents += [*_content("user", results), *_content("user", others)]
    if not contents:
        raise InvalidRequest("The conversation has no turn that says anything.", param="messages")
    if contents[-1]["role"] == "model" and not quirks.prefill and not _calls(contents[-1]):
        contents += _content("user", [{"text": GO_ON}])
        adapted.append("messages")
    return contents


def _content(role: str, parts: list[Json]) -> list[Json]:
    return [{"role": role, "parts": parts}] if parts else []


def _calls(content: Json) -> bool:
    return any("functionCall" in part for part in content["parts"])


def _names(turns: Iterable[Turn]) -> dict[str, str]:
    """The names of the functions, by the ids of their calls."""
    return {
        block.id: block.name
        for turn in turns
        for block in turn.blocks
        if isinstance(block, ToolCall)
    }


# The model's own ------------------------------------------------------------------------------


def _model_parts(blocks: list[Block], quirks: Quirks) -> list[Json]:
    parts: list[Json] = []
    has_call = False
    for block in blocks:
        if isinstance(block, ToolCall):
            signature = block.signature
            if not (signature or has_call) and quirks.thinking == "level":
                signature = UNSIGNED
            parts.append(_call(block, signature))
            has_call = True
        else:
            parts += _part(block)
    if not has_call:
        _sign_text(parts, blocks)
    return parts


def _call(call: ToolCall, signature: str) -> Json:
    part: Json = {"functionCall": {"id": call.id, "name": call.name, "args": _arguments(call)}}
    if not call.id:
        del part["functionCall"]["id"]
    if signature:
        part["thoughtSignature"] = signature
    return part


def _arguments(call: ToolCall) -> msgspec.Raw | Json:
    """The arguments byte for byte where they are an object; anything else inside of one."""
    text = call.arguments
    if call.kind == "custom":
        return {"input": text}
    if not text.strip():
        return _EMPTY_OBJECT
    try:
        found = _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {"input": text}
    return msgspec.Raw(text.encode()) if isinstance(found, dict) else {"input": found}


def _sign_text(parts: list[Json], blocks: list[Block]) -> None:
    """Without calls the signature of the thoughts stands at the last text."""
    signatures = [
        block.signature
        for block in blocks
        if isinstance(block, Thinking) and block.signer == SIGNER and block.signature
    ]
    texts = [part for part in parts if "text" in part]
    if signatures and texts:
        texts[-1]["thoughtSignature"] = signatures[-1]


# The user's -----------------------------------------------------------------------------------


def _user_parts(
    blocks: list[Block], names: dict[str, str], quirks: Quirks
) -> tuple[list[Json], list[Json]]:
    """Results of tools, and all the rest: first of it what the results could not carry."""
    results: list[Json] = []
    files: list[Json] = []
    others: list[Json] = []
    for block in blocks:
        if isinstance(block, ToolResult):
            results.append(_result(block, names, quirks, files))
        else:
            others += _part(block)
    return results, files + others


def _result(result: ToolResult, names: dict[str, str], quirks: Quirks, files: list[Json]) -> Json:
    name = names.get(result.id)
    if name is None:
        raise InvalidRequest(
            f"The result of {result.id!r} belongs to no call of this conversation: send the turn"
            " with the call, too.",
            param="messages",
        )
    texts = [block.text for block in result.content if isinstance(block, Text)]
    carried: list[Json] = []
    for block in result.content:
        if isinstance(block, Text):
            continue
        if not quirks.tool_text_only and block.data and block.media_type in _RESULT_MEDIA:
            carried += _part(block)
        else:
            files += [{"text": f"A file that {name} ({result.id}) returned:"}, *_part(block)]
    # A text as it stands: Gemini would read a `$ref` in an object as one to a file (2026-10).
    response = {"error" if result.is_error else "result": "\n".join(texts)}
    answer: Json = {"id": result.id, "name": name, "response": response}
    if carried:
        answer["parts"] = carried
    return {"functionResponse": answer}


# Of both --------------------------------------------------------------------------------------


def _part(block: Block) -> Iterator[Json]:
    """The part of a block; none for what is empty and for thoughts, which nobody wants back."""
    if isinstance(block, Text | Refusal):
        if block.text:
            yield {"text": block.text}
    elif isinstance(block, Image):
        yield _file(block.url, block.media_type or "image/jpeg", block.data)
    elif isinstance(block, Document):
        yield from _document(block)
    elif isinstance(block, Audio):
        yield {"inlineData": {"mimeType": f"audio/{block.format}", "data": block.data}}
    else:
        assert isinstance(block, Thinking | HiddenThinking | ToolCall | ToolResult)  # noqa: S101


def _document(block: Document) -> Iterator[Json]:
    if block.text:
        yield {"text": f"{block.title}\n\n{block.text}" if block.title else block.text}
    else:
        yield _file(block.url, block.media_type or "application/pdf", block.data)


def _file(url: str, media_type: str, data: str) -> Json:
    """Bytes go along; what has an address is Google's to fetch, never ours."""
    if data or not url:
        return {"inlineData": {"mimeType": media_type, "data": data}}
    guessed, _ = mimetypes.guess_type(urlsplit(url).path)
    return {"fileData": {"mimeType": guessed or media_type, "fileUri": url}}
