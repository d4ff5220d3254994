"""The response object, whole or under way."""

import base64
from typing import Any

from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.draft import Call, Finish

# Fields that are told back as they came, and what stands there if nothing came.
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}


def write(told: Told) -> Json:
    """The finished object."""
    is_cut = told.choice.finish is Finish.LENGTH
    return {
        **under_way(told),
        "status": "incomplete" if is_cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "output": items(told),
        "usage": usage(told),
    }


def under_way(told: Told) -> Json:
    """The object before anything is written."""
    body: Json = told.exchange.body
    reasoning, text = body.get("reasoning") or {}, body.get("text") or {}
    echoed = {
        name: usual if body.get(name) is None else body[name] for name, usual in _ECHOED.items()
    }
    return {
        "id": f"resp_{told.exchange.id}",
        "object": "response",
        "created_at": told.exchange.created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": told.ask.model,
        "output": [],
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "service_tier": "default",
        "text": {"format": {"type": "text"}, "verbosity": "medium", **text},
        "usage": None,
        **echoed,
    }


def items(told: Told) -> list[Json]:
    """What was written: reasoning, a message, calls."""
    choice = told.choice
    found = [reasoning_item(told)] if choice.thoughts else []
    if choice.text:
        found.append(message_item(told, status="completed", text=choice.text))
    return [*found, *(call_item(told, call, call.arguments, "completed") for call in choice.calls)]


def reasoning_item(told: Told, *, is_done: bool = True) -> Json:
    shown = told.shown_thoughts if is_done else ""
    item: Json = {
        "id": f"rs_{told.exchange.id}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": shown}] if shown else [],
    }
    if is_done:
        wanted = "reasoning.encrypted_content" in (told.exchange.body.get("include") or ())
        sealed = base64.b64encode(f"sandbox {told.choice.thoughts}".encode()).decode()
        item["encrypted_content"] = sealed if wanted else None
    return item


def message_item(told: Told, *, status: str, text: str | None = None) -> Json:
    return {
        "id": f"msg_{told.exchange.id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [] if text is None else [text_part(text)],
    }


def text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(told: Told, call: Call, written: str, status: str) -> Json:
    """A call of a function or of a custom tool, with as much of its input as is written."""
    seed = f"{told.exchange.id}{call.index:x}"
    kind, prefix = ("custom_tool_call", "ctc") if call.is_custom else ("function_call", "fc")
    return {
        "id": f"{prefix}_{seed}",
        "type": kind,
        "status": status,
        "call_id": f"call_{seed[-24:]}",
        "name": call.name,
        "input" if call.is_custom else "arguments": written,
    }


def usage(told: Told) -> Json:
    draft = told.draft
    return {
        "input_tokens": draft.prompt,
        "input_tokens_details": {"cached_tokens": draft.cached.read, "cache_write_tokens": 0},
        "output_tokens": draft.output,
        "output_tokens_details": {"reasoning_tokens": draft.thoughts},
        "total_tokens": draft.prompt + draft.output,
    }
