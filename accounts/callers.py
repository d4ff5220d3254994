"""Who is calling: a gateway key's text → Caller, from memory on the request path.

A key that is in memory costs one fingerprint and one look-up. A miss makes one query in a thread,
by the key's HMAC; misses are rationed, so that a flood of invented keys cannot become a flood of
queries.
"""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Final
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from accounts import addresses, changes, ids, tokens
from accounts.addresses import Network
from accounts.errors import (
    AddressNotAllowed,
    InvalidApiKey,
    KeyExpired,
    TenantSuspended,
    Unavailable,
)
from accounts.models import GatewayKey
from accounts.single_flight import SingleFlight
from accounts.tenancy import system_scope

MISSES_PER_SECOND = 200
UNKNOWN_SECONDS = 5.0  # how long an unknown key is remembered as unknown


@dataclass(frozen=True, slots=True, eq=False)
class Caller:
    """A recognised gateway key: whose it is and what it may do."""

    tenant_id: UUID
    tenant: str  # ten_…
    key_id: UUID
    key: str  # key_…
    mode: str
    project_id: UUID | None
    lineage: UUID
    allowed_models: tuple[str, ...] | None
    allowed_networks: tuple[Network, ...] | None
    expires_at: datetime | None
    expires_epoch: float
    is_suspended: bool
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_parallel: int | None = None
    policy: str = ""  # the name of the routing policy of its calls

    @property
    def is_test(self) -> bool:
        return self.mode == "test"

    def may_use(self, model: str) -> bool:
        """Whether the key's list of models allows this one; `*` stands for any characters."""
        if self.allowed_models is None:
            return True
        return any(fnmatchcase(model, pattern) for pattern in self.allowed_models)


class Ration:
    """At most `rate` permits a second, with a burst of one second's worth."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._at = rate, clock()

    def take(self) -> bool:
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


_callers: dict[bytes, Caller] = {}  # by fingerprint
_unknown: dict[bytes, float] = {}
_process_key: Final = os.urandom(64)
_flights: SingleFlight[bytes, Caller | None] = SingleFlight()
_ration = Ration(MISSES_PER_SECOND)
_UNKNOWN_LIMIT: Final = 10_000


def recognise_cached(text: str) -> Caller | None:
    """The caller if the key is in memory and memory is fresh; None says: ask `recognise`."""
    if changes.feed.age > changes.FRESH_SECONDS:
        return None
    return _callers.get(_fingerprint(text))


async def recognise(text: str) -> Caller:
    """The caller behind a key's text.

    Raises InvalidApiKey for malformed, unknown and revoked keys, Unavailable when the database
    would be needed and cannot be asked.
    """
    if not tokens.is_well_formed(text):
        raise InvalidApiKey
    fingerprint = _fingerprint(text)
    caller = _callers.get(fingerprint)
    if caller and changes.feed.age <= changes.CUT_OFF_SECONDS:
        return caller
    if time.monotonic() - _unknown.get(fingerprint, -UNKNOWN_SECONDS) < UNKNOWN_SECONDS:
        raise InvalidApiKey
    caller = await _flights.run(fingerprint, lambda: _ask_database(text, fingerprint))
    if caller is None:
        raise InvalidApiKey
    return caller


def admit(caller: Caller, *, address: str, now_epoch: float) -> None:
    """Refuse a caller who may not call now, or not from there. Raises a GatewayError."""
    if caller.is_suspended:
        raise TenantSuspended
    if now_epoch >= caller.expires_epoch and caller.expires_at:
        raise KeyExpired(expired_at=caller.expires_at.isoformat(timespec="seconds"))
    networks = caller.allowed_networks
    if networks is not None and not addresses.is_in(address, networks):
        raise AddressNotAllowed(address=address or "an unknown address")


def _fingerprint(text: str) -> bytes:
    """What memory knows a key by: keyed, of this process alone, and cheaper than its HMAC."""
    return hashlib.blake2b(text.encode(), digest_size=32, key=_process_key).digest()


async def _ask_database(text: str, fingerprint: bytes) -> Caller | None:
    if not _ration.take():
        raise Unavailable
    try:
        return await sync_to_async(_load, thread_sensitive=False)(text, fingerprint)
    except DatabaseError:
        raise Unavailable from None


def _load(text: str, fingerprint: bytes) -> Caller | None:
    generation = changes.feed.generation
    digests = [tokens.digest(text, pepper) for pepper in tokens.peppers(settings.FLO2_KEY_PEPPERS)]
    try:
        with system_scope():
            rows = GatewayKey.objects.select_related("tenant")
            key = rows.filter(digest__in=digests, revoked_at=None).first()
    finally:
        close_old_connections()
    if key is None:
        if len(_unknown) >= _UNKNOWN_LIMIT:
            _unknown.clear()
        _unknown[fingerprint] = time.monotonic()
        return None
    caller = _caller_of(key)
    _callers[fingerprint] = caller
    if changes.feed.generation != generation:  # it may have changed while we read
        _callers.pop(fingerprint, None)
    return caller


def _caller_of(key: GatewayKey) -> Caller:
    cidrs = key.allowed_cidrs
    return Caller(
        tenant_id=key.tenant_id,
        tenant=ids.show("ten", key.tenant_id),
        key_id=key.pk,
        key=ids.show("key", key.pk),
        mode=key.mode,
        project_id=key.project_id,
        lineage=key.lineage,
        allowed_models=None if key.allowed_models is None else tuple(key.allowed_models),
        allowed_networks=None if cidrs is None else tuple(ip_network(cidr) for cidr in cidrs),
        expires_at=key.expires_at,
        expires_epoch=key.expires_at.timestamp() if key.expires_at else float("inf"),
        is_suspended=key.tenant.is_suspended,
        requests_per_minute=_least(key.requests_per_minute, key.tenant.key_requests_per_minute),
        tokens_per_minute=key.tokens_per_minute,
        max_parallel=key.max_parallel,
        policy=key.policy,
    )


def _least(own: int | None, operators: int | None) -> int | None:
    given = [limit for limit in (own, operators) if limit is not None]
    return min(given, default=None)


def _forget(tenant: UUID | None, key: UUID | None) -> None:
    """Drop the callers of a tenant, or of one key of it; all without either."""
    for fingerprint, caller in list(_callers.items()):
        if caller.key_id == key or (key is None and tenant in {None, caller.tenant_id}):
            _callers.pop(fingerprint, None)
    _unknown.clear()


changes.listen("gateway_key", _forget)
changes.listen("tenant", lambda tenant, _: _forget(tenant, None))
