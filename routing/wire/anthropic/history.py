"""A caller's own history, made fit for Anthropic where other providers had a part in it."""

from typing import Any

from routing.wire.anthropic import names
from routing.wire.anthropic.fields import Json

GO_ON: Json = {"role": "user", "content": "Continue."}
_PLAIN = frozenset({"text", "thinking", "redacted_thinking"})


def repaired(messages: list[Any]) -> list[Any]:
    """The same list if nothing is to be changed.

    Thoughts without a signature come from other providers, and so do ids of calls with characters
    that Anthropic refuses. Where nothing is left, the model is asked to go on.
    """
    if not any(_is_odd(block) for message in messages for block in _blocks(message)):
        return messages
    found = []
    for message in messages:
        kept = [_renamed(block) for block in _blocks(message) if not _is_unsigned(block)]
        if not _blocks(message):
            found.append(message)
        elif kept:
            found.append({**message, "content": kept})
    return found or [GO_ON]


def ended_by_user(messages: list[Any]) -> list[Any]:
    """For models that take no beginning of their answer. A paused turn may go back as it is."""
    last = messages[-1]
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return messages
    kinds = {str(block.get("type")) for block in _blocks(last) if isinstance(block, dict)}
    return [*messages, GO_ON] if kinds <= _PLAIN else messages


def _blocks(message: Any) -> list[Any]:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, list) else []


def _is_odd(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    kind = block.get("type")
    if kind == "tool_use":
        return not _is_good(block.get("id"))
    if kind == "tool_result":
        return not _is_good(block.get("tool_use_id"))
    return kind == "thinking" and not block.get("signature")


def _is_good(call_id: Any) -> bool:
    return not isinstance(call_id, str) or names.is_id(call_id)


def _is_unsigned(block: Any) -> bool:
    return (
        isinstance(block, dict) and block.get("type") == "thinking" and not block.get("signature")
    )


def _renamed(block: Any) -> Any:
    if not _is_odd(block):
        return block
    field = "id" if block["type"] == "tool_use" else "tool_use_id"
    return {**block, field: names.id_to_wire(block[field])}
