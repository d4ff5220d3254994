"""What an answer repeats of its request. Values of another type than they must have are passed
over, and so are tools that the gateway leaves out: repeated is what was in force."""

from collections.abc import Callable

import msgspec

from routing.conversation import Json
from routing.wire.sides import Envelope

_encode = msgspec.json.Encoder().encode

_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_SUMMARIES = frozenset({"auto", "concise", "detailed"})
_VERBOSITIES = frozenset({"low", "medium", "high"})
_CHOICES = frozenset({"none", "auto", "required"})


def head(envelope: Envelope) -> bytes:
    """The fields of the response object that stay as they are, as JSON without its last brace."""
    body = envelope.request
    fields = {
        "id": envelope.body_id,
        "object": "response",
        "created_at": envelope.created,
        "model": envelope.model,
        "background": False,
        "instructions": _text(body, "instructions"),
        "max_output_tokens": _whole(body, "max_output_tokens"),
        "max_tool_calls": None,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "prompt_cache_key": _text(body, "prompt_cache_key"),
        "reasoning": _reasoning(body),
        "safety_identifier": _text(body, "safety_identifier"),
        "service_tier": None,  # which one was used is known to the provider alone
        "store": False,
        "temperature": _number(body, "temperature"),
        "text": _text_options(body),
        "tool_choice": _tool_choice(body),
        "tools": [tool for tool in map(_tool, _objects(body, "tools")) if tool],
        "top_logprobs": 0,
        "top_p": _number(body, "top_p"),
        "truncation": "disabled",
        "user": _text(body, "user"),
        "metadata": _metadata(body),
    }
    return _encode(fields)[:-1]


def _text(owner: Json, name: str) -> str | None:
    value = owner.get(name)
    return value if isinstance(value, str) else None


def _whole(owner: Json, name: str) -> int | None:
    value = owner.get(name)
    return value if type(value) is int else None


def _number(owner: Json, name: str) -> float | None:
    value = owner.get(name)
    return value if type(value) in {int, float} else None


def _word(owner: Json, name: str, words: frozenset[str]) -> str | None:
    value = owner.get(name)
    return value if isinstance(value, str) and value in words else None


def _object(owner: Json, name: str) -> Json:
    value = owner.get(name)
    return value if isinstance(value, dict) else {}


def _objects(owner: Json, name: str) -> list[Json]:
    value = owner.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _metadata(body: Json) -> Json:
    return {k: v for k, v in _object(body, "metadata").items() if isinstance(v, str)}


def _reasoning(body: Json) -> Json:
    wanted = _object(body, "reasoning")
    return {
        "effort": _word(wanted, "effort", _EFFORTS),
        "summary": _word(wanted, "summary", _SUMMARIES),
    }


def _text_options(body: Json) -> Json:
    wanted = _object(body, "text")
    verbosity = _word(wanted, "verbosity", _VERBOSITIES)
    return {"format": _format(_object(wanted, "format")), "verbosity": verbosity}


def _format(wanted: Json) -> Json:
    kind, schema = wanted.get("type"), wanted.get("schema")
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema" or not isinstance(schema, dict):
        return {"type": "text"}
    return {
        "type": "json_schema",
        "name": _text(wanted, "name") or "output",
        "description": _text(wanted, "description"),
        "schema": schema,
        "strict": _flag(wanted, "strict"),
    }


def _tool_choice(body: Json) -> str | Json:
    wanted = body.get("tool_choice")
    if isinstance(wanted, str):
        return wanted if wanted in _CHOICES else "auto"
    if not isinstance(wanted, dict):
        return "auto"
    kind, name = _text(wanted, "type"), _text(wanted, "name")
    if name and kind in {"function", "custom"}:
        return {"type": kind, "name": name}
    if kind == "allowed_tools":
        mode = "required" if wanted.get("mode") == "required" else "auto"
        return {"type": kind, "mode": mode, "tools": _objects(wanted, "tools")}
    return "auto"


def _tool(tool: Json) -> Json | None:
    shape = _SHAPES.get(_text(tool, "type"))
    return shape(tool) if shape else None


def _function(tool: Json) -> Json:
    return {
        "type": "function",
        "name": _text(tool, "name"),
        "description": _text(tool, "description"),
        "parameters": _object(tool, "parameters") or None,
        "strict": _flag(tool, "strict"),
    }


def _custom(tool: Json) -> Json:
    form = _object(tool, "format")
    is_grammar = form.get("type") == "grammar"
    grammar = {name: form.get(name) for name in ("type", "syntax", "definition")}
    return {
        "type": "custom",
        "name": _text(tool, "name"),
        "description": _text(tool, "description"),
        "format": grammar if is_grammar else {"type": "text"},
    }


def _namespace(space: Json) -> Json | None:
    inner = [tool for tool in map(_tool, _objects(space, "tools")) if tool]
    described = _text(space, "description") or ""
    named = {"type": "namespace", "name": _text(space, "name"), "description": described}
    return {**named, "tools": inner} if inner else None


def _flag(owner: Json, name: str) -> bool | None:
    value = owner.get(name)
    return value if isinstance(value, bool) else None


_SHAPES: dict[str | None, Callable[[Json], Json | None]] = {
    "function": _function,
    "custom": _custom,
    "namespace": _namespace,
}
