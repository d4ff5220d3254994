"""Where sealed answers are kept. A store knows keys, sizes and times, and no content."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

SHARE_BYTES = 64 * 2**20  # of a tenant; what was not used for longest goes first
OVERHEAD_BYTES = 300  # of a row, beside what is sealed


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A sealed answer, and the gateway key and policy it came under. Seconds since 1970."""

    key: bytes
    sealed: bytes
    expires_at: float
    lineage: UUID
    policy: str = ""

    @property
    def size(self) -> int:
        return len(self.sealed) + OVERHEAD_BYTES


class Holdings(NamedTuple):
    """What a tenant has in a store."""

    entries: int
    size: int


class Store(Protocol):
    """Asked on the loop of the gateway, but for `purge` and `holdings`, which pages ask."""

    async def find(self, tenant: UUID, key: bytes, now: float) -> bytes | None:
        """What is sealed under a key, if its time is not up."""

    async def keep(self, tenant: UUID, row: Kept, now: float) -> None: ...

    async def claim(self, tenant: UUID, key: bytes) -> bool:
        """Whether no other process is getting this answer right now."""

    async def prolong(self, tenant: UUID, key: bytes) -> None:
        """A claim that is still worked on."""

    async def release(self, tenant: UUID, key: bytes) -> None: ...

    async def close(self) -> None: ...

    def purge(self, tenant: UUID, *, policy: str | None = None, lineage: UUID | None = None) -> int:
        """Drop a tenant's answers, or those of a policy or gateway key; how many there were."""

    def holdings(self, tenant: UUID, now: float) -> Holdings: ...


class Alone:
    """The part of a store that no other process takes part in."""

    async def claim(self, tenant: UUID, key: bytes) -> bool:
        return True

    async def prolong(self, tenant: UUID, key: bytes) -> None:
        """Nobody else waits."""

    async def release(self, tenant: UUID, key: bytes) -> None:
        """Nobody else waits."""

    async def close(self) -> None:
        """There is nothing to close."""


class Memory(Alone):
    """In this process alone, gone with it."""

    def __init__(self, share: int = SHARE_BYTES) -> None:
        self._share = share
        self._shelves: dict[UUID, OrderedDict[bytes, Kept]] = {}
        self._sizes: dict[UUID, int] = {}

    async def find(self, tenant: UUID, key: bytes, now: float) -> bytes | None:
        shelf = self._shelves.get(tenant)
        row = shelf.get(key) if shelf else None
        if shelf is None or row is None:
            return None
        if row.expires_at <= now:
            self._drop(tenant, lambda one: one.key == key)
            return None
        shelf.move_to_end(key)
        return row.sealed

    async def keep(self, tenant: UUID, row: Kept, now: float) -> None:
        shelf = self._shelves.setdefault(tenant, OrderedDict())
        before = shelf.pop(row.key, None)
        shelf[row.key] = row
        size = self._sizes.get(tenant, 0) + row.size - (before.size if before else 0)
        while size > self._share and shelf:
            size -= shelf.popitem(last=False)[1].size
        self._sizes[tenant] = size

    def purge(self, tenant: UUID, *, policy: str | None = None, lineage: UUID | None = None) -> int:
        return self._drop(
            tenant,
            lambda row: policy in (None, row.policy) and lineage in (None, row.lineage),
        )

    def clear(self) -> None:
        """Drop everything, of all tenants."""
        self._shelves.clear()
        self._sizes.clear()

    def holdings(self, tenant: UUID, now: float) -> Holdings:
        self._drop(tenant, lambda row: row.expires_at <= now)
        return Holdings(len(self._shelves.get(tenant, ())), self._sizes.get(tenant, 0))

    def _drop(self, tenant: UUID, goes: Callable[[Kept], bool]) -> int:
        shelf = self._shelves.get(tenant)
        gone = [row for row in list(shelf.values()) if goes(row)] if shelf else []
        for row in gone:
            if shelf and shelf.pop(row.key, None):
                self._sizes[tenant] -= row.size
        return len(gone)
