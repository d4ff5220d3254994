"""The items of an answer: messages, thoughts, calls. Streams and whole answers have the same."""

from collections.abc import Iterable, Iterator
from typing import Literal

from routing.conversation import (
    Block,
    HiddenThinking,
    Json,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolKind,
)
from routing.wire import free_text
from routing.wire.responses import thoughts
from routing.wire.responses.tools import Origin, Toolbox

Status = Literal["in_progress", "completed", "incomplete"]
PartKind = Literal["output_text", "refusal"]

PREFIXES = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}


def item_id(body_id: str, kind: str, position: int) -> str:
    """The id of an item: of the answer's own and where it stands in it."""
    return f"{PREFIXES[kind]}_{body_id.removeprefix('resp_')}_{position}"


def message(own_id: str, parts: list[Json], status: Status) -> Json:
    return {
        "id": own_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": parts,
    }


def part(kind: PartKind, text: str) -> Json:
    if kind == "refusal":
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def reasoning(own_id: str, text: str, token: str | None) -> Json:
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {"id": own_id, "type": "reasoning", "summary": summary, "encrypted_content": token}


def kind_of_call(origin: Origin) -> str:
    return "custom_tool_call" if origin.kind == "custom" else "function_call"


def call(own_id: str, origin: Origin, call_id: str, content: str, status: Status) -> Json:
    """A call of a function with its arguments, or of a custom tool with its input."""
    item: Json = {
        "id": own_id,
        "type": kind_of_call(origin),
        "call_id": call_id,
        "name": origin.name,
    }
    if origin.namespace:
        item["namespace"] = origin.namespace
    if origin.kind == "custom":
        item["input"] = content
    else:
        item["arguments"] = content
        item["status"] = status
    return item


def content_of_call(origin: Origin, written: str, kind: ToolKind) -> str:
    """What a call says in the caller's words; `kind` is what the provider took the tool for."""
    if origin.kind == "function":
        return written or "{}"
    return written if kind == "custom" else free_text.unwrapped(written)


def of_blocks(
    blocks: Iterable[Block], *, body_id: str, box: Toolbox, is_cut: bool, wants_tokens: bool
) -> list[Json]:
    """The items of a whole answer; the last one of an answer that was cut is incomplete."""
    items: list[Json] = []

    def new(kind: str) -> str:
        return item_id(body_id, kind, len(items))

    for block in _gathered(blocks):
        if isinstance(block, list):
            items.append(message(new("message"), block, "completed"))
        elif isinstance(block, ToolCall):
            if block.signature:
                token = thoughts.token_of_call(block.id, block.signature)
                items.append(reasoning(new("reasoning"), "", token))
            origin = box.origin(block.name, block.kind)
            own_id = new(kind_of_call(origin))
            content = content_of_call(origin, block.arguments, block.kind)
            items.append(call(own_id, origin, block.id, content, "completed"))
        else:
            text = block.text if isinstance(block, Thinking) else ""
            sealed = thoughts.token_of(block, is_wanted=wants_tokens)
            if text or sealed:
                items.append(reasoning(new("reasoning"), text, sealed))
    if is_cut and items and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    return items


def _gathered(
    blocks: Iterable[Block],
) -> Iterator[list[Json] | ToolCall | Thinking | HiddenThinking]:
    """Texts and refusals that follow each other as the parts of one message."""
    parts: list[Json] = []
    for block in blocks:
        if isinstance(block, Text | Refusal):
            _say(parts, block)
        elif isinstance(block, ToolCall | Thinking | HiddenThinking):
            if parts:
                yield parts
                parts = []
            yield block
    if parts:
        yield parts


def _say(parts: list[Json], block: Text | Refusal) -> None:
    kind: PartKind = "refusal" if isinstance(block, Refusal) else "output_text"
    field = "refusal" if isinstance(block, Refusal) else "text"
    if not block.text:
        return
    if parts and parts[-1]["type"] == kind:
        parts[-1][field] += block.text
    else:
        parts.append(part(kind, block.text))
