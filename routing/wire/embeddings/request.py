"""OpenAI Embeddings requests: read a caller's, write a provider's."""

from collections.abc import Iterable
from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing import tokens
from routing.chat import ChatRequest
from routing.providers.spec import ModelOffer, Quirks
from routing.wire import bodies
from routing.wire.sides import Written

DIALECT = "embeddings"
PATH = b"/embeddings"
MOST_INPUTS = 2048  # OpenAI's own limit
GATEWAY_FIELDS = ("models", "provider", "session_id")

_encode = msgspec.json.Encoder().encode


def read(raw: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> ChatRequest:
    """A caller's request. Raises InvalidRequest naming the field."""
    body = bodies.read(raw)
    model = body.get("model")
    if type(model) is not str or not model:
        raise InvalidRequest("model must be the name of a model.", param="model")
    if body.get("encoding_format") not in (None, "float", "base64"):
        raise InvalidRequest("encoding_format must be float or base64.", param="encoding_format")
    dimensions = body.get("dimensions")
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise InvalidRequest("dimensions must be a whole number from 1 up.", param="dimensions")
    inputs = inputs_of(body)
    has_ids = any(type(one) is list for one in inputs)
    return ChatRequest(
        dialect=DIALECT,
        kind="embedding",
        body=body,
        model=model,
        stream=False,
        wants_usage=False,
        max_tokens=None,
        needs=frozenset({"token_ids"}) if has_ids else frozenset(),
        input_tokens=_count(inputs),
        size=len(raw),
    )


def inputs_of(body: dict[str, Any]) -> list[Any]:
    """The inputs one by one, each a text or a list of token ids. Raises InvalidRequest."""
    given = body.get("input")
    if type(given) is str or (type(given) is list and given and _are_ids(given)):
        given = [given]
    if type(given) is not list or not 0 < len(given) <= MOST_INPUTS:
        raise InvalidRequest(
            f"input must be a text, or a list of 1 to {MOST_INPUTS} texts or lists of token ids.",
            param="input",
        )
    for place, one in enumerate(given):
        is_text, is_ids = type(one) is str and one, type(one) is list and one and _are_ids(one)
        if not (is_text or is_ids):
            raise InvalidRequest(
                f"input[{place}] must be a text that is not empty, or a list of token ids.",
                param=f"input[{place}]",
            )
    return given


def write(chat: ChatRequest, model: str, offer: ModelOffer | None, quirks: Quirks) -> Written:
    """The body for a provider of OpenAI's shape: the caller's own, but for model and quirks."""
    body = {name: value for name, value in chat.body.items() if name not in GATEWAY_FIELDS}
    body["model"] = model
    adapted = [name for name in quirks.drop if body.pop(name, None) is not None]
    for old, new in quirks.rename.items():
        if old in body:
            body[new] = body.pop(old)
    return Written(path=PATH, body=_encode(body), adapted=tuple(adapted))


def _are_ids(given: list[Any]) -> bool:
    return all(type(one) is int for one in given)


def _count(inputs: list[Any]) -> int:
    ids = sum(len(one) for one in inputs if type(one) is list)
    texts = sum(len(one.encode()) for one in inputs if type(one) is str)
    return ids + tokens.of_output(texts)
