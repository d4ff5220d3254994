"""OpenAI Responses answers: written for a caller from what any provider answered."""

from decimal import Decimal

import msgspec

from billing import money
from billing.usage import Usage
from routing.conversation import Answer, Finish, Json
from routing.wire.responses import items, repeated, thoughts
from routing.wire.responses.tools import Toolbox
from routing.wire.sides import Envelope

DIALECT = "responses"

_INCOMPLETE: dict[Finish, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}

_encode = msgspec.json.Encoder().encode


def write_answer(
    answer: Answer, *, envelope: Envelope, usage: Usage, cost: Decimal | None
) -> bytes:
    """The response object for a caller."""
    output = items.of_blocks(
        answer.blocks,
        body_id=envelope.body_id,
        box=Toolbox(envelope.request),
        is_cut=is_cut(answer.finish),
        wants_tokens=wants_tokens(envelope),
    )
    return finished(repeated.head(envelope), output, finish=answer.finish, usage=usage, cost=cost)


def wants_tokens(envelope: Envelope) -> bool:
    included = envelope.request.get("include")
    return isinstance(included, list) and thoughts.ENCRYPTED in included


def is_cut(finish: Finish) -> bool:
    """Whether an answer that ended so is incomplete."""
    return finish in _INCOMPLETE


def begun(head: bytes) -> bytes:
    """The response object of a stream that has just begun."""
    state: Json = {"status": "in_progress", "error": None, "incomplete_details": None}
    return _joined(head, {**state, "output": [], "usage": None})


def finished(
    head: bytes, output: list[Json], *, finish: Finish, usage: Usage, cost: Decimal | None
) -> bytes:
    """The response object of an answer that is over."""
    reason = _INCOMPLETE.get(finish)
    state = {
        "status": "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "output": output,
        "usage": _shown(usage, cost),
    }
    return _joined(head, state)


def failed(head: bytes, code: str, message: str) -> bytes:
    """The response object of a stream that broke off."""
    state: Json = {
        "status": "failed",
        "error": {"code": code, "message": message},
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    return _joined(head, state)


def _joined(head: bytes, state: Json) -> bytes:
    return head + b"," + _encode(state)[1:]


def _shown(usage: Usage, cost: Decimal | None) -> Json:
    """Our buckets as this dialect writes usage, and our cost."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write_5m + usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total_tokens,
        "cost": None if cost is None else msgspec.Raw(money.plain(cost).encode()),
    }
