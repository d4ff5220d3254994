"""A tenant's provider keys, from memory on the request path.

A ring is loaded by one query and serves until a change of one of its keys is announced. Secrets
stay sealed on the ring; an opened one is kept for at most a minute.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from accounts import changes, provider_keys, vault
from accounts.errors import Unavailable
from accounts.models import ProviderKey, Tenant
from accounts.secret import Secret
from accounts.single_flight import SingleFlight
from accounts.tenancy import tenant_scope

OPEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class RingKey:
    """A provider key as a call sees it."""

    key_id: UUID
    provider: str
    last4: str
    weight: int
    enabled: bool
    status: str
    checked_at: datetime | None
    base_url: str
    sealed: bytes = field(repr=False)


class Keyring:
    """The keys of one tenant, in the order they were added."""

    def __init__(self, tenant: UUID, sealed_data_key: bytes, keys: list[RingKey]) -> None:
        self.tenant = tenant
        self.keys = tuple(keys)
        self.by_provider: dict[str, tuple[RingKey, ...]] = {}
        for key in keys:
            self.by_provider[key.provider] = (*self.by_provider.get(key.provider, ()), key)
        self._sealed_data_key = sealed_data_key
        self._opened: dict[UUID, tuple[float, Secret]] = {}

    def secret(self, key: RingKey) -> Secret:
        """The secret of a key of this ring. Raises SealBroken or MasterKeyProblem."""
        now = time.monotonic()
        kept = self._opened.get(key.key_id)
        if kept and now - kept[0] < OPEN_SECONDS:
            return kept[1]
        masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
        data_key = vault.unwrap(self._sealed_data_key, tenant=self.tenant, masters=masters)
        secret = provider_keys.opened(
            key.sealed,
            data_key=data_key,
            tenant=self.tenant,
            key=key.key_id,
            provider=key.provider,
        )
        self._opened[key.key_id] = (now, secret)
        return secret


EMPTY = Keyring(UUID(int=0), b"", [])
_rings: dict[UUID, Keyring] = {}
_flights: SingleFlight[UUID, Keyring] = SingleFlight()


def cached(tenant: UUID) -> Keyring | None:
    """The ring if it is in memory and memory is not cut off from the database."""
    return _rings.get(tenant) if changes.feed.age <= changes.CUT_OFF_SECONDS else None


async def load(tenant: UUID) -> Keyring:
    """Read a tenant's ring. Raises Unavailable when the database cannot be asked."""
    return await _flights.run(tenant, lambda: _ask_database(tenant))


async def _ask_database(tenant: UUID) -> Keyring:
    try:
        return await sync_to_async(_read, thread_sensitive=False)(tenant)
    except DatabaseError:
        raise Unavailable("The gateway cannot read your provider keys at the moment.") from None


def read(tenant: UUID) -> Keyring:
    """The ring as the database has it now. In the caller's scope."""
    owner = Tenant.objects.get(pk=tenant)
    rows = ProviderKey.objects.for_tenant(tenant).order_by("created_at", "id")
    return Keyring(tenant, bytes(owner.sealed_data_key), [_ring_key(row) for row in rows])


def _read(tenant: UUID) -> Keyring:
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            ring = read(tenant)
    finally:
        close_old_connections()
    _rings[tenant] = ring
    if changes.feed.generation != generation:  # it may have changed while we read
        _forget(tenant, None)
    return ring


def _ring_key(row: ProviderKey) -> RingKey:
    return RingKey(
        key_id=row.pk,
        provider=row.provider,
        last4=row.last4,
        weight=row.weight,
        enabled=row.enabled,
        status=row.status,
        checked_at=row.checked_at,
        base_url=row.base_url,
        sealed=bytes(row.sealed_secret),
    )


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:
        _rings.clear()
    else:
        _rings.pop(tenant, None)


changes.listen("provider_key", _forget)
changes.listen("tenant", _forget)
