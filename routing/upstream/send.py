"""One exchange with a provider: write the request, wait for the answer or for its head."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from accounts.secret import Secret
from billing.ledger import OpenCall
from routing.providers.spec import Provider
from routing.upstream import endpoints
from routing.upstream.connection import Broken, Connection, Limits, TimedOut
from routing.upstream.endpoints import Endpoint
from routing.upstream.pool import Pool

STALE_SECONDS = 1.0  # within which a kept connection turns out to be dead
STALL_SECONDS = 5.0  # a simulated silence is not longer than this

_AUTH = {
    "bearer": b"Authorization: Bearer ",
    "x-api-key": b"x-api-key: ",
    "x-goog-api-key": b"x-goog-api-key: ",
}
_COMMON = (
    b"\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream"
    b"\r\nAccept-Encoding: identity\r\nUser-Agent: flo2\r\n"
)


class Request(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What goes to a provider, and where."""

    provider: Provider
    endpoint: Endpoint
    path: bytes
    body: bytes
    secret: Secret
    stream: bool
    connect_s: float
    limits: Limits
    headers: tuple[tuple[bytes, bytes], ...] = ()  # instead of the provider's own of that name
    fault: str = ""  # only towards the sandbox

    def head(self) -> bytes:
        """The request line and headers. The only place where a provider's key is revealed."""
        named = {k.encode(): v.encode() for k, v in self.provider.headers.items()}
        named.update(self.headers)
        extra = b"".join(b"%b: %b\r\n" % pair for pair in named.items()) if named else b""
        if self.fault:
            extra += b"x-sandbox-fault: %b\r\n" % self.fault.encode()
        return b"".join(
            (
                b"POST ",
                self.endpoint.path,
                self.path,
                b" HTTP/1.1\r\nHost: ",
                self.endpoint.host,
                b"\r\n",
                _AUTH[self.provider.auth],
                self.secret.reveal().encode(),
                _COMMON,
                extra,
                b"Content-Length: %d\r\n\r\n" % len(self.body),
            )
        )


async def begin(
    pool: Pool, call: OpenCall, request: Request, sent: Callable[[], None]
) -> Connection:
    """Send; for a stream wait for the head of the answer. Raises Trouble.

    `sent` is told when the request has gone out.

    The call must be on the books. A kept connection that turns out to be dead before a byte came
    back is replaced once; one that dies later has been read from, and the request may be billed.
    """
    if call.is_settled:
        raise RuntimeError("nothing is sent for a call that is settled")
    if request.fault in _UNREACHABLE:
        return await _UNREACHABLE[request.fault](pool, request)
    origin = request.endpoint.origin
    connection = pool.kept(origin) or await pool.fresh(origin, connect_s=request.connect_s)
    was_kept, began = connection.was_used, time.monotonic()
    try:
        return await _exchange(connection, request, sent)
    except Broken:
        is_late = time.monotonic() - began > STALE_SECONDS
        if not was_kept or is_late or connection.head_size or connection.status:
            raise
    fresh = await pool.fresh(origin, connect_s=request.connect_s)
    return await _exchange(fresh, request, sent)


async def _exchange(
    connection: Connection, request: Request, sent: Callable[[], None]
) -> Connection:
    try:
        connection.send(request.head(), request.body, stream=request.stream, limits=request.limits)
        sent()
        if request.stream:
            await connection.head()
        else:
            await connection.completed()
    except BaseException:
        connection.close()
        raise
    return connection


async def _refused(pool: Pool, request: Request) -> Connection:
    """A port that nobody listens on."""
    return await pool.fresh(endpoints.refusing().origin, connect_s=request.connect_s)


async def _timed_out(pool: Pool, request: Request) -> Connection:
    """A host that never accepts: loopback has none, so the wait alone is simulated."""
    await asyncio.sleep(request.connect_s)
    raise TimedOut(f"no connection within {request.connect_s:g} s")


_UNREACHABLE = {"refused": _refused, "timeout": _timed_out}
