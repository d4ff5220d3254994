"""Errors in Anthropic's shape: whole answers, and the event that ends a stream."""

from typing import Any

import msgspec

from accounts.errors import GatewayError

# Anthropic's names for families of errors, by our status.
_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def write(error: GatewayError, *, call_id: str) -> bytes:
    """`{"type": "error", "error": {type, message, code, source, call_id, …}, "request_id"}`."""
    status = error.http_status
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    shown: dict[str, Any] = {
        "type": kind,
        "message": str(error),
        "code": error.error_code,
        "source": "gateway",
        "call_id": call_id,
    }
    body = {"type": "error", "error": {**shown, **error.details}, "request_id": call_id}
    return msgspec.json.encode(body)


def write_event(error: GatewayError, *, call_id: str) -> bytes:
    """The event that stock clients raise on; no `message_stop` follows it."""
    return b"event: error\ndata: %b\n\n" % write(error, call_id=call_id)
