"""Sealed answers in the database: for one host or several, and over restarts."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.db.models import Count, Sum

from accounts import tenant_settings
from accounts.tenancy import tenant_scope
from routing.cache.stores import SHARE_BYTES, Alone, Holdings, Kept
from routing.models import CachedAnswer

TOUCH_AFTER = timedelta(minutes=5)  # a use is written down at most this often
EVICT_AT_ONCE = 100


class Table(Alone):
    """Rows of `CachedAnswer`."""

    def __init__(self, share: int = SHARE_BYTES) -> None:
        self._share = share

    async def find(self, tenant: UUID, key: bytes, now: float) -> bytes | None:
        return await sync_to_async(self._find, thread_sensitive=False)(tenant, key, now)

    async def keep(self, tenant: UUID, row: Kept, now: float) -> None:
        await sync_to_async(self._keep, thread_sensitive=False)(tenant, row, now)

    def purge(self, tenant: UUID, *, policy: str | None = None, lineage: UUID | None = None) -> int:
        with tenant_scope(tenant):
            rows = CachedAnswer.objects.for_tenant(tenant)
            if policy is not None:
                rows = rows.filter(policy=policy)
            if lineage is not None:
                rows = rows.filter(lineage=lineage)
            return rows.delete()[0]

    def holdings(self, tenant: UUID, now: float) -> Holdings:
        rows = CachedAnswer.objects.for_tenant(tenant).filter(expires_at__gt=_at(now))
        found = rows.aggregate(entries=Count("id"), size=Sum("size"))
        return Holdings(found["entries"], found["size"] or 0)

    def _find(self, tenant: UUID, key: bytes, now: float) -> bytes | None:
        at = _at(now)
        try:
            with tenant_scope(tenant):
                rows = CachedAnswer.objects.for_tenant(tenant).filter(key=key, expires_at__gt=at)
                row = rows.values_list("id", "sealed", "used_at").first()
                if row and at - row[2] > TOUCH_AFTER:
                    CachedAnswer.objects.for_tenant(tenant).filter(pk=row[0]).update(used_at=at)
        finally:
            close_old_connections()
        return bytes(row[1]) if row else None

    def _keep(self, tenant: UUID, row: Kept, now: float) -> None:
        at = _at(now)
        try:
            with tenant_scope(tenant):
                if not tenant_settings.hold(tenant).cache_enabled:
                    return
                CachedAnswer.objects.for_tenant(tenant).update_or_create(
                    tenant_id=tenant,
                    key=row.key,
                    defaults={
                        "sealed": row.sealed,
                        "size": row.size,
                        "lineage": row.lineage,
                        "policy": row.policy,
                        "created_at": at,
                        "used_at": at,
                        "expires_at": _at(row.expires_at),
                    },
                )
            with tenant_scope(tenant):
                self._make_room(tenant, at)
        finally:
            close_old_connections()

    def _make_room(self, tenant: UUID, at: datetime) -> None:
        rows = CachedAnswer.objects.for_tenant(tenant)
        over = (rows.aggregate(size=Sum("size"))["size"] or 0) - self._share
        if over <= 0:
            return
        over -= _total(rows.filter(expires_at__lte=at).values_list("id", "size"), tenant, over=None)
        while over > 0:
            oldest = rows.order_by("used_at", "id").values_list("id", "size")[:EVICT_AT_ONCE]
            gone = _total(oldest, tenant, over=over)
            if not gone:
                return
            over -= gone


def forget_expired(tenant: UUID, now: datetime) -> int:
    """Delete rows whose time is up; how many. In the caller's scope."""
    return CachedAnswer.objects.for_tenant(tenant).filter(expires_at__lte=now).delete()[0]


def _total(found: object, tenant: UUID, *, over: int | None) -> int:
    """Delete rows, in their order, until `over` bytes are free; how many bytes that were."""
    ids, freed = [], 0
    for pk, size in list(found):  # type: ignore[call-overload]
        if over is not None and freed >= over:
            break
        ids.append(pk)
        freed += size
    CachedAnswer.objects.for_tenant(tenant).filter(pk__in=ids).delete()
    return freed


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
