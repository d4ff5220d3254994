"""A whole message, and the parts that a stream shares with it."""

import msgspec

from routing.sandbox.dialects.messages import signatures
from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.draft import Call, Finish

REASONS = {
    Finish.END: "end_turn",
    Finish.STOP_SEQUENCE: "stop_sequence",
    Finish.LENGTH: "max_tokens",
    Finish.TOOLS: "tool_use",
}


def write(told: Told) -> Json:
    """The body of the answer."""
    choice = told.choice
    return {
        **head(told),
        "content": content(told),
        "stop_reason": REASONS[choice.finish],
        "stop_sequence": choice.stop,
        "stop_details": None,
        "usage": usage(told),
    }


def head(told: Told) -> Json:
    return {
        "id": f"msg_{told.exchange.id}",
        "type": "message",
        "role": "assistant",
        "model": told.ask.model,
    }


def content(told: Told) -> list[Json]:
    """The blocks: thinking, text, calls."""
    choice = told.choice
    blocks: list[Json] = []
    if choice.thoughts:
        blocks.append(
            {
                "type": "thinking",
                "thinking": told.shown_thoughts,
                "signature": signatures.of(choice.thoughts),
            }
        )
    if choice.text:
        blocks.append({"type": "text", "text": choice.text})
    return [*blocks, *(tool_use(told, call) for call in choice.calls)]


def tool_use(told: Told, call: Call) -> Json:
    return {
        "type": "tool_use",
        "id": f"toolu_{told.exchange.id}{call.index:x}",
        "name": call.name,
        "input": msgspec.json.decode(call.arguments),
    }


def usage(told: Told) -> Json:
    """Cached tokens stand beside the input and not in it; thinking is in the output."""
    draft, cached = told.draft, told.draft.cached
    return {
        "input_tokens": draft.prompt - cached.read - cached.written,
        "cache_creation_input_tokens": cached.written,
        "cache_read_input_tokens": cached.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cached.written_5m,
            "ephemeral_1h_input_tokens": cached.written_1h,
        },
        "output_tokens": draft.output,
        "output_tokens_details": {"thinking_tokens": draft.thoughts},
        "service_tier": "standard",
        "inference_geo": "global",
    }
