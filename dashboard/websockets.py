"""The WebSocket paths, open to pages of our own origin only."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from dashboard.consumers import LiveCalls

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATHS = {"/ws/calls/": LiveCalls.as_asgi()}
NOT_FOUND, FOREIGN = 4404, 4403


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a connection, or close it: before it was accepted, that is a 403."""
    consumer = PATHS.get(scope["path"])
    if consumer is None:
        await send({"type": "websocket.close", "code": NOT_FOUND})
    elif not is_own_origin(dict(scope["headers"])):
        await send({"type": "websocket.close", "code": FOREIGN})
    else:
        await consumer(scope, receive, send)


def is_own_origin(headers: dict[bytes, bytes]) -> bool:
    """Whether the page that connects came from the host it connects to.

    Browsers send cookies along with WebSockets of foreign pages, and always say whose page it is.
    """
    host = headers.get(b"host", b"").decode("latin-1").lower()
    origin = urlsplit(headers.get(b"origin", b"").decode("latin-1").lower())
    name, _ = split_domain_port(host)
    is_served = bool(name) and validate_host(name, settings.ALLOWED_HOSTS)
    return is_served and origin.scheme in {"http", "https"} and origin.netloc == host
