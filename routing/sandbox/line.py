"""The connection of one exchange: read its request, write its answer, notice when it is left."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from routing.sandbox.answers import Headers

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "sandbox.transport"
MOST_BYTES = 64 * 2**20
_NO_LINGER = struct.pack("ii", 1, 0)


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which shows its connection to the application: faults end it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"is": self.transport}}


class Left(Exception):
    """The client has gone away."""


class TooLarge(Exception):
    """The body is larger than any provider takes."""


class Line:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._transport: asyncio.Transport = scope["extensions"][TRANSPORT]["is"]
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Task[None] | None = None
        self.began_at = self._loop.time()
        self.gone_at = 0.0
        self.has_begun = False  # to answer

    async def body(self) -> bytes:
        """The request's body. Raises Left, TooLarge."""
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Left
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MOST_BYTES:
                self._gone = self._loop.create_task(self._watch())
                raise TooLarge
            if not message.get("more_body"):
                self._gone = self._loop.create_task(self._watch())
                return b"".join(parts)

    async def pause(self, seconds: float) -> None:
        """Wait. Raises Left if the client goes away meanwhile."""
        await self._wait(seconds)
        if self._gone is None or self._gone.done():
            raise Left

    async def head(self, status: int, headers: Headers) -> None:
        """Begin the answer."""
        self.has_begun = True
        fields = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": fields})

    async def write(self, data: bytes) -> None:
        """Some bytes of the body. Raises Left."""
        if self._gone is None or self._gone.done():
            raise Left
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """The last bytes of the answer."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})
        self.close()

    async def until_left(self) -> None:
        """Be silent until the client goes away. Raises Left."""
        await self._wait(None)
        raise Left

    async def reset(self) -> None:
        """Reset the connection: the client gets an error and no end of file."""
        fd = self._transport.get_extra_info("socket").fileno()
        # A twin of the socket, since uvloop's own does not take options.
        with socket.socket(fileno=os.dup(fd)) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()
        await self._wait(1.0)

    async def hang_up(self) -> None:
        """Close the connection in the middle of the answer, after what was written."""
        self._transport.close()
        await self._wait(1.0)

    def close(self) -> None:
        """Stop watching."""
        if self._gone is not None and not self._gone.done():
            self._gone.cancel()

    async def _wait(self, seconds: float | None) -> None:
        if self._gone is not None and not self._gone.done():
            await asyncio.wait({self._gone}, timeout=seconds)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone_at = self._loop.time()
