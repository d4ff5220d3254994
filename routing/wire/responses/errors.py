"""Errors for callers of this dialect: whole answers, and the events that end a stream."""

import msgspec

from accounts import ids
from accounts.errors import GatewayError
from routing.wire import error_object
from routing.wire.responses import repeated, reply
from routing.wire.sides import Envelope

# Numbers rise within a stream, and how far it came is not known here: these follow any.
_LAST = 2**31 - 2

_encode = msgspec.json.Encoder().encode


def write(error: GatewayError, *, call_id: str) -> bytes:
    """`{"error": {message, type, param, code, source, call_id, …}}`."""
    return _encode({"error": error_object.of(error, call_id)})


def write_event(error: GatewayError, *, call_id: str) -> bytes:
    """`error`, with its fields both flat as documented and nested as sent (recorded 2026), and
    `response.failed`. Stock clients raise on the first, agents read the second."""
    shown = error_object.of(error, call_id)
    flat = {name: shown.get(name) for name in ("code", "message", "param")}
    told = _encode({"type": "error", "sequence_number": _LAST, **flat, "error": shown})
    body_id = "resp_" + call_id.removeprefix("call_")
    head = repeated.head(Envelope(body_id=body_id, model="", created=_created(call_id)))
    response = reply.failed(head, _code(error.http_status), str(error))
    failed = b'{"type":"response.failed","sequence_number":%d,"response":%b}'
    return b"event: error\ndata: %b\n\nevent: response.failed\ndata: %b\n\n" % (
        told,
        failed % (_LAST + 1, response),
    )


def _code(status: int) -> str:
    """Of the few codes that a response object may have."""
    if status == 429:
        return "rate_limit_exceeded"
    return "invalid_prompt" if status in {400, 413, 422} else "server_error"


def _created(call_id: str) -> int:
    """When the call began: its id tells."""
    try:
        return (ids.read("call", call_id).int >> 80) // 1000
    except ids.InvalidId:
        return 0
