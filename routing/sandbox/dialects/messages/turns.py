"""The order of Anthropic's turns and of the blocks in them."""

from itertools import takewhile
from typing import Any

from routing.sandbox.dialects.messages.families import Family
from routing.sandbox.problems import Problem, Refused
from routing.sandbox.profile import Exchange, Json

STRICT_VERSION = "2026-10-21"  # from here on sampling and more are refused
_ROLES = frozenset({"user", "assistant"})


def _invalid(message: str) -> Refused:
    return Refused(Problem(status=400, message=message, type="invalid_request_error"))


def blocks_of(message: Json) -> list[Json]:
    """The blocks of a message; a string is one block of text."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, dict)]


def check(exchange: Exchange, messages: list[Any], family: Family) -> None:
    """Refuse turns that the API would refuse. Raises Refused."""
    if not messages:
        raise _invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, index, family)
    if messages[0]["role"] != "user":
        raise _invalid('messages: first message must use the "user" role')
    merged = _merged(messages)
    _check_tool_results(merged)
    if merged[-1][0] == "assistant" and not family.prefills:
        raise _invalid(
            "This model does not support assistant message prefill. The conversation must end with"
            " a user message."
        )
    if exchange.headers.get("anthropic-version", "") >= STRICT_VERSION:
        _check_documents(messages)


def check_thinking_first(messages: list[Any]) -> None:
    """With a manual budget, the turn whose calls are answered last begins with its thinking."""
    for index, message in reversed(list(enumerate(messages))):
        if not isinstance(message, dict) or message.get("role") != "assistant":
            continue
        kinds = [block.get("type") for block in blocks_of(message)]
        if "tool_use" in kinds and kinds[0] not in {"thinking", "redacted_thinking"}:
            raise _invalid(
                f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but"
                f" found `{kinds[0]}`. When `thinking` is enabled, a final `assistant` message must"
                " start with a thinking block."
            )
        return


def _check_message(message: Any, index: int, family: Family) -> None:
    place = f"messages.{index}"
    if not isinstance(message, dict):
        raise _invalid(f"{place}: Input should be a valid dictionary")
    role, content = message.get("role"), message.get("content")
    allowed = _ROLES | {"system"} if family.system_turns else _ROLES
    if role not in allowed:
        raise _invalid(f"{place}.role: Input should be 'user' or 'assistant'")
    if content is None:
        raise _invalid(f"{place}.content: Field required")
    if not isinstance(content, str | list):
        raise _invalid(f"{place}.content: Input should be a valid string or list")
    if content in ("", []) and role == "user":
        raise _invalid(f"{place}: user messages must have non-empty content")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        _check_block(block, f"{place}.content.{number}")


def _check_block(block: Any, place: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str):
        raise _invalid(f"{place}.type: Field required")
    if kind == "text" and not (isinstance(block.get("text"), str) and block["text"].strip()):
        raise _invalid("messages: text content blocks must be non-empty")
    if kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise _invalid(f"{place}.tool_use.input: Input should be a valid dictionary")
    if kind == "tool_result" and not isinstance(block.get("tool_use_id"), str):
        raise _invalid(f"{place}.tool_result.tool_use_id: Field required")


def _merged(messages: list[Json]) -> list[tuple[str, list[Json], int]]:
    """Turns of the same role as one: role, blocks, number of the first message."""
    turns: list[tuple[str, list[Json], int]] = []
    for index, message in enumerate(messages):
        if message["role"] == "system":
            continue
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks_of(message))
        else:
            turns.append((message["role"], list(blocks_of(message)), index))
    return turns


def _check_tool_results(turns: list[tuple[str, list[Json], int]]) -> None:
    """Calls are answered in the next turn, before any text of it; answers belong to calls."""
    called: set[str] = set()
    for role, blocks, index in turns:
        if role == "user":
            _check_answers(blocks, called, index)
            called = set()
        else:
            called = {str(b.get("id")) for b in blocks if b.get("type") == "tool_use"}
    if called:
        _unanswered(called, turns[-1][2])


def _check_answers(blocks: list[Json], called: set[str], index: int) -> None:
    first = {b["tool_use_id"] for b in takewhile(lambda b: b.get("type") == "tool_result", blocks)}
    if called - first:
        _unanswered(called - first, index - 1)
    for number, block in enumerate(blocks):
        if block.get("type") == "tool_result" and block["tool_use_id"] not in called:
            raise _invalid(
                f"messages.{index}.content.{number}: unexpected `tool_use_id` found in"
                f" `tool_result` blocks: {block['tool_use_id']}. Each `tool_result` block must have"
                " a corresponding `tool_use` block in the previous message."
            )


def _unanswered(ids: set[str], index: int) -> None:
    raise _invalid(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately"
        f" after: {', '.join(sorted(ids))}. Each `tool_use` block must have a corresponding"
        " `tool_result` block in the next message."
    )


def _check_documents(messages: list[Json]) -> None:
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            for number, block in enumerate(blocks_of(message)):
                if block.get("type") == "document":
                    raise _invalid(
                        f"messages.{index}.content.{number}: documents are not allowed in"
                        " assistant messages"
                    )
