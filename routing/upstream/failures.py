"""Failure kinds: what went wrong with an attempt, and what follows from it. Pure.

A provider's status, headers and body are read into one `Failure`; fallback, racing, health, keys
and the ledger look at its kind and at nothing else (`_TABLE`, first match wins).
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import msgspec

from accounts.secret import scrub

KEPT_CHARACTERS = 500
READ_CHARACTERS = 4000  # of each part: some of the patterns take a microsecond for a character
LONGEST_WAIT_SECONDS = 600.0


class FailureKind(StrEnum):
    AUTH = "auth"
    BILLING = "billing"
    PERMISSION = "permission"
    MODEL_MISSING = "model_missing"
    CONTEXT = "context"
    PARAM = "param"
    POLICY = "policy"
    CALLER = "caller"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER = "server"
    TIMEOUT = "timeout"
    NETWORK = "network"
    EMPTY = "empty"


class Blame(StrEnum):
    CALLER = "caller"
    TENANT = "tenant"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a kind of failure means."""

    retry_same: bool  # worth another try on the same candidate
    next: bool  # worth the next candidate
    blame: Blame
    key_status: str = ""  # what becomes of the provider key


RULES = {
    #                           same   next   blame            key
    FailureKind.AUTH:          Rule(False, True, Blame.TENANT, "invalid"),
    FailureKind.BILLING:       Rule(False, True, Blame.TENANT, "no_credit"),
    FailureKind.PERMISSION:    Rule(False, True, Blame.TENANT, "limited"),
    FailureKind.MODEL_MISSING: Rule(False, True, Blame.TENANT),
    FailureKind.CONTEXT:       Rule(False, True, Blame.CALLER),
    FailureKind.PARAM:         Rule(False, True, Blame.CALLER),
    FailureKind.POLICY:        Rule(False, False, Blame.CALLER),
    FailureKind.CALLER:        Rule(False, False, Blame.CALLER),
    FailureKind.RATE_LIMIT:    Rule(False, True, Blame.TENANT),
    FailureKind.OVERLOADED:    Rule(True, True, Blame.PROVIDER),
    FailureKind.SERVER:        Rule(True, True, Blame.PROVIDER),
    FailureKind.TIMEOUT:       Rule(False, True, Blame.PROVIDER),
    FailureKind.NETWORK:       Rule(True, True, Blame.PROVIDER),
    FailureKind.EMPTY:         Rule(False, True, Blame.PROVIDER),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt did not answer. `message` is scrubbed of anything that looks like a key."""

    kind: FailureKind
    status: int | None = None
    code: str = ""
    message: str = ""
    param: str | None = None
    retry_after_s: float | None = None

    @property
    def rule(self) -> Rule:
        return RULES[self.kind]


@dataclass(frozen=True, slots=True)
class ProviderError:
    """An error body, whatever envelope it came in."""

    message: str = ""
    code: str = ""
    type: str = ""
    param: str | None = None
    extra: str = ""  # further words that classify: error_type, quota ids, reasons


_BILLING = re.compile(
    # Not the bare word: friendly rate limits link to a page that is called billing.
    r"insufficient_quota|billing_(?:hard_limit|not_active|error)|failed_precondition.*billing"
    r"|credit_balance|spend_limit|usage_limit_exceeded|payment_required"
    r"|credit balance is too low|run out of credits|all available credits|spending limit"
    r"|inference prohibited|payment method|per-?day|insufficient credits|no credit"
    r"|free_tier_daily"
)
_AUTH = re.compile(
    r"incorrect api key|invalid.api.key|api_key_invalid|api key not valid|not authenticated"
    r"|wrong_api_key|invalid x-api-key|authorization failed"
)
_CONTEXT = re.compile(
    r"context_length_exceeded|max_tokens_exceeded|maximum context length|prompt is too long"
    r"|input token count|too many tokens|reduce the length|context window|request too large"
)
_MODEL = re.compile(
    r"model_not_found|not_found_error|invalid_model|unknown_model|not a valid model"
    r"|model .{0,120}(?:does not exist|not exist|not found|not available)|model is not available"
    r"|^model: "
)
_PARAM = re.compile(
    r"(?:unsupported|unknown)_parameter|unsupported_value|extra_forbidden"
    r"|(?:unsupported|unknown) parameter|argument not supported|does not support parameter"
    r"|property (?:.{0,120} )?is unsupported|unknown name|extra inputs are not permitted"
    r"|is deprecated for this model|is not supported with this model"
)
_POLICY = re.compile(
    r"content_policy_violation|content_filter|invalid_prompt|content_policy|flagged|moderation"
)
_OVERLOADED = re.compile(r"overloaded|queue_exceeded|model busy|engine overloaded|slow down")
_MODEL_OUTPUT = re.compile(r"tool_use_failed|json_validate_failed")
_SERVER_SIDE = frozenset(range(500, 600)) | {408, 409}

# Statuses, words in code, type or message (None: any), kind. The first row that fits decides.
_TABLE: tuple[tuple[frozenset[int], re.Pattern[str] | None, FailureKind], ...] = (
    (frozenset({401}), None, FailureKind.AUTH),
    (frozenset({400, 403}), _AUTH, FailureKind.AUTH),
    (frozenset({402}), None, FailureKind.BILLING),
    (frozenset({400, 403, 429}), _BILLING, FailureKind.BILLING),
    (frozenset({429, 498}), None, FailureKind.RATE_LIMIT),
    (frozenset({403}), _POLICY, FailureKind.POLICY),
    (frozenset({403}), None, FailureKind.PERMISSION),
    (frozenset({400, 422}), _MODEL_OUTPUT, FailureKind.SERVER),
    (frozenset({400, 404, 422}), _CONTEXT, FailureKind.CONTEXT),
    (frozenset({413}), None, FailureKind.CONTEXT),
    (frozenset({400}), _MODEL, FailureKind.MODEL_MISSING),
    (frozenset({404}), None, FailureKind.MODEL_MISSING),
    (frozenset({400, 422}), _POLICY, FailureKind.POLICY),
    (frozenset({400, 422}), _PARAM, FailureKind.PARAM),
    (frozenset({400, 405, 415, 422}), None, FailureKind.CALLER),
    (frozenset({503, 529}), None, FailureKind.OVERLOADED),
    (_SERVER_SIDE, _OVERLOADED, FailureKind.OVERLOADED),
)


def classify(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Failure:
    """The failure behind an error answer.

    A 200 that carries an error is classified under the status that its body names.
    """
    error = read_error(body)
    kind = _kind(status, error)
    return Failure(
        kind=kind,
        status=status,
        code=error.code[:KEPT_CHARACTERS],
        message=scrub(error.message[:READ_CHARACTERS])[:KEPT_CHARACTERS] or f"HTTP {status}",
        param=error.param and error.param[:KEPT_CHARACTERS],
        retry_after_s=retry_after(headers, body),
    )


def _kind(status: int, error: ProviderError) -> FailureKind:
    parts = (error.code, error.type, error.extra, error.message)
    words = " ".join(part[:READ_CHARACTERS] for part in parts).lower()
    for statuses, pattern, kind in _TABLE:
        if status in statuses and (pattern is None or pattern.search(words)):
            return kind
    return FailureKind.SERVER


def read_error(body: bytes) -> ProviderError:
    """Read any of the envelopes that providers use; plain text and HTML as they are."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = None
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if isinstance(content, dict):
        inner = content.get("error")
        if isinstance(inner, dict):
            return _from_object(inner)
        if isinstance(inner, str):
            return ProviderError(message=inner, code=_text(content.get("code")))
        if "detail" in content:
            return _from_detail(content["detail"])
        if "message" in content:
            return _from_object(content)
    return ProviderError(message=_plain(body))


def _from_object(error: dict[str, Any]) -> ProviderError:
    """`{"message", "type", "param", "code"}`, with what providers add to it."""
    message = error.get("message")
    details = error.get("details")
    metadata = error.get("metadata")
    extra = [_text(error.get("status"))]
    if isinstance(metadata, dict):
        extra += [_text(metadata.get("error_type")), _text(metadata.get("limit_source"))]
    if isinstance(details, dict):
        extra.append(_text(details.get("error_code")))
    if isinstance(details, list):
        extra += [_words(detail) for detail in details]
    return ProviderError(
        message=message if isinstance(message, str) else _words(message),
        code=_text(error.get("code")),
        type=_text(error.get("type")),
        param=error.get("param") if isinstance(error.get("param"), str) else None,
        extra=" ".join(extra),
    )


def _from_detail(detail: Any) -> ProviderError:
    """FastAPI's `detail`: a text, an object, or a list of what is wrong where."""
    if isinstance(detail, dict):
        return ProviderError(message=_text(detail.get("error")) or _words(detail))
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        first = detail[0]
        place = first.get("loc")
        where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
        param = where.removeprefix("body.") or None
        return ProviderError(
            message=f"{where}: {_text(first.get('msg'))}",
            code=_text(first.get("type")),
            param=param,
        )
    return ProviderError(message=_text(detail))


def retry_after(headers: Iterable[tuple[bytes, bytes]], body: bytes = b"") -> float | None:
    """Seconds that the provider asks to wait, from 0 to 600; None where it does not say.

    `retry-after-ms` first, then `retry-after` as seconds or as a date, then Gemini's RetryInfo.
    """
    found = {name: value.decode("latin-1") for name, value in headers if b"retry" in name}
    wait = _number(found.get(b"retry-after-ms"), scale=1000)
    if wait is None and (text := found.get(b"retry-after")):
        wait = _number(text)
        wait = _until(text) if wait is None else wait
    if wait is None and b"retryDelay" in body:
        delay = re.search(rb'"retryDelay"\s*:\s*"([\d.]+)s"', body)
        wait = _number(delay[1].decode()) if delay else None
    return None if wait is None else min(max(wait, 0.0), LONGEST_WAIT_SECONDS)


def _number(text: str | None, scale: float = 1) -> float | None:
    try:
        number = float(text) / scale if text else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None


def _until(text: str) -> float | None:
    try:
        return (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _words(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()[:2000]
    except (TypeError, ValueError):
        return ""


def _plain(body: bytes) -> str:
    """The readable part of a body that is not JSON, such as a proxy's HTML page."""
    text = re.sub(r"<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:KEPT_CHARACTERS]
