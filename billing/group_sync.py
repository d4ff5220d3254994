"""Durability against power loss: many calls wait for one sync of the journal.

While one sync runs, everybody who writes meanwhile waits for the next: so the disk works without
pause under load, and a lone call waits for one sync only.
"""

import asyncio
import logging

from billing.errors import LedgerUnavailable
from billing.journal import Journal, Unsynced

log = logging.getLogger(__name__)


class GroupSync:
    """Syncs of one journal; use from one event loop."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._current: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None
        self.syncs = 0

    async def durable(self) -> None:
        """Wait until all that is written by now is on the disk. Raises LedgerUnavailable.

        Returns at once where the installation does not ask for it.
        """
        if not self._journal.is_group:
            return
        if self._next is None:
            self._next = asyncio.ensure_future(self._run(self._current))
        # One who waits may be cancelled; the others still wait for the same sync.
        await asyncio.shield(self._next)

    async def _run(self, previous: "asyncio.Task[None] | None") -> None:
        if previous is not None:
            await asyncio.wait({previous})
        self._current, self._next = self._next, None
        try:
            unsynced = self._journal.to_sync()
        except OSError as error:  # no descriptor is left; the lines wait for the next sync
            log.exception("the journal cannot be synced")
            raise LedgerUnavailable from error
        try:
            await self._force(unsynced)
        except OSError:
            log.exception("the journal cannot be synced; it goes on in a new file")
            self._journal.start_anew(unsynced.lines)
            try:
                await self._force(self._journal.to_sync())
            except OSError as error:
                raise LedgerUnavailable from error

    async def _force(self, unsynced: Unsynced) -> None:
        self.syncs += 1
        await asyncio.to_thread(unsynced.force)
