"""OpenAI Chat Completions answers: read a provider's, write the caller's.

The provider's fields are kept as they came; only `id` and `usage` become ours.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, cast

import msgspec

from billing import money
from billing.usage import Usage, is_count
from routing.chat import ChatReply
from routing.providers.spec import Quirks
from routing.wire.failed import NotAnAnswer

DIALECT = "openai"

_TIERS = frozenset(
    b'"%b"' % tier for tier in (b"auto", b"default", b"flex", b"scale", b"priority", b"fast")
) | {b"null"}

_encode = msgspec.json.Encoder().encode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_any = msgspec.json.Decoder().decode


class _Message(msgspec.Struct, frozen=True, gc=False):
    content: Any = None
    tool_calls: Any = None
    function_call: Any = None
    refusal: Any = None
    reasoning: Any = None
    reasoning_content: Any = None
    audio: Any = None

    @property
    def is_empty(self) -> bool:
        """Whether there is neither text nor a call nor a refusal."""
        return not (
            self.content or self.tool_calls or self.function_call or self.refusal or self.audio
        )

    @property
    def size(self) -> int:
        size = len(_encode(self.tool_calls)) if self.tool_calls else 0
        for text in (self.content, self.reasoning, self.reasoning_content, self.refusal):
            if isinstance(text, str):
                size += len(text)
        return size


class _Choice(msgspec.Struct, frozen=True, gc=False):
    message: _Message = _Message()
    finish_reason: str | None = None
    error: Any = None


_decode_choices = msgspec.json.Decoder(list[_Choice]).decode


def read(body: bytes, quirks: Quirks) -> ChatReply:
    """A provider's answer. Raises NotAnAnswer for what is none."""
    try:
        content = _decode_fields(body)
        choices = _decode_choices(content["choices"])
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        raise NotAnAnswer("the body is not a chat completion") from None
    is_error = not choices or _is_error(content.get("error"))
    is_empty, size = True, 0
    for choice in choices:
        is_error = is_error or bool(choice.error)
        is_empty = is_empty and choice.message.is_empty
        size += choice.message.size
    if is_error:
        raise NotAnAnswer("the body carries an error")
    reported = read_usage(content, quirks)
    return ChatReply(
        dialect=DIALECT,
        content=content,
        model=_name(content.get("model")),
        usage=usage_of(reported),
        finish_reason=choices[0].finish_reason or "",
        is_empty=is_empty,
        output_bytes=size,
        reported_cost=reported_cost(reported, quirks),
    )


def _name(raw: msgspec.Raw | None) -> str:
    name = _decode_any(raw) if raw else ""
    return name if isinstance(name, str) else ""


def write(reply: ChatReply, *, body_id: str, usage: Usage, cost: Decimal | None) -> bytes:
    """The caller's answer: the provider's, under our id, with usage and cost."""
    content = dict(reply.content)
    content["id"] = msgspec.Raw(b'"%b"' % body_id.encode())
    tier = content.get("service_tier")
    if tier is not None and bytes(tier) not in _TIERS:
        del content["service_tier"]  # strict clients know OpenAI's words alone
    choices = bytes(content["choices"])
    if b'"refusal"' not in choices or b'"logprobs"' not in choices:
        content["choices"] = msgspec.Raw(_encode(_completed(_decode_any(choices))))
    reported = content.get("usage")
    figures = _decode_any(reported) if reported else None
    content["usage"] = msgspec.Raw(
        _encode(with_cost(figures if isinstance(figures, dict) else shown(usage), cost))
    )
    return _encode(content)


def _completed(choices: list[Any]) -> list[Any]:
    """Choices with the fields that OpenAI's schema requires and some providers leave out."""
    return [
        {
            "logprobs": None,
            **choice,
            "message": {"content": None, "refusal": None, **choice.get("message", {})},
        }
        for choice in choices
    ]


def read_usage(content: dict[str, msgspec.Raw], quirks: Quirks) -> dict[str, Any] | None:
    """The usage object, from the first of the places where this provider may put it."""
    for place in quirks.usage_in:
        field, _, rest = place.partition(".")
        raw = content.get(field)
        if raw is None:
            continue
        found = _decode_any(raw)
        if rest and isinstance(found, dict):
            found = found.get(rest)
        if isinstance(found, dict):
            return found
    return None


def usage_of(reported: dict[str, Any] | None) -> Usage | None:
    """Figures of this dialect in our buckets: input includes cached, output includes reasoning.

    Some providers count otherwise, and their own sums give them away. None if a figure is not a
    count: a negative, fractional or textual one is not to be believed.
    """
    if reported is None:
        return None
    before = reported.get("prompt_tokens_details") or reported.get("prompt_token_details") or {}
    after = reported.get("completion_tokens_details") or {}
    if type(before) is not dict or type(after) is not dict:
        return None
    figures = (
        reported.get("prompt_tokens"),
        reported.get("completion_tokens", 0),
        reported.get("total_tokens", 0),
        before.get("cached_tokens") or reported.get("num_cached_tokens") or 0,
        before.get("cache_write_tokens") or 0,
        before.get("audio_tokens") or 0,
        after.get("reasoning_tokens") or 0,
        after.get("audio_tokens") or 0,
    )
    if not all(map(is_count, figures)):
        return None
    prompt, completion, total, cached, written, audio_in, reasoning, audio_out = cast(
        "tuple[int, ...]", figures
    )
    if cached > prompt:  # seen at xAI: cached tokens beside the prompt instead of inside it
        prompt += cached
    completion = _whole_completion(prompt, completion, total, reasoning)
    plain_in, plain_out = prompt - cached - written - audio_in, completion - reasoning - audio_out
    if plain_in < 0 or plain_out < 0:
        return None
    return Usage(
        input_uncached=plain_in,
        cache_read=cached,
        cache_write_5m=written,
        output_visible=plain_out,
        reasoning=reasoning,
        audio_in=audio_in,
        audio_out=audio_out,
    )


def _whole_completion(prompt: int, completion: int, total: int, reasoning: int) -> int:
    """Completion tokens with the reasoning in them, which xAI and, for some, DeepInfra leave out.

    Both are billed as output. The total tells: it counts everything once.
    """
    if reasoning and total == prompt + completion + reasoning:
        return completion + reasoning
    return completion + reasoning if reasoning > completion else completion


def shown(usage: Usage) -> dict[str, Any]:
    """Our buckets as OpenAI writes usage: for answers whose provider reported none."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def with_cost(figures: dict[str, Any], cost: Decimal | None) -> dict[str, Any]:
    """Usage as the caller gets it: the provider's figures and our cost, and nobody else's.

    `is_byok` and `cost_details` go: clients that know them would add or replace by them.
    """
    kept = {k: v for k, v in figures.items() if k not in {"cost", "is_byok", "cost_details"}}
    kept["cost"] = None if cost is None else msgspec.Raw(money.plain(cost).encode())
    return kept


def reported_cost(reported: dict[str, Any] | None, quirks: Quirks) -> Decimal | None:
    """The provider's own figure in USD, at our precision; None where it gives none."""
    value = reported.get(quirks.reported_cost_in) if reported and quirks.reported_cost_in else None
    if value is None or isinstance(value, bool):
        return None
    try:
        cost = money.nearest(Decimal(str(value)) * quirks.reported_cost_unit)
    except InvalidOperation:
        return None
    return cost if cost >= 0 else None


def _is_error(raw: msgspec.Raw | None) -> bool:
    return raw is not None and bytes(raw) not in {b"null", b"{}", b'""'}
