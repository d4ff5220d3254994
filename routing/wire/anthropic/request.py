"""Anthropic Messages requests: read a caller's, write a provider's.

Read here is only what the gateway itself needs. Towards Anthropic everything else stays in the
body as it came; towards others `converse` gives its meaning.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing.chat import Body, ChatRequest
from routing.conversation import Conversation
from routing.providers.spec import ModelOffer, Quirks
from routing.wire import bodies
from routing.wire.anthropic import counting, fields, history, meaning, thinking
from routing.wire.anthropic.fields import Json, typed
from routing.wire.anthropic.writing import PATH, write_conversation
from routing.wire.sides import Written

__all__ = [
    "DIALECT", "NAMES", "PATH", "converse", "count", "read", "read_count", "write",
    "write_conversation", "write_count",
]  # fmt: skip

DIALECT = "anthropic"
COUNT_PATH = b"/messages/count_tokens"

# Body fields that are options of the gateway: read by `routing.options`, never sent on.
GATEWAY_FIELDS = ("models", "provider", "session_id", "fallbacks", "preset")
OWN_FALLBACKS = b"server-side-fallback"  # the beta by which `fallbacks` is Anthropic's own
UNCOUNTED = ("max_tokens", "stream", "stop_sequences", "metadata", "temperature", "top_p", "top_k")

# What OpenAI's parameters are called here.
NAMES = {
    "max_completion_tokens": "max_tokens",
    "parallel_tool_calls": "tool_choice",
    "reasoning_effort": "thinking",
    "response_format": "output_config",
    "stop": "stop_sequences",
    "user": "metadata",
}

_VERSION = re.compile(rb"\d{4}-\d{2}-\d{2}")
_BETAS = re.compile(rb"[A-Za-z0-9 ,._-]+")
_encode = msgspec.json.Encoder().encode
_PLAIN = Quirks()
_NO_NEEDS: frozenset[str] = frozenset()
_NO_MESSAGES = "messages must be a list of at least one message."

Headers = Iterable[tuple[bytes, bytes]]


def read(raw: bytes, headers: Headers = ()) -> ChatRequest:
    """A caller's request. Raises InvalidRequest naming the field."""
    body = bodies.read(raw)
    if body.get("max_tokens") is None:
        raise InvalidRequest("max_tokens is required.", param="max_tokens")
    return _read(body, raw, headers)


def read_count(raw: bytes, headers: Headers = ()) -> ChatRequest:
    """A request whose tokens are to be counted: the same without a maximum."""
    return _read(bodies.read(raw), raw, headers)


def count(chat: ChatRequest) -> int:
    """An estimate of a request's input tokens, where its provider does not count."""
    return counting.of_request(chat.body)


def converse(chat: ChatRequest) -> Conversation:
    """The body of a request in nobody's dialect. Raises InvalidRequest naming the field."""
    return meaning.converse(chat, GATEWAY_FIELDS)


def write(chat: ChatRequest, model: str, offer: ModelOffer | None, quirks: Quirks) -> Written:
    """The body for Anthropic: the caller's own, but for model and quirks; its version, its betas.

    A history that other providers had a part in loses what Anthropic would refuse of it.
    """
    body = _own(chat, model)
    adapted: list[str] = []
    messages = history.repaired(body["messages"])
    if not quirks.prefill:
        messages = history.ended_by_user(messages)
    if messages is not body["messages"]:
        body["messages"] = messages
        adapted.append("messages")
    if quirks is not _PLAIN:
        _apply(quirks, body, adapted)
    _fit_maximum(body, offer, adapted)
    return Written(
        path=PATH, body=_encode(body), adapted=tuple(dict.fromkeys(adapted)), headers=chat.headers
    )


def write_count(chat: ChatRequest, model: str, quirks: Quirks) -> Written:
    """The request by which Anthropic counts, exactly and for free."""
    body = _own(chat, model)
    for name in (*UNCOUNTED, *quirks.drop):
        body.pop(name, None)
    body["messages"] = history.repaired(body["messages"])
    return Written(path=COUNT_PATH, body=_encode(body), headers=chat.headers)


def _read(body: Body, raw: bytes, headers: Headers) -> ChatRequest:
    model = body.get("model")
    if type(model) is not str or not model:
        raise InvalidRequest("model must be the name of a model.", param="model")
    messages = body.get("messages")
    if type(messages) is not list or not messages:
        raise InvalidRequest(_NO_MESSAGES, param="messages")
    stream = typed(body, "stream", bool) or False
    return ChatRequest(
        dialect=DIALECT,
        body=body,
        model=model,
        stream=stream,
        wants_usage=stream,
        max_tokens=fields.count(body, "max_tokens"),
        needs=_needs(body, messages, raw),
        input_tokens=counting.of_body(raw, body),
        size=len(raw),
        headers=_kept(headers),
    )


def _own(chat: ChatRequest, model: str) -> Body:
    body = dict(chat.body)
    own_fallbacks = any(OWN_FALLBACKS in value for _, value in chat.headers)
    for name in GATEWAY_FIELDS:
        if not (own_fallbacks and name == "fallbacks"):
            body.pop(name, None)
    body["model"] = model
    return body


def _kept(headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
    """The caller's version, any that looks like one, and its betas."""
    versions, betas = [], []
    for name, value in headers:
        if name == b"anthropic-version" and _VERSION.fullmatch(value):
            versions.append((name, value))
        elif name == b"anthropic-beta" and _BETAS.fullmatch(value):
            betas.append(value)
    return (*versions[:1], *([(b"anthropic-beta", b",".join(betas))] if betas else ()))


def _apply(quirks: Quirks, body: Body, adapted: list[str]) -> None:
    adapted += [name for name in quirks.drop if body.pop(name, None) is not None]
    if quirks.one_sampler and body.get("temperature") is not None and body.pop("top_p", None):
        adapted.append("top_p")
    choice: Any = body.get("tool_choice")
    if quirks.forced_tools == "none" and _is_forced(choice):
        kept = {name: value for name, value in choice.items() if name != "name"}
        body["tool_choice"] = {**kept, "type": "auto"}
        adapted.append("tool_choice")
    _apply_effort(quirks, body, adapted)
    wish = body.get("thinking")
    if isinstance(wish, dict) and quirks.thinking_types:
        _apply_thinking(quirks, body, wish, adapted)


def _is_forced(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("type") in ("any", "tool")


def _apply_effort(quirks: Quirks, body: Body, adapted: list[str]) -> None:
    """An effort that the model does not know becomes the nearest one, or goes."""
    config = body.get("output_config") or {}
    effort = config.get("effort")
    if not isinstance(effort, str) or effort in quirks.efforts or not quirks.thinking_types:
        return
    if quirks.efforts:
        body["output_config"] = {**config, "effort": thinking.closest(effort, quirks.efforts)}
    elif "adaptive" not in quirks.thinking_types:
        body["output_config"] = {k: v for k, v in config.items() if k != "effort"}
        if not body["output_config"]:
            del body["output_config"]
    else:
        return
    adapted.append("output_config")


def _apply_thinking(quirks: Quirks, body: Body, wish: Json, adapted: list[str]) -> None:
    """A kind of thinking that the model refuses becomes the nearest that it takes."""
    kind = wish.get("type")
    if kind in quirks.thinking_types:
        return
    adapted.append("thinking")
    display = {"display": wish["display"]} if "display" in wish else {}
    if kind != "disabled" and "adaptive" in quirks.thinking_types:
        body["thinking"] = {"type": "adaptive", **display}
        budget = wish.get("budget_tokens")
        config = body.get("output_config")
        if type(budget) is int and not (isinstance(config, dict) and config.get("effort")):
            effort = thinking.closest(thinking.effort_of_budget(budget), quirks.efforts)
            body["output_config"] = {**(config or {}), "effort": effort}
        return
    maximum = body.get("max_tokens")
    if kind != "disabled" and "enabled" in quirks.thinking_types and type(maximum) is int:
        budget = min(thinking.BUDGETS["high"], maximum - 1)
        if budget >= thinking.LEAST_BUDGET:
            body["thinking"] = {"type": "enabled", "budget_tokens": budget, **display}
            return
    del body["thinking"]
    # Its edits of thoughts are refused where the model does not think.
    if body.pop("context_management", None) is not None:
        adapted.append("context_management")


def _fit_maximum(body: Body, offer: ModelOffer | None, adapted: list[str]) -> None:
    """Keep the maximum within what the model can give, and a budget of thinking within that."""
    most, asked = offer.output if offer else None, body.get("max_tokens")
    if most is None or not isinstance(asked, int) or asked <= most:
        return
    body["max_tokens"] = most
    adapted.append("max_tokens")
    wish = body.get("thinking") or {}
    budget = wish.get("budget_tokens") if isinstance(wish, dict) else None
    if isinstance(budget, int) and budget >= most:
        body["thinking"] = {**wish, "budget_tokens": most - 1}
        adapted.append("thinking")


def _needs(body: Body, messages: list[Any], raw: bytes) -> frozenset[str]:
    needs = set()
    tools = typed(body, "tools", list) or ()
    if any(isinstance(tool, dict) and tool.get("type") in (None, "custom") for tool in tools):
        needs.add("tools")
    config = typed(body, "output_config", dict) or {}
    if config.get("format") or body.get("output_format"):
        needs.add("json_schema")
    if bodies.ESCAPE in raw or b'"image"' in raw or b'"document"' in raw:
        needs |= _needs_of_blocks(messages)
    return frozenset(needs) if needs else _NO_NEEDS


def _needs_of_blocks(messages: list[Any]) -> set[str]:
    needs: set[str] = set()
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "image":
                needs.add("image")
            elif kind == "document" and _is_file(block.get("source")):
                needs.add("pdf")
            elif kind == "tool_result":
                needs |= _needs_of_blocks([block])
    return needs


def _is_file(source: Any) -> bool:
    return isinstance(source, dict) and str(source.get("type")) in {"base64", "url", "file"}
