"""A tenant's settings: in memory on the request path, changed with a line on the audit list.

With them in memory is the tenant's data key, for what settings allow to be kept; it stays wrapped
there, and an opened one is held for at most a minute.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from accounts import audit, changes, time_zones, vault
from accounts.errors import Conflict, Unavailable
from accounts.models import Tenant, TenantSettings
from accounts.single_flight import SingleFlight
from accounts.tenancy import TenantQuerySet, tenant_scope

KIND = "tenant_settings"
OPEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What is switched on, and how much content may be kept."""

    cache_enabled: bool = False
    store_content: bool = False
    content_cap: int = 1000
    retention_days: int = 30
    collect: str = "{}"  # which calls; JSON, see routing.training_data.filters
    time_zone: str = time_zones.UTC  # of weekly reports


class Known:
    """The settings of a tenant and its data key, as the request path has them."""

    def __init__(self, tenant: UUID, its: Settings, sealed_data_key: bytes) -> None:
        self.tenant, self.settings = tenant, its
        self._sealed_data_key = sealed_data_key
        self._opened: tuple[float, bytes] | None = None

    def data_key(self) -> bytes:
        """Raises SealBroken or MasterKeyProblem."""
        now = time.monotonic()
        if self._opened is None or now - self._opened[0] > OPEN_SECONDS:
            masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
            opened = vault.unwrap(self._sealed_data_key, tenant=self.tenant, masters=masters)
            self._opened = (now, opened)
        return self._opened[1]


_known: dict[UUID, Known] = {}
_flights: SingleFlight[UUID, Known] = SingleFlight()


async def known(tenant: UUID) -> Known:
    """From memory, else read once. Raises Unavailable when the database cannot be asked."""
    found = cached(tenant)
    return found or await _flights.run(tenant, lambda: _ask_database(tenant))


def cached(tenant: UUID) -> Known | None:
    """The settings if they are in memory and memory is not cut off from the database."""
    return _known.get(tenant) if changes.feed.age <= changes.CUT_OFF_SECONDS else None


def read(tenant: UUID) -> Settings:
    """The settings as the database has them now. In the caller's scope."""
    return _of(TenantSettings.objects.for_tenant(tenant))


def hold(tenant: UUID) -> Settings:
    """As `read`; nobody changes them before the caller's transaction ends."""
    return _of(TenantSettings.objects.for_tenant(tenant).select_for_update(no_key=True))


def has_switched_off_cache(tenant: UUID) -> bool:
    """Whether caching was on once, and is not. In the caller's scope."""
    return TenantSettings.objects.for_tenant(tenant).filter(cache_enabled=False).exists()


def _of(rows: TenantQuerySet[TenantSettings]) -> Settings:
    row = rows.first()
    if row is None:
        return Settings()
    return Settings(
        cache_enabled=row.cache_enabled,
        store_content=row.store_content,
        content_cap=row.content_cap,
        retention_days=row.retention_days,
        time_zone=row.time_zone,
        collect=msgspec.json.encode(row.collect).decode(),
    )


def change(tenant: Tenant, wishes: dict[str, Any], *, actor: audit.Actor) -> Settings:
    """Change fields of the settings; what is as wished already is left alone."""
    row = _row(tenant)
    changed = {name: wish for name, wish in wishes.items() if getattr(row, name) != wish}
    if changed:
        for name, wish in changed.items():
            setattr(row, name, wish)
        row.save()
        audit.record(tenant, actor=actor, action="settings.changed", subject="settings", **changed)
        changes.record(KIND, tenant=tenant.pk)
    return read(tenant.pk)


def forget_content(tenant: Tenant, at: datetime) -> None:
    """From now on, no content may be kept of calls that began before this moment.

    Waits for whoever writes content right now. In the caller's scope.
    """
    row = _row(tenant)
    row.content_since = at
    row.save(update_fields=["content_since"])


def lock(tenant: UUID) -> TenantSettings | None:
    """The row, which nobody else changes until the caller's transaction ends."""
    return TenantSettings.objects.for_tenant(tenant).select_for_update().first()


def _row(tenant: Tenant) -> TenantSettings:
    """The row, made if there is none, and locked."""
    found = lock(tenant.pk)
    if found is None:
        TenantSettings.objects.for_tenant(tenant).bulk_create(
            [TenantSettings(tenant=tenant)], ignore_conflicts=True
        )
        found = lock(tenant.pk)
    if found is None:
        raise Conflict("The account is being deleted.")
    return found


async def _ask_database(tenant: UUID) -> Known:
    try:
        return await sync_to_async(_load, thread_sensitive=False)(tenant)
    except DatabaseError:
        raise Unavailable("The gateway cannot read your settings at the moment.") from None


def _load(tenant: UUID) -> Known:
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            owner = Tenant.objects.get(pk=tenant)
            found = Known(tenant, read(tenant), bytes(owner.sealed_data_key))
    finally:
        close_old_connections()
    _known[tenant] = found
    if changes.feed.generation != generation:  # it may have changed while we read
        _forget(tenant, None)
    return found


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:
        _known.clear()
    else:
        _known.pop(tenant, None)


changes.listen(KIND, _forget)
changes.listen("tenant", _forget)
