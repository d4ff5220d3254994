"""A stream's outlet that remembers what it was given, within bounds."""

import threading

from routing.relaying import Outlet


class Room:
    """Bytes that may be remembered at a time, by all calls together."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there was room; it is to be given back."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._left += size

    @property
    def left(self) -> int:
        return self._left


class Heard:
    """Passes everything on; `answer` is all of it, or empty if it was longer than `most`."""

    def __init__(self, out: Outlet, *, most: int, room: Room | None = None) -> None:
        self._out, self._most, self._room = out, most, room
        self._heard: list[bytes] = []
        self._size = 0
        self._is_whole = True

    @property
    def is_full(self) -> bool:
        return self._out.is_full

    @property
    def answer(self) -> bytes:
        return b"".join(self._heard) if self._is_whole else b""

    @property
    def size(self) -> int:
        """Bytes that are remembered, and taken of the room."""
        return self._size

    def write(self, piece: bytes) -> None:
        self._out.write(piece)
        if self._is_whole:
            self._hear(piece)

    async def drained(self) -> None:
        await self._out.drained()

    def forget(self) -> None:
        """Leave the room to others."""
        if self._room:
            self._room.give_back(self._size)
        self._heard, self._size, self._is_whole = [], 0, False

    def _hear(self, piece: bytes) -> None:
        size = len(piece)
        if self._size + size > self._most or (self._room and not self._room.take(size)):
            self.forget()
            return
        self._heard.append(piece)
        self._size += size
