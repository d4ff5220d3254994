"""Whole Anthropic answers: read a provider's, write the caller's.

Between two ends of this dialect the provider's fields are kept as they came; only `id` and `usage`
become ours.
"""

from decimal import Decimal
from typing import Any

import msgspec

from billing.usage import Usage
from routing.chat import ChatReply
from routing.conversation import (
    Answer,
    Block,
    Finish,
    HiddenThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)  # fmt: skip
from routing.providers.spec import Quirks
from routing.wire import free_text
from routing.wire.anthropic import names, parts
from routing.wire.anthropic import usage as figures
from routing.wire.anthropic.blocks import SIGNER
from routing.wire.anthropic.fields import Json
from routing.wire.failed import NotAnAnswer
from routing.wire.sides import Envelope

DIALECT = "anthropic"
REFUSED = "The request was refused."

FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_SAYING_NOTHING = frozenset({"refusal", "pause_turn"})  # whole answers, even without content

_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Block(msgspec.Struct, frozen=True, gc=False):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()

    @property
    def is_content(self) -> bool:
        """Whether it says anything; thoughts alone do not."""
        return bool(self.text) if self.type == "text" else self.type not in _THOUGHTS

    @property
    def size(self) -> int:
        return len(self.text or "") + len(self.thinking or "") + len(self.input)


class _Message(msgspec.Struct, frozen=True, gc=False):
    content: list[_Block]
    type: str = ""
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None
    usage: Any = None

    @property
    def is_empty(self) -> bool:
        if any(block.is_content for block in self.content) or self.stop_reason in _SAYING_NOTHING:
            return False
        # A request for 0 tokens only fills the prompt cache: nothing is what was asked for.
        written = self.usage.get("output_tokens") if isinstance(self.usage, dict) else None
        return bool(self.content) or self.stop_reason != "max_tokens" or written != 0


_decode_message = msgspec.json.Decoder(_Message).decode


def read(body: bytes, quirks: Quirks) -> ChatReply:
    """An answer for a caller of this dialect. Raises NotAnAnswer for what is none."""
    message = _read(body)
    return ChatReply(
        dialect=DIALECT,
        content=_decode_fields(body),
        model=message.model or "",
        usage=figures.usage_of(message.usage),
        finish_reason=message.stop_reason or "",
        is_empty=message.is_empty,
        output_bytes=sum(block.size for block in message.content),
    )


def write(reply: ChatReply, *, body_id: str, usage: Usage, cost: Decimal | None) -> bytes:
    """The caller's answer: the provider's, under our id, with usage and cost."""
    content = dict(reply.content)
    content["id"] = msgspec.Raw(_encode(body_id))
    reported = _decode_any(content["usage"]) if content.get("usage") else None
    told = reported if isinstance(reported, dict) else figures.shown(usage)
    content["usage"] = msgspec.Raw(_encode(figures.with_cost(told, cost)))
    return _encode(content)


def read_answer(body: bytes, quirks: Quirks) -> Answer:
    """An answer for a caller of another dialect. Raises NotAnAnswer for what is none."""
    message = _read(body)
    blocks = [block for block in map(_block_of, message.content) if block]
    if message.stop_reason == "refusal":
        blocks.append(Refusal(explanation_of(message.stop_details)))
    calls = any(isinstance(block, ToolCall) for block in blocks)
    return Answer(
        blocks=tuple(blocks),
        finish=finish_of(message.stop_reason, calls=calls),
        stop_sequence=message.stop_sequence,
        model=message.model or "",
        usage=figures.usage_of(message.usage),
    )


def write_answer(
    answer: Answer, *, envelope: Envelope, usage: Usage, cost: Decimal | None
) -> bytes:
    """An answer of another dialect's provider, as a message."""
    content = [block for block in map(_written, answer.blocks) if block]
    refusals = [block.text for block in answer.blocks if isinstance(block, Refusal)]
    calls = any(isinstance(block, ToolCall) for block in answer.blocks)
    message = {
        "id": envelope.body_id,
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "content": content,
        **ending(answer.finish, answer.stop_sequence, refusals, calls=calls),
        "container": None,
        "usage": figures.with_cost(figures.shown(usage), cost),
    }
    return _encode(message)


def ending(finish: Finish, sequence: str | None, refusals: list[str], *, calls: bool) -> Json:
    """Why it stopped, in Anthropic's words: calls are always told, and a refusal with its text."""
    reason = "stop_sequence" if finish == "stop" and sequence else _REASONS[finish]
    if calls and finish != "length":
        reason = "tool_use"
    elif refusals:
        reason = "refusal"
    details = None
    if reason == "refusal":
        text = "".join(refusals) or REFUSED
        details = {"type": "refusal", "category": None, "explanation": text}
    hit = sequence if reason == "stop_sequence" else None
    return {"stop_reason": reason, "stop_sequence": hit, "stop_details": details}


def finish_of(reason: str | None, *, calls: bool) -> Finish:
    """Why a provider stopped. A call of the tool that stands for a JSON answer is no call."""
    finish = FINISHES.get(reason or "", "stop")
    if calls and finish == "stop":
        return "tool_calls"
    return "stop" if finish == "tool_calls" and not calls else finish


def explanation_of(details: Any) -> str:
    text = details.get("explanation") if isinstance(details, dict) else None
    return text if isinstance(text, str) and text else REFUSED


def _read(body: bytes) -> _Message:
    try:
        message = _decode_message(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotAnAnswer("the body is not a message") from None
    if message.type != "message":
        raise NotAnAnswer("the body is not a message")
    return message


def _block_of(block: _Block) -> Block | None:
    if block.type == "text":
        return Text(block.text) if block.text else None
    if block.type == "thinking":
        signed = block.signature or ""
        return Thinking(text=block.thinking or "", signature=signed, signer=SIGNER)
    if block.type == "redacted_thinking":
        return HiddenThinking(data=block.data or "", signer=SIGNER)
    if block.type != "tool_use":
        return None  # of Anthropic's own tools
    arguments = bytes(block.input).decode() or "{}"
    if block.name == names.JSON_TOOL:
        return Text(arguments)
    name, kind = names.from_wire(block.name or "")
    if kind == "custom":
        arguments = free_text.unwrapped(arguments)
    return ToolCall(id=block.id or "", name=name, arguments=arguments, kind=kind)


def _written(block: Block) -> Json | None:
    if isinstance(block, Text | Refusal):
        return {"type": "text", "text": block.text} if block.text else None
    if isinstance(block, Thinking):
        signature = block.signature if block.signer == SIGNER else ""
        if not (block.text or signature):
            return None
        return {"type": "thinking", "thinking": block.text, "signature": signature}
    if isinstance(block, HiddenThinking) and block.signer == SIGNER:
        return {"type": "redacted_thinking", "data": block.data}
    if isinstance(block, ToolCall):
        arguments = parts.arguments_of(block)
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
    return None
