"""Whole answers between this dialect and the neutral middle, in both directions."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from billing.usage import Usage
from routing.conversation import (
    Answer,
    Block,
    Finish,
    HiddenThinking,
    Image,
    Json,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from routing.providers.spec import Quirks
from routing.wire import free_text
from routing.wire.failed import NotAnAnswer
from routing.wire.openai import messages, reply, turns
from routing.wire.sides import Envelope

FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "end_turn": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def read_answer(body: bytes, quirks: Quirks) -> Answer:
    """A provider's answer for a caller of another dialect. Raises NotAnAnswer."""
    read = reply.read(body, quirks)
    choice = _decode(read.content["choices"])[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise NotAnAnswer("the answer holds no message")
    blocks = tuple(blocks_of(message))
    return Answer(
        blocks=blocks,
        finish=finish_of(read.finish_reason, has_calls=any(type(b) is ToolCall for b in blocks)),
        model=read.model,
        usage=read.usage,
        reported_cost=read.reported_cost,
    )


def finish_of(reason: str, *, has_calls: bool) -> Finish:
    """Why it ended. Calls mean that they are to be run, whatever the word for it."""
    if has_calls and reason != "length":
        return "tool_calls"
    return FINISHES.get(reason, "stop")


def blocks_of(message: Json) -> Iterator[Block]:
    text, thoughts = texts_of(message.get("content"))
    details = message.get("reasoning_details")
    if isinstance(details, list) and details:
        yield from turns.thoughts({"reasoning_details": details})
    else:
        thoughts = thoughts or message.get("reasoning_content") or message.get("reasoning") or ""
        if isinstance(thoughts, str) and thoughts:
            yield Thinking(text=thoughts)
    if text:
        yield Text(text)
    if isinstance(message.get("refusal"), str) and message["refusal"]:
        yield Refusal(message["refusal"])
    for position, call in enumerate(message.get("tool_calls") or ()):
        if isinstance(call, dict):
            yield call_of(call, position)


def texts_of(content: Any) -> tuple[str, str]:
    """Text and thoughts of a content, which Mistral may give as a list of chunks."""
    if isinstance(content, str):
        return content, ""
    texts: list[str] = []
    thoughts: list[str] = []
    for chunk in content if isinstance(content, list) else ():
        if isinstance(chunk, dict) and chunk.get("type") == "thinking":
            inner = chunk.get("thinking")
            thoughts += [inner] if isinstance(inner, str) else [texts_of(inner)[0]]
        elif isinstance(chunk, dict) and isinstance(chunk.get("text"), str):
            texts.append(chunk["text"])
    return "".join(texts), "".join(thoughts)


def call_of(call: Json, position: int) -> ToolCall:
    is_custom = call.get("type") == "custom"
    described = call.get("custom" if is_custom else "function") or {}
    written = described.get("input") if is_custom else described.get("arguments")
    return ToolCall(
        id=str(call.get("id") or f"call_{position}"),
        name=str(described.get("name") or ""),
        arguments=str(written or "") if is_custom else turns.arguments(written),
        kind="custom" if is_custom else "function",
        signature=turns.signature(call),
    )


def custom_names(body: Json) -> frozenset[str]:
    """The tools of free text that a caller offers. Some providers know them as functions."""
    tools = body.get("tools")
    found = set()
    for tool in tools if isinstance(tools, list) else ():
        described = tool.get("custom") if isinstance(tool, dict) else None
        name = described.get("name") if isinstance(described, dict) else None
        if isinstance(name, str):
            found.add(name)
    return frozenset(found)


def write_answer(
    answer: Answer, *, envelope: Envelope, usage: Usage, cost: Decimal | None
) -> bytes:
    """The caller's whole answer."""
    return _encode(
        {
            "id": envelope.body_id,
            "object": "chat.completion",
            "created": envelope.created,
            "model": envelope.model,
            "choices": [
                {
                    "index": 0,
                    "message": _message(answer.blocks, custom_names(envelope.request)),
                    "logprobs": None,
                    "finish_reason": answer.finish,
                }
            ],
            "usage": reply.with_cost(figures(usage), cost),
        }
    )


def _message(blocks: Iterable[Block], custom: frozenset[str]) -> Json:
    blocks = tuple(blocks)
    text = "".join(block.text for block in blocks if isinstance(block, Text))
    refusal = "".join(block.text for block in blocks if isinstance(block, Refusal))
    calls = [block for block in blocks if isinstance(block, ToolCall)]
    message: Json = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal or None,
    }
    if thoughts := "".join(block.text for block in blocks if isinstance(block, Thinking)):
        message["reasoning_content"] = thoughts
    details = [
        messages.detail(block, index)
        for index, block in enumerate(blocks)
        if isinstance(block, HiddenThinking) or (isinstance(block, Thinking) and block.signature)
    ]
    if details:
        message["reasoning_details"] = details
    if images := [block for block in blocks if isinstance(block, Image)]:
        message["images"] = [image(one, index) for index, one in enumerate(images)]
    if calls:
        message["tool_calls"] = [_tool_call(call, custom) for call in calls]
    return message


def image(shown: Image, index: int) -> Json:
    """An image of an answer as OpenRouter gives it; OpenAI's dialect itself has no place for it."""
    url = f"data:{shown.media_type};base64,{shown.data}"
    return {"type": "image_url", "index": index, "image_url": {"url": url}}


def _tool_call(call: ToolCall, custom: frozenset[str]) -> Json:
    shown: Json = {"id": call.id, "type": "function"}
    if call.kind == "custom" or call.name in custom:
        is_wrapped = call.kind == "function"
        text = free_text.unwrapped(call.arguments) if is_wrapped else call.arguments
        shown |= {"type": "custom", "custom": {"name": call.name, "input": text}}
    else:
        shown["function"] = {"name": call.name, "arguments": call.arguments or "{}"}
    if call.signature:
        shown["extra_content"] = {"google": {"thought_signature": call.signature}}
    return shown


def figures(usage: Usage) -> Json:
    """Our buckets as this dialect writes them, in full."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
            "audio_tokens": usage.audio_in,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_out,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
