"""The store of this installation, by `FLO2_CACHE_STORE`; and purges that reach every process."""

import logging
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

from accounts import audit, changes, tenant_settings
from accounts.errors import Unavailable
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from accounts.tenant_settings import Settings
from routing import idempotent_rows
from routing.cache.shared import Shared
from routing.cache.stores import Holdings, Memory, Store
from routing.cache.table import Table

log = logging.getLogger(__name__)

PURGED, SWITCHED_OFF = "cache_purged", "cache_switched_off"
T = TypeVar("T")


@lru_cache(maxsize=1)
def store() -> Store:
    """The one store of this process."""
    if settings.FLO2_CACHE_STORE == "redis":
        return Shared(settings.REDIS_URL)
    return Memory() if settings.FLO2_CACHE_STORE == "memory" else Table()


def holdings(tenant: UUID, now: float) -> Holdings:
    """What is kept of a tenant, in its scope. Raises Unavailable."""
    return _reached(partial(store().holdings, tenant, now))


def purge(
    tenant: Tenant,
    *,
    actor: audit.Actor,
    policy: str | None = None,
    lineage: UUID | None = None,
) -> int:
    """Drop a tenant's kept answers, or those of a policy or a gateway key; how many there were.

    Raises Unavailable while the store is away: then all is as before.
    """
    gone = _reached(partial(store().purge, tenant.pk, policy=policy, lineage=lineage))
    if policy is None and lineage is None:
        idempotent_rows.forget_answers(tenant.pk)
    what = policy or (str(lineage) if lineage else "everything")
    audit.record(tenant, actor=actor, action="cache.purged", subject=what, answers=gone)
    changes.record(PURGED, tenant=tenant.pk)
    return gone


def switch(tenant: Tenant, *, on: bool, actor: audit.Actor) -> Settings:
    """Switch caching on or off. Off drops what is kept, and holds though the store is away.

    What lies in a store that is away is out of reach, and dropped when it is back: by
    `forget_switched_off`, or before caching is switched on again. Raises Unavailable for the latter
    while the store cannot be reached.
    """
    if on and not tenant_settings.read(tenant.pk).cache_enabled:
        _reached(partial(store().purge, tenant.pk))
    changed = tenant_settings.change(tenant, {"cache_enabled": on}, actor=actor)
    if not on:
        idempotent_rows.forget_answers(tenant.pk)
        kept = store()
        if isinstance(kept, Table):
            kept.purge(tenant.pk)
        else:
            transaction.on_commit(partial(_purge_if_reached, tenant.pk))
        changes.record(SWITCHED_OFF, tenant=tenant.pk)
    return changed


def forget_switched_off(tenant: UUID) -> None:
    """Drop what is still kept of a tenant that has switched caching off."""
    with tenant_scope(tenant):
        if tenant_settings.has_switched_off_cache(tenant):
            idempotent_rows.forget_answers(tenant)
            _purge_if_reached(tenant)


def _reached(ask: Callable[[], T]) -> T:
    """What the store says. Raises Unavailable."""
    try:
        return ask()
    except RedisError:
        raise Unavailable("The response cache cannot be reached at the moment.") from None


def _purge_if_reached(tenant: UUID) -> None:
    try:
        store().purge(tenant)
    except RedisError:
        log.warning("the response cache cannot be reached", extra={"tenant": str(tenant)})


def _forget_own(tenant: UUID | None, _: UUID | None) -> None:
    """What a process holds in its own memory goes as a whole: the feed names no policy."""
    kept = store()
    if not isinstance(kept, Memory):
        return
    if tenant:
        kept.purge(tenant)
    else:
        kept.clear()


def _forget_all(tenant: UUID | None, _: UUID | None) -> None:
    """Once more after an opt-out was committed: answers were under way meanwhile."""
    if tenant:
        with tenant_scope(tenant):
            idempotent_rows.forget_answers(tenant)
        _purge_if_reached(tenant)


changes.listen(PURGED, _forget_own)
changes.listen(SWITCHED_OFF, _forget_all)
