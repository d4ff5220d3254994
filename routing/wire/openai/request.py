"""OpenAI Chat Completions requests: read a caller's, write a provider's.

Read here is only what the gateway itself needs; everything else stays in the body as it came and
is the provider's to judge.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing import tokens
from routing.chat import Body, ChatRequest
from routing.providers.spec import ModelOffer, Quirks
from routing.wire import bodies
from routing.wire.openai.quirks import apply
from routing.wire.sides import Written

DIALECT = "openai"
PATH = b"/chat/completions"

# Body fields that are options of the gateway: read by `routing.options`, never sent on.
GATEWAY_FIELDS = ("models", "provider", "session_id", "fallbacks", "preset")

_encode = msgspec.json.Encoder().encode
_NO_NEEDS: frozenset[str] = frozenset()
_PART_NEEDS = {"image_url": "image", "input_audio": "audio", "file": "pdf"}
_PARTS = re.compile("|".join(f'"{kind}"' for kind in _PART_NEEDS).encode())


def read(raw: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> ChatRequest:
    """A caller's request. Raises InvalidRequest naming the field."""
    body = bodies.read(raw)
    model = body.get("model")
    if type(model) is not str or not model:
        raise InvalidRequest("model must be the name of a model.", param="model")
    messages = body.get("messages")
    if type(messages) is not list or not messages:
        raise InvalidRequest("messages must be a list of at least one message.", param="messages")
    stream = _typed(body, "stream", bool) or False
    return ChatRequest(
        dialect=DIALECT,
        body=body,
        model=model,
        stream=stream,
        wants_usage=stream and _wants_usage(body),
        max_tokens=_max_tokens(body),
        needs=_needs(body, messages, raw),
        input_tokens=tokens.of_body(raw),
        size=len(raw),
    )


def write(chat: ChatRequest, model: str, offer: ModelOffer | None, quirks: Quirks) -> Written:
    """The body for a provider of this dialect: the caller's own, but for model and quirks."""
    body = dict(chat.body)
    for name in GATEWAY_FIELDS:
        body.pop(name, None)
    return finish(body, model=model, offer=offer, quirks=quirks, stream=chat.stream)


def finish(
    body: Body, *, model: str, offer: ModelOffer | None, quirks: Quirks, stream: bool
) -> Written:
    """A body of this dialect as its provider takes it. The body is changed."""
    body["model"] = model
    adapted: list[str] = []
    if stream and quirks.stream_usage == "asked":
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    elif quirks.stream_usage == "never":
        body.pop("stream_options", None)
    apply(quirks, offer, body, adapted)
    return Written(path=PATH, body=_encode(body), adapted=tuple(adapted))


def _wants_usage(body: Body) -> bool:
    options = _typed(body, "stream_options", dict)
    return bool(options and options.get("include_usage"))


def _max_tokens(body: Body) -> int | None:
    """The larger of the two: which one counts, where both are named, is up to the provider."""
    named: list[int] = []
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise InvalidRequest(f"{name} must be a whole number from 1 up.", param=name)
        named.append(value)
    return max(named, default=None)


def _needs(body: Body, messages: list[Any], raw: bytes) -> frozenset[str]:
    needs = set()
    if _typed(body, "tools", list):
        needs.add("tools")
    wanted = _typed(body, "response_format", dict)
    if wanted and wanted.get("type") == "json_schema":
        needs.add("json_schema")
    if _typed(body, "logprobs", bool):
        needs.add("logprobs")
    if (_typed(body, "n", int) or 1) > 1:
        needs.add("n")
    if bodies.ESCAPE in raw or _PARTS.search(raw):
        needs |= _needs_of_parts(messages)
    return frozenset(needs) if needs else _NO_NEEDS


def _needs_of_parts(messages: list[Any]) -> set[str]:
    contents = [m.get("content") for m in messages if isinstance(m, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    kinds = [part.get("type") for part in parts if isinstance(part, dict)]
    return {need for kind, need in _PART_NEEDS.items() if kind in kinds}


def _typed(body: Body, name: str, kind: type) -> Any:
    """A field if it has this type, None if it is absent or null. Raises InvalidRequest."""
    value = body.get(name)
    if value is not None and type(value) is not kind:
        raise InvalidRequest(f"{name} must be {_KINDS[kind]}.", param=name)
    return value


_KINDS = {bool: "true or false", dict: "an object", list: "a list", int: "a whole number"}
