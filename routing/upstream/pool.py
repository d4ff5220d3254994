"""Connections to all providers: a last-in-first-out pool for the hot path.

httpx's own pool costs a millisecond per call and grows with idle connections; this one costs some
microseconds. TLS is verified and addresses are checked before every connect (`guard`).
"""

import asyncio
import ssl
import time
from typing import Final

import certifi

from routing.upstream import guard
from routing.upstream.connection import Broken, Connection, Origin, TimedOut

IDLE_SECONDS: Final = 45.0
TICK_SECONDS: Final = 0.25


class Pool:
    """The connections of this process to all providers."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.busy: set[Connection] = set()
        self._idle: dict[Origin, list[Connection]] = {}
        self._tls = ssl.create_default_context(cafile=certifi.where())
        self._ticker = self.loop.call_later(TICK_SECONDS, self._tick)

    def kept(self, origin: Origin) -> Connection | None:
        """An idle connection, the one used last first."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    async def fresh(self, origin: Origin, *, connect_s: float) -> Connection:
        """A new connection, to an address that is checked now. Raises Trouble."""
        try:
            async with asyncio.timeout(connect_s):
                return await self._connect(origin)
        except TimeoutError:
            raise TimedOut(f"no connection within {connect_s:g} s") from None
        except (OSError, ssl.SSLError) as error:
            raise Broken(f"no connection: {error}") from None

    def keep(self, connection: Connection) -> None:
        connection.idle_since = time.monotonic()
        self._idle.setdefault(connection.origin, []).append(connection)

    def lost(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.busy.discard(connection)
        idle = self._idle.get(connection.origin)
        if idle and connection in idle:
            idle.remove(connection)

    def close(self) -> None:
        """Close everything: calls that are still busy fail."""
        self._ticker.cancel()
        for connections in list(self._idle.values()):
            for connection in list(connections):
                connection.close()
        for connection in list(self.busy):
            connection.fail(Broken("the gateway is stopping"))

    async def _connect(self, origin: Origin) -> Connection:
        tls = self._tls if origin.scheme == "https" else None
        refused: OSError | None = None
        for address in await guard.addresses(origin.host, origin.port, guarded=origin.guarded):
            try:
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self, origin),
                    address,
                    origin.port,
                    ssl=tls,
                    server_hostname=origin.host if tls else None,
                )
            except ssl.SSLError:
                raise
            except OSError as error:
                refused = error
            else:
                return connection
        raise refused or OSError("the name has no address")

    def _tick(self) -> None:
        """Look around, again and again: without it no silence would ever end."""
        try:
            self._look_around(time.monotonic())
        finally:
            self._ticker = self.loop.call_later(TICK_SECONDS, self._tick)

    def _look_around(self, now: float) -> None:
        """Fail the exchanges that have been silent for too long; drop old idle connections."""
        for connection in [c for c in self.busy if c.deadline < now]:
            connection.fail(TimedOut("the provider was silent for too long"))
        for connection in list(self.busy):  # who is given a sign may end its exchange
            connection.give_sign(now)
        for connections in self._idle.values():
            while connections and now - connections[0].idle_since > IDLE_SECONDS:
                connections.pop(0).close()
