"""The key of a request: a keyed hash of everything that may shape its answer. Pure.

Equal requests have equal keys however their JSON was written: fields in any order, 1 or 1.0, a
field that is absent, null or at its default. Nothing else is made equal: texts, and the order of
messages, tools and stop words, count as they stand. The form is RFC 8785's in what it is for, one
spelling for each value; integers beyond 2⁵³ keep all their digits, where the RFC would round them.
"""

import hmac
from typing import Any
from uuid import UUID

import msgspec

from routing.chat import Body, ChatRequest
from routing.policy_terms import PolicyInForce

SCHEMA = 1
MARKS = ("auto", "@")  # before names that stand for a policy's choice
EXACT = 2.0**53  # floats below it that are whole are integers

# Who asks, how the answer is sent, and what is said to the gateway: none of it shapes the answer.
LEFT_OUT = frozenset(
    {
        "model", "stream", "stream_options", "user", "metadata", "session_id", "service_tier",
        "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "models",
        "provider", "fallbacks",
    }
)  # fmt: skip

# Defaults that all providers share. Temperature and top_p are not among them: those differ.
DEFAULTS: dict[str, Any] = {
    "n": 1,
    "stop": [],
    "stop_sequences": [],
    "tools": [],
    "logprobs": False,
    "logit_bias": {},
    "frequency_penalty": 0,
    "presence_penalty": 0,
}

_encode = msgspec.json.Encoder(order="deterministic").encode


class Fingerprint(msgspec.Struct, frozen=True, gc=False):
    """`text` is what was hashed: content, for a look at it, and never kept."""

    key: bytes
    text: bytes


def of(
    chat: ChatRequest,
    *,
    cache_key: bytes,
    mode: str,
    lineage: UUID,
    endpoint: str,
    policy: PolicyInForce | None,
) -> Fingerprint:
    """The key of a request under a tenant's cache key (32 bytes)."""
    chosen = policy if chat.model.startswith(MARKS) else None
    text = canonical(
        [
            SCHEMA,
            mode,
            lineage.hex,
            endpoint,
            chat.model,
            [chosen.name, chosen.version] if chosen else None,
            [[name.decode("latin-1"), value.decode("latin-1")] for name, value in chat.headers],
            _shaping(chat.body),
        ]
    )
    return Fingerprint(hmac.digest(cache_key, text, "sha256"), text)


def canonical(value: Any) -> bytes:
    """JSON in one spelling."""
    text = _encode(value)
    # Whole floats below 2⁵³ are written with `.0` (msgspec 0.22, tested): without it, there is
    # none to be found, and the walk costs more than all the rest.
    return _encode(_plain(value)) if b".0" in text else text


def _shaping(body: Body) -> Body:
    return {
        name: value
        for name, value in body.items()
        if value is not None and name not in LEFT_OUT and not _is_default(name, value)
    }


def _is_default(name: str, value: Any) -> bool:
    usual = DEFAULTS.get(name)
    if usual is None or isinstance(value, bool) != isinstance(usual, bool):
        return False
    return bool(value == usual)


def _plain(value: Any) -> Any:
    """The same value with whole floats as integers."""
    kind = type(value)
    if kind is dict:
        return {
            name: one if type(one) is str else _plain(one)  # most leaves: spare the call
            for name, one in value.items()
        }
    if kind is list:
        return [one if type(one) is str else _plain(one) for one in value]
    if kind is float and value.is_integer() and abs(value) < EXACT:
        return int(value)
    return value
