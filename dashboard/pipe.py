"""A call's stream on its way to a page: what the gateway writes, Django's response reads."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

MOST_PIECES = 64


class Pipe:
    """An outlet of `routing.relaying` with its other end."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_closed = False

    @property
    def is_full(self) -> bool:
        return len(self._pieces) >= MOST_PIECES

    def write(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._changed.set()
            if self.is_full:
                self._has_room.clear()

    async def drained(self) -> None:
        await self._has_room.wait()

    def close(self) -> None:
        """Nothing more is written."""
        self._is_closed = True
        self._changed.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What was written, until the pipe is closed and empty."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._has_room.set()
                yield piece
            if self._is_closed:
                return
            self._changed.clear()
            await self._changed.wait()
