"""The cache's part in a call: look up, wait for a twin, keep what was answered.

`look` comes before anything is reserved or sent. Its outcome is a `Hit`, or a `Keep` that the call
carries to its end: `answered` with a whole answer, or `abandon`; or None where caching is off.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError
from redis.exceptions import RedisError

from accounts import tenant_settings, vault
from accounts.callers import Caller
from accounts.errors import Unavailable
from accounts.tenant_settings import Known
from accounts.vault import MasterKeyProblem, SealBroken
from billing.usage import Usage
from routing.cache import entries, fingerprint, verdict
from routing.cache.entries import Broken, Entry
from routing.cache.stores import Kept, Store
from routing.cache.verdict import Verdict
from routing.chat import ChatRequest
from routing.conversation import Answer
from routing.options import Options
from routing.policy_terms import PolicyInForce

log = logging.getLogger(__name__)

STORE_SECONDS = 0.05  # for a look; then it is a miss
KEEP_SECONDS = 5.0
WAIT_SECONDS = 30.0  # for a twin
POLL_SECONDS = 0.1  # while another process gets the answer
HEARTBEAT_SECONDS = 10.0
OVERDUE_SECONDS = 5.0  # after the end of its call a flight is lost, whatever became of it

_AWAY = (DatabaseError, RedisError, TimeoutError, OSError)
T = TypeVar("T")
Out = TypeVar("Out")


class Hit(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An answer that is there already."""

    entry: Entry


class Wanted(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What the cache has to know of a call."""

    chat: ChatRequest
    caller: Caller
    endpoint: str
    wishes: Options
    headers: Iterable[tuple[bytes, bytes]]
    policy: PolicyInForce | None
    seconds_left: float
    is_observed: bool = False  # by an experiment, which wants fresh answers


class Flight:
    """One call that gets an answer, and those who wait for it."""

    def __init__(self, lasts_s: float) -> None:
        self.landed: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
        self.followers = 0
        self._overdue_at = time.monotonic() + lasts_s + OVERDUE_SECONDS

    @property
    def is_overdue(self) -> bool:
        """Whether its call must have ended long ago: nobody is to wait for it."""
        return time.monotonic() > self._overdue_at

    def land(self, entry: Entry | None) -> None:
        if not self.landed.done():
            self.landed.set_result(entry)


class Cache:
    """The answers that this process may find, and those that it is getting."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.flights: dict[tuple[UUID, bytes], Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def verdict(self, wanted: Wanted) -> tuple[Verdict, Known | None]:
        """Whether this call takes part, and with whose key."""
        if wanted.is_observed:
            return verdict.OBSERVED, None
        terms = wanted.policy.terms if wanted.policy else None
        asked = verdict.wished(wanted.chat, wanted.wishes, terms, wanted.headers)
        if not asked.is_on:
            return asked, None
        try:
            known = await tenant_settings.known(wanted.caller.tenant_id)
        except Unavailable:
            return verdict.off("the settings cannot be read at the moment"), None
        return (asked, known) if known.settings.cache_enabled else (verdict.NOT_ENABLED, None)

    async def explained(self, wanted: Wanted) -> dict[str, str]:
        """What a call would find, as data."""
        asked, known = await self.verdict(wanted)
        keep = self._keep(wanted, asked, known) if known else None
        if isinstance(keep, Verdict):
            asked, keep = keep, None
        if keep is None:
            return {"verdict": "OFF", "why": asked.why}
        found = await self.find(keep) if asked.reads else None
        return {"verdict": "HIT" if found else "MISS", "why": asked.why}

    async def look(self, wanted: Wanted) -> "Hit | Keep | None":
        """Find the answer, or wait for whoever is getting it; else the call gets it itself."""
        asked, known = await self.verdict(wanted)
        keep = self._keep(wanted, asked, known) if known else None
        if not isinstance(keep, Keep):
            return None
        flight = self.flights.get(keep.place)
        if flight and flight.is_overdue:
            log.error("a call of the response cache never ended")
            flight.land(None)
            flight = None
        if flight and asked.reads:
            entry = await _followed(flight, wanted.seconds_left)
            return Hit(entry) if entry else keep
        if flight:
            return keep
        keep.lead(wanted.seconds_left)
        if not asked.reads:
            return keep
        try:
            entry = await self._first(keep, wanted.seconds_left)
        except BaseException:
            keep.abandon()
            raise
        if entry is None:
            return keep
        keep.found(entry)
        return Hit(entry)

    async def find(self, keep: "Keep") -> Entry | None:
        """What is kept; whatever is wrong with it or with the store is a miss."""
        now = time.time()
        tenant, key = keep.place
        try:
            async with asyncio.timeout(STORE_SECONDS):
                sealed = await self.store.find(tenant, key, now)
            if sealed is None:
                return None
            entry = entries.unseal(sealed, data_key=keep.data_key, tenant=tenant, key=key)
        except _AWAY:
            log.warning("the response cache cannot be read", exc_info=True)
            return None
        except Broken:
            log.warning("a cached answer does not open", extra={"tenant": str(tenant)})
            return None
        return entry if entry.expires_at > now and keep.allows(entry) else None

    async def _first(self, keep: "Keep", seconds_left: float) -> Entry | None:
        """What is kept, or what another process is about to keep."""
        until = time.monotonic() + min(WAIT_SECONDS, seconds_left)
        while True:
            entry = await self.find(keep)
            if entry or time.monotonic() >= until:
                return entry
            try:
                async with asyncio.timeout(STORE_SECONDS):
                    is_ours = await self.store.claim(*keep.place)
                if is_ours:
                    keep.claimed()
                    return None
            except _AWAY:
                return None
            await asyncio.sleep(POLL_SECONDS)

    def _keep(self, wanted: Wanted, asked: Verdict, known: Known) -> "Keep | Verdict":
        try:
            data_key = known.data_key()
        except (SealBroken, MasterKeyProblem):
            return verdict.off("the tenant's key does not open")
        caller = wanted.caller
        print_of = fingerprint.of(
            wanted.chat,
            cache_key=vault.key_for(data_key, entries.KEY_USE),
            mode=caller.mode,
            lineage=caller.lineage,
            endpoint=wanted.endpoint,
            policy=wanted.policy,
        )
        if reason := verdict.unfit_content(print_of.text):
            return verdict.off(reason)
        policy = wanted.policy.name if wanted.policy else ""
        return Keep(
            self,
            known,
            (caller.tenant_id, print_of.key),
            ttl_s=asked.ttl_s,
            caller=caller,
            policy=policy,
        )

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Let what is being kept be kept."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=KEEP_SECONDS)
        await self.store.close()


class Keep:
    """A call whose answer may be kept, under its key. Ends once: `answered` or `abandon`."""

    def __init__(
        self,
        cache: Cache,
        known: Known,
        place: tuple[UUID, bytes],
        *,
        ttl_s: int,
        caller: Caller,
        policy: str,
    ) -> None:
        self._cache, self._known, self._ttl_s = cache, known, ttl_s
        self._caller, self._policy = caller, policy
        self.place, self.data_key = place, known.data_key()
        self._flight: Flight | None = None
        self._heart: asyncio.Task[None] | None = None

    @property
    def has_followers(self) -> bool:
        return self._flight is not None and self._flight.followers > 0

    def allows(self, entry: Entry) -> bool:
        """Whether the key may still use the model that answered."""
        caller = self._caller
        return caller.may_use(entry.model) or caller.may_use(f"{entry.provider}/{entry.model}")

    def lead(self, lasts_s: float) -> None:
        """Others may wait for this call, which ends within so many seconds."""
        self._flight = self._cache.flights[self.place] = Flight(lasts_s)

    def claimed(self) -> None:
        """Other processes wait for this call, as long as its heart beats."""
        self._heart = self._cache.begin(self._beat())

    def go_on(
        self, work: "asyncio.Task[T]", alone: Callable[[T], Coroutine[Any, Any, None]]
    ) -> None:
        """The caller has left the work to those who wait for it."""

        async def finish() -> None:
            await alone(await work)

        self._cache.begin(finish())

    def found(self, entry: Entry) -> None:
        """It was there already."""
        self._land(entry)
        self._end()

    def abandon(self) -> None:
        """There will be no answer to keep: each who waits goes alone."""
        if self._flight is None:
            return
        self._land(None)
        self._cache.begin(self._release())

    def answered(
        self, answer: Answer | None, usage: Usage | None, *, by: tuple[str, str], reason: str
    ) -> None:
        """Keep a whole answer of a provider and model, if it may be kept."""
        if answer is None or usage is None or not entries.is_keepable(answer):
            self.abandon()
            return
        now = time.time()
        entry = Entry(
            answer=answer,
            usage=usage,
            provider=by[0],
            model=by[1],
            finish_reason=reason,
            created_at=now,
            expires_at=now + self._ttl_s,
        )
        self._land(entry)
        self._cache.begin(self._write(entry, now))

    async def _write(self, entry: Entry, now: float) -> None:
        """Until it is in the store, the flight answers for it."""
        tenant, key = self.place
        try:
            known = await tenant_settings.known(tenant)
            if not known.settings.cache_enabled:  # switched off meanwhile
                return
            sealed = entries.seal(entry, data_key=self.data_key, tenant=tenant, key=key)
            row = Kept(key, sealed, entry.expires_at, self._caller.lineage, self._policy)
            async with asyncio.timeout(KEEP_SECONDS):
                await self._cache.store.keep(tenant, row, now)
            known = await tenant_settings.known(tenant)
            if not known.settings.cache_enabled:  # too late for the purge that came with it
                purge = sync_to_async(self._cache.store.purge, thread_sensitive=False)
                await purge(tenant)
        except (*_AWAY, Unavailable):
            log.warning("an answer could not be kept", exc_info=True)
        finally:
            await self._release()

    def _land(self, entry: Entry | None) -> None:
        if self._flight:
            self._flight.land(entry)

    def _end(self) -> None:
        if self._flight and self._cache.flights.get(self.place) is self._flight:
            del self._cache.flights[self.place]

    async def _release(self) -> None:
        self._end()
        if self._heart is None:
            return
        self._heart.cancel()
        with contextlib.suppress(*_AWAY):
            await self._cache.store.release(*self.place)

    async def _beat(self) -> None:
        with contextlib.suppress(*_AWAY, asyncio.CancelledError):
            while True:
                await asyncio.sleep(HEARTBEAT_SECONDS)
                await self._cache.store.prolong(*self.place)


async def _followed(flight: Flight, seconds_left: float) -> Entry | None:
    """The answer that another call gets; None if it fails or takes too long."""
    flight.followers += 1
    try:
        async with asyncio.timeout(min(WAIT_SECONDS, seconds_left)):
            return await asyncio.shield(flight.landed)
    except TimeoutError:
        return None
    finally:
        flight.followers -= 1
