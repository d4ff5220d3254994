"""A call's request and answer as text, from the bytes that went over the caller's wire. Pure."""

from typing import Any

import msgspec

from routing import dialects
from routing.chat import ChatRequest
from routing.conversation import (
    Answer,
    Audio,
    Block,
    Conversation,
    Document,
    Image,
    Refusal,
    Text,
    TextPiece,
    ToolBegun,
    ToolCall,
    ToolResult,
)
from routing.providers.spec import Quirks
from routing.wire.failed import NotAnAnswer, StreamCut, StreamFailed

QUIRKS = Quirks()


class CannotRead(ValueError):
    """The answer is none that can be judged."""


def of_request(conversation: Conversation) -> str:
    """All turns, each under the name of who spoke."""
    turns = [
        f"[{turn.role}]\n" + "\n".join(filter(None, map(_words, turn.blocks)))
        for turn in conversation.turns
    ]
    return "\n\n".join(turns)


def of_answer(dialect: str, raw: bytes, *, stream: bool) -> str:
    """What a model wrote; empty if it only called tools. Raises CannotRead."""
    try:
        if dialect == "responses":
            return _of_responses(raw, stream=stream)
        return _of_stream(dialect, raw) if stream else _of_body(dialect, raw)
    except (NotAnAnswer, StreamCut, StreamFailed, msgspec.MsgspecError, KeyError) as problem:
        raise CannotRead(type(problem).__name__) from None


def converse(chat: ChatRequest) -> Conversation:
    """Raises InvalidRequest."""
    return dialects.CALLERS[chat.dialect].converse(chat)


def _of_body(dialect: str, raw: bytes) -> str:
    answer: Answer = dialects.PROVIDERS[dialect].read(raw, QUIRKS)
    texts = [b.text for b in answer.blocks if isinstance(b, Text | Refusal)]
    return _whole(texts, any(isinstance(b, ToolCall) for b in answer.blocks))


def _of_stream(dialect: str, raw: bytes) -> str:
    reader = dialects.PROVIDERS[dialect].reader(QUIRKS)
    pieces = [*reader.feed(raw), *reader.end()]
    texts = [piece.text for piece in pieces if isinstance(piece, TextPiece)]
    return _whole(["".join(texts)], any(isinstance(piece, ToolBegun) for piece in pieces))


def _of_responses(raw: bytes, *, stream: bool) -> str:
    body = msgspec.json.decode(raw) if not stream else _completed(raw)
    texts, calls = [], False
    for item in body["output"]:
        calls = calls or item.get("type") == "function_call"
        parts = item.get("content") or () if item.get("type") == "message" else ()
        texts += [part.get("text") or part.get("refusal") or "" for part in parts]
    return _whole(texts, calls)


def _completed(raw: bytes) -> Any:
    """The whole answer, which a Responses stream repeats in its last event."""
    for line in reversed(raw.split(b"\n")):
        if line.startswith(b"data: {"):
            event = msgspec.json.decode(line[6:])
            if event.get("type") in {"response.completed", "response.incomplete"}:
                return event["response"]
    raise NotAnAnswer("the stream has no end")


def _whole(texts: list[str], calls: bool) -> str:
    """An answer that calls tools as well is judged by its words alone, so it is none."""
    return "" if calls else "\n".join(filter(None, texts)).strip()


def _words(block: Block) -> str:
    if isinstance(block, Text | Refusal):
        return block.text
    if isinstance(block, ToolCall):
        return f"(calls {block.name} with {block.arguments})"
    if isinstance(block, ToolResult):
        return "(the tool said) " + "\n".join(filter(None, map(_words, block.content)))
    if isinstance(block, Document):
        return block.text or f"(a document: {block.title or block.media_type})"
    if isinstance(block, Image):
        return "(an image)"
    return "(a recording)" if isinstance(block, Audio) else ""
