"""An error in OpenAI's shape, which its two dialects share. Pure."""

from typing import Any

from accounts.errors import GatewayError

# OpenAI's names for families of errors, by our status.
_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def of(error: GatewayError, call_id: str) -> dict[str, Any]:
    """`{message, type, param, code, source, call_id, …}`."""
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
