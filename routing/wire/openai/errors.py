"""Errors in OpenAI's shape: whole answers, and the event that ends a stream."""

import msgspec

from accounts.errors import GatewayError
from routing.wire import error_object


def write(error: GatewayError, *, call_id: str) -> bytes:
    """`{"error": {message, type, param, code, source, call_id, …}}`."""
    return msgspec.json.encode({"error": error_object.of(error, call_id)})


def write_event(error: GatewayError, *, call_id: str) -> bytes:
    """The bare error that stock clients raise on; no `[DONE]` follows it."""
    return b"data: %b\n\n" % write(error, call_id=call_id)
