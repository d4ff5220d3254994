"""An answer's way to the client's connection, without the server's dictionaries and header checks.

Made by `limits.GuardedProtocol` for each request of the lean door. What uvicorn's own
`RequestResponseCycle.send` keeps account of is kept here, too, so that the two can take turns on a
connection.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

Pairs = list[tuple[bytes, bytes]]

CHUNKED = b"transfer-encoding: chunked\r\n"
CLOSE = b"connection: close\r\n"
END = b"0\r\n\r\n"


class Answering:
    """One request's answer: `whole`, or `begin`, `write` … and `end`."""

    __slots__ = ("_cycle", "_is_chunked", "ends_with_client", "task")

    task: asyncio.Task[Any]  # that answers; set when it begins

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._is_chunked = False
        self.ends_with_client = False  # whether the task is cancelled when the client leaves

    def take_body(self) -> bytes | None:
        """The request's body if all of it has come; None while there is more to wait for."""
        cycle = self._cycle
        if cycle.more_body:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.flow.resume_reading()
        return body

    def whole(self, status: int, pairs: Pairs, body: bytes) -> None:
        """Status, headers (content-length among them) and body in one write."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        head = self._head(status, pairs, b"")
        cycle.transport.write(head + body if cycle.scope["method"] != "HEAD" else head)
        self._complete()

    def begin(self, status: int, pairs: Pairs) -> None:
        """Status and headers of a stream."""
        cycle = self._cycle
        if cycle.disconnected:
            return
        self._is_chunked = cycle.scope["http_version"] == "1.1"
        if not self._is_chunked:
            cycle.keep_alive = False
        cycle.transport.write(self._head(status, pairs, CHUNKED if self._is_chunked else b""))

    def write(self, piece: bytes) -> None:
        """A piece of a stream; empty ones would end it and are passed over."""
        if piece and not self._cycle.disconnected:
            if self._is_chunked:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            self._cycle.transport.write(piece)

    def end(self) -> None:
        if not self._cycle.disconnected:
            if self._is_chunked:
                self._cycle.transport.write(END)
            self._complete()

    def leave(self) -> None:
        """The client has left; the base class tells only the last request on a connection."""
        self._cycle.disconnected = True
        self._cycle.message_event.set()
        if self.ends_with_client:
            self.task.cancel()

    @property
    def is_gone(self) -> bool:
        """Whether the client has left."""
        return self._cycle.disconnected

    @property
    def is_full(self) -> bool:
        """Whether the client takes less than it is given."""
        return self._cycle.flow.write_paused

    async def drained(self) -> None:
        await self._cycle.flow.drain()

    def _head(self, status: int, pairs: Pairs, more: bytes) -> bytes:
        cycle = self._cycle
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        if (b"connection", b"close") in pairs:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            more += CLOSE
        lines = b"\r\n".join(map(b": ".join, (*cycle.default_headers, *pairs)))
        return b"%b%b\r\n%b\r\n" % (STATUS_LINE[status], lines, more)

    def _complete(self) -> None:
        cycle = self._cycle
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
