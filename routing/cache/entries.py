"""What is kept of an answer: what the model said, in nobody's dialect, and its figures. Sealed."""

from typing import Any
from uuid import UUID

import msgspec

from accounts import vault
from accounts.vault import SealBroken
from billing.usage import Usage
from routing.conversation import (
    Answer,
    Block,
    Finish,
    HiddenThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)

USE = b"response-cache"
KEY_USE = b"response-cache-key"
KINDS: dict[str, type[Block]] = {
    "text": Text,
    "thinking": Thinking,
    "hidden": HiddenThinking,
    "call": ToolCall,
}
_NAMES = {kind: name for name, kind in KINDS.items()}
WHOLE: frozenset[Finish] = frozenset({"stop", "tool_calls"})


class Broken(Exception):
    """A row that does not open, or is none of ours: as if it were not there."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A kept answer. Moments are seconds since 1970."""

    answer: Answer
    usage: Usage
    provider: str
    model: str
    finish_reason: str  # as the books named it
    created_at: float
    expires_at: float


class _Row(msgspec.Struct, frozen=True, gc=False, array_like=True):
    blocks: list[tuple[str, dict[str, Any]]]
    finish: Finish
    stop_sequence: str | None
    named: str  # the provider's own word for the model
    usage: Usage
    provider: str
    model: str
    finish_reason: str
    created_at: float
    expires_at: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Row).decode


def is_keepable(answer: Answer) -> bool:
    """Whether it is whole, says something, and can be said again."""
    kinds = {type(block) for block in answer.blocks}
    says = any(
        isinstance(block, ToolCall) or (isinstance(block, Text) and block.text)
        for block in answer.blocks
    )
    return answer.finish in WHOLE and says and Refusal not in kinds and kinds <= _NAMES.keys()


def seal(entry: Entry, *, data_key: bytes, tenant: UUID, key: bytes) -> bytes:
    answer = entry.answer
    row = _Row(
        blocks=[(_NAMES[type(one)], msgspec.to_builtins(one)) for one in answer.blocks],
        finish=answer.finish,
        stop_sequence=answer.stop_sequence,
        named=answer.model,
        usage=entry.usage,
        provider=entry.provider,
        model=entry.model,
        finish_reason=entry.finish_reason,
        created_at=entry.created_at,
        expires_at=entry.expires_at,
    )
    return vault.seal(_encode(row), data_key=data_key, tenant=tenant, use=USE, row=key)


def unseal(sealed: bytes, *, data_key: bytes, tenant: UUID, key: bytes) -> Entry:
    """Raises Broken."""
    try:
        plain = vault.open_sealed(sealed, data_key=data_key, tenant=tenant, use=USE, row=key)
        row = _decode(plain)
        blocks = tuple(msgspec.convert(fields, KINDS[name]) for name, fields in row.blocks)
    except (SealBroken, msgspec.MsgspecError, KeyError):
        raise Broken from None
    return Entry(
        answer=Answer(
            blocks=blocks,
            finish=row.finish,
            stop_sequence=row.stop_sequence,
            model=row.named,
            usage=row.usage,
        ),
        usage=row.usage,
        provider=row.provider,
        model=row.model,
        finish_reason=row.finish_reason,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
