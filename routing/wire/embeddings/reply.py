"""OpenAI Embeddings answers: read a provider's, write the caller's in the encoding he asked for."""

import base64
import struct
from decimal import Decimal
from typing import Any

import msgspec

from billing import money
from billing.usage import Usage, is_count
from routing.chat import ChatReply
from routing.providers.spec import Quirks
from routing.wire.embeddings.request import DIALECT
from routing.wire.failed import NotAnAnswer

_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


class _Vector(msgspec.Struct, frozen=True, gc=False):
    embedding: list[float] | str
    index: int | None = None


_decode_vectors = msgspec.json.Decoder(list[_Vector]).decode


def read(body: bytes, quirks: Quirks) -> ChatReply:
    """A provider's answer. Raises NotAnAnswer for what is none."""
    try:
        content = _decode_fields(body)
        vectors = _decode_vectors(content["data"])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        raise NotAnAnswer("the body is not a list of embeddings") from None
    figures = _decode(content["usage"]) if "usage" in content else None
    model = _decode(content["model"]) if "model" in content else ""
    return reply_of(
        content,
        usage=usage_of(figures),
        model=model if isinstance(model, str) else "",
        count=len(vectors),
        reported_cost=_reported(figures, quirks),
    )


def reply_of(
    content: dict[str, msgspec.Raw],
    *,
    usage: Usage | None,
    model: str,
    count: int,
    reported_cost: Decimal | None = None,
) -> ChatReply:
    return ChatReply(
        dialect=DIALECT,
        content=content,
        model=model,
        usage=usage,
        finish_reason="",
        is_empty=count == 0,
        output_bytes=0,
        reported_cost=reported_cost,
    )


def usage_of(figures: Any) -> Usage | None:
    prompt = figures.get("prompt_tokens") if isinstance(figures, dict) else None
    return Usage(input_uncached=prompt) if type(prompt) is int and is_count(prompt) else None


def write(
    reply: ChatReply, *, encoding: str, model: str, usage: Usage, cost: Decimal | None
) -> bytes:
    """The caller's answer. The vectors stay as they came where their encoding is the one asked."""
    data = reply.content["data"]
    vectors = _decode_vectors(data)
    if any(isinstance(vector.embedding, str) != (encoding == "base64") for vector in vectors):
        convert = _packed if encoding == "base64" else _unpacked
        data = msgspec.Raw(
            _encode(
                [
                    {"object": "embedding", "index": place, "embedding": convert(one.embedding)}
                    for place, one in enumerate(vectors)
                ]
            )
        )
    return _encode(
        {
            "object": "list",
            "data": data,
            "model": reply.model or model,
            "usage": {
                "prompt_tokens": usage.input_tokens,
                "total_tokens": usage.input_tokens,
                "cost": None if cost is None else msgspec.Raw(money.plain(cost).encode()),
            },
        }
    )


def _packed(vector: list[float] | str) -> str:
    """Little-endian float32 in base64, as OpenAI packs them."""
    if isinstance(vector, str):
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _unpacked(vector: list[float] | str) -> list[float]:
    if not isinstance(vector, str):
        return vector
    packed = base64.b64decode(vector)
    return list(struct.unpack(f"<{len(packed) // 4}f", packed[: len(packed) // 4 * 4]))


def _reported(figures: Any, quirks: Quirks) -> Decimal | None:
    value = figures.get(quirks.reported_cost_in) if isinstance(figures, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return money.nearest(Decimal(str(value)) * quirks.reported_cost_unit)
