"""What processes tell each other through Redis, every two seconds. No call waits for it.

One stream: each process appends what it learned and reads what the others did, a new one from the
last five minutes on. Without Redis, or while it is away, each process learns alone.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from routing.health.outbox import News
from routing.health.state import State

log = logging.getLogger(__name__)

STREAM = "flo2:health:1"  # the number of the format
EVERY_SECONDS = 2.0
KEPT_SECONDS = 300.0
PATIENCE_SECONDS = 1.0
MOST_AT_ONCE = 500
LARGEST_BYTES = 4 * 2**20

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(News)


class Sharing:
    """Tells and hears, until `stop`."""

    def __init__(
        self, state: State, url: str, *, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._state, self._wall_clock = state, wall_clock
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
        )
        self.sender = uuid4().hex
        self._heard = f"{int((wall_clock() - KEPT_SECONDS) * 1000)}-0"
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._state.outbox.is_on = True
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        self._state.outbox.is_on = False
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()

    async def exchange(self) -> None:
        """Tell and hear once. Raises RedisError or OSError."""
        await self._tell()
        await self._hear()

    async def _run(self) -> None:
        failing = False
        while True:
            try:
                await self.exchange()
                failing = False
            except (RedisError, OSError):
                if not failing:
                    log.warning("health is not shared: Redis cannot be reached", exc_info=True)
                failing = True
            except Exception:  # the task's edge: what it learns alone is worth more than its end
                log.exception("health is not shared")
            await asyncio.sleep(EVERY_SECONDS)

    async def _tell(self) -> None:
        now = self._wall_clock()
        news = self._state.outbox.take(self.sender, at=now)
        if news is None:
            return
        data = _encoder.encode(news)
        if len(data) > LARGEST_BYTES:
            log.warning("health is not shared: too much was learned at once")
            return
        oldest = int((now - KEPT_SECONDS) * 1000)
        await self._redis.xadd(STREAM, {"news": data}, minid=oldest, approximate=True)
        await self._redis.expire(STREAM, int(2 * KEPT_SECONDS))

    async def _hear(self) -> None:
        while True:
            found: Any = await self._redis.xread({STREAM: self._heard}, count=MOST_AT_ONCE)
            entries = _entries(found)
            for number, fields in entries:
                self._heard = number.decode()
                self._add(fields[b"news"])
            if len(entries) < MOST_AT_ONCE:
                return

    def _add(self, data: bytes) -> None:
        try:
            news = _decoder.decode(data)
        except msgspec.MsgspecError:
            log.warning("health: an entry of the stream cannot be read")
            return
        if news.sender != self.sender:
            self._state.hear(news, wall_now=self._wall_clock())


def _entries(found: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The entries of the one stream that was read: a list in RESP2, a mapping in RESP3."""
    if not found:
        return []
    entries: Any = found[STREAM.encode()] if isinstance(found, dict) else found[0][1]
    if isinstance(found, dict) and len(entries) == 1 and isinstance(entries[0], list):
        return list(entries[0])
    return list(entries)
