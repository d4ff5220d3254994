"""Let those who want the same thing at the same time share one effort to get it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """`run(key, get)` awaits `get()` once for all who ask for the key meanwhile.

    The effort is a task of its own: that the first who asked goes away does not end it.
    """

    def __init__(self) -> None:
        self._flying: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, get: Callable[[], Awaitable[V]]) -> V:
        task = self._flying.get(key)
        if task is None:
            task = asyncio.ensure_future(self._get(key, get))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._flying[key] = task
        return await asyncio.shield(task)

    async def _get(self, key: K, get: Callable[[], Awaitable[V]]) -> V:
        try:
            return await get()
        finally:
            del self._flying[key]
