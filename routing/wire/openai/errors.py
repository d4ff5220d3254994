"""Errors in OpenAI's shape: whole answers, and the event that ends a stream."""

from typing import Any

import msgspec

from accounts.errors import GatewayError

# OpenAI's names for families of errors, by our status.
_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def write(error: GatewayError, *, call_id: str) -> bytes:
    """`{"error": {message, type, param, code, source, call_id, …}}`."""
    return msgspec.json.encode({"error": _object(error, call_id)})


def write_event(error: GatewayError, *, call_id: str) -> bytes:
    """The bare error that stock clients raise on; no `[DONE]` follows it."""
    return b"data: %b\n\n" % write(error, call_id=call_id)


def _object(error: GatewayError, call_id: str) -> dict[str, Any]:
    status = error.http_status
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    shown: dict[str, Any] = {
        "message": str(error),
        "type": kind,
        "param": None,
        "code": error.error_code,
        "source": "gateway",
        "call_id": call_id,
    }
    return {**shown, **error.details}
