"""The store of this installation, by `FLO2_CACHE_STORE`; and purges that reach every process."""

from functools import lru_cache
from uuid import UUID

from django.conf import settings

from accounts import audit, changes, tenant_settings
from accounts.models import Tenant
from accounts.tenant_settings import Settings
from routing import idempotent_rows
from routing.cache.shared import Shared
from routing.cache.stores import Memory, Store
from routing.cache.table import Table

KIND = "cache_purged"


@lru_cache(maxsize=1)
def store() -> Store:
    """The one store of this process."""
    if settings.FLO2_CACHE_STORE == "redis":
        return Shared(settings.REDIS_URL)
    return Memory() if settings.FLO2_CACHE_STORE == "memory" else Table()


def purge(
    tenant: Tenant,
    *,
    actor: audit.Actor,
    policy: str | None = None,
    lineage: UUID | None = None,
) -> int:
    """Drop a tenant's kept answers, or those of a policy or a gateway key; how many there were."""
    gone = store().purge(tenant.pk, policy=policy, lineage=lineage)
    if policy is None and lineage is None:
        idempotent_rows.forget_answers(tenant.pk)
    what = policy or (str(lineage) if lineage else "everything")
    audit.record(tenant, actor=actor, action="cache.purged", subject=what, answers=gone)
    changes.record(KIND, tenant=tenant.pk)
    return gone


def switch(tenant: Tenant, *, on: bool, actor: audit.Actor) -> Settings:
    """Switch caching on or off; off drops what is kept."""
    changed = tenant_settings.change(tenant, {"cache_enabled": on}, actor=actor)
    if not on:
        store().purge(tenant.pk)
        idempotent_rows.forget_answers(tenant.pk)
        changes.record(KIND, tenant=tenant.pk)
    return changed


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    """What a process holds in its own memory goes as a whole: the feed names no policy."""
    kept = store()
    if tenant and isinstance(kept, Memory):
        kept.purge(tenant)


changes.listen(KIND, _forget)
