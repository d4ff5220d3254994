"""Collected calls in the database: written within their bounds, looked at, erased.

All of it runs in the scope of the tenant. A tenant has `content_cap` calls of each mode, live and
test, and for each a share of bytes; the oldest go first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum

from accounts import audit, tenant_settings, vault
from accounts.models import Tenant
from accounts.models.gateway_key import Mode
from accounts.tenancy import tenant_scope
from accounts.tenant_settings import Settings
from accounts.vault import SealBroken
from routing.models import CollectedCall, Feedback

USE = b"training-data"
SHARE_BYTES = 128 * 2**20  # of a tenant and mode
OVERHEAD_BYTES = 500  # of a row, beside what is sealed
PAGE_BYTES = 8 * 2**20
AT_ONCE = 200  # rows looked at when room is to be made


class Fact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a collected call beside its words."""

    call: UUID
    mode: str
    began_at: datetime
    endpoint: str
    requested_model: str
    provider: str
    model: str
    policy: str
    project: UUID | None
    gateway_key: UUID | None
    lineage: UUID | None
    finish_reason: str
    stream: bool


@dataclass(frozen=True)
class Wanted:
    """Which collected calls are looked at. Empty: all of the mode."""

    mode: str = Mode.LIVE
    project: UUID | None = None
    lineage: UUID | None = None
    model: str = ""  # as served, or as asked for
    policy: str = ""
    finish_reason: str = ""
    min_score: float | None = None  # of the feedback on the call
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True)
class Holdings:
    """What a tenant has, of one mode."""

    calls: int
    size: int
    oldest_at: datetime | None


def save(tenant: UUID, taken: Iterable[tuple[Fact, bytes]]) -> int:
    """Seal and write lines, where the tenant still wants them; how many. Opens the scope."""
    with tenant_scope(tenant):
        its = tenant_settings.lock(tenant)
        if its is None or not its.store_content:
            return 0
        since = its.content_since
        wanted = [(fact, line) for fact, line in taken if since is None or fact.began_at >= since]
        if not wanted:
            return 0
        data_key = data_key_of(Tenant.objects.get(pk=tenant))
        CollectedCall.objects.for_tenant(tenant).bulk_create(
            [_row(tenant, fact, line, data_key) for fact, line in wanted], ignore_conflicts=True
        )
        for mode in {fact.mode for fact, _ in wanted}:
            _make_room(tenant, mode, its.content_cap)
    return len(wanted)


def prune(tenant: UUID, now: datetime) -> int:
    """Delete what is too old, and what a bound that was lowered has no room for; how many."""
    its = tenant_settings.lock(tenant)
    if its is None:
        return 0
    rows = CollectedCall.objects.for_tenant(tenant)
    gone = rows.filter(created_at__lt=now - timedelta(days=its.retention_days)).delete()[0]
    return gone + sum(_make_room(tenant, mode, its.content_cap) for mode in Mode.values)


def erase(tenant: Tenant, *, actor: audit.Actor, now: datetime) -> int:
    """Delete all of it, and what calls that have begun by now would still bring; how many."""
    tenant_settings.forget_content(tenant, now)
    gone = CollectedCall.objects.for_tenant(tenant).delete()[0]
    audit.record(tenant, actor=actor, action="training_data.deleted", subject="all", calls=gone)
    return gone


def erase_one(row: CollectedCall) -> None:
    CollectedCall.objects.for_tenant(row.tenant_id).filter(pk=row.pk).delete()


def kept_since(its: Settings, now: datetime) -> datetime:
    """Calls that began before are too old: they are not shown, and go with the next round."""
    return now - timedelta(days=its.retention_days)


def find(tenant: UUID, call: UUID, *, since: datetime) -> CollectedCall:
    """Raises NotFound."""
    rows = CollectedCall.objects.for_tenant(tenant)
    return rows.filter(created_at__gte=since).named("collected call", pk=call)


def holdings(tenant: UUID, *, mode: str, since: datetime) -> Holdings:
    rows = of(tenant, Wanted(mode=mode), since=since).order_by()
    found = rows.aggregate(calls=Count("id"), size=Sum("size"), oldest=Min("created_at"))
    return Holdings(found["calls"], found["size"] or 0, found["oldest"])


def of(tenant: UUID, wanted: Wanted, *, since: datetime) -> QuerySet[CollectedCall]:
    """The collected calls that are wanted, the newest first."""
    rows = CollectedCall.objects.for_tenant(tenant).filter(mode=wanted.mode).order_by("-id")
    rows = rows.filter(created_at__gte=since)
    exact: dict[str, Any] = {
        "project_id": wanted.project,
        "lineage": wanted.lineage,
        "policy": wanted.policy,
        "finish_reason": wanted.finish_reason,
        "created_at__gte": wanted.start,
        "created_at__lt": wanted.end,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.model:
        rows = rows.filter(_is_model(wanted.model))
    if wanted.min_score is not None:
        good = Feedback.objects.for_tenant(tenant).filter(
            call=OuterRef("id"), score__gte=wanted.min_score
        )
        rows = rows.filter(Exists(good))
    return rows


def page(
    found: QuerySet[CollectedCall], *, before: UUID | None, limit: int
) -> tuple[list[CollectedCall], bool]:
    """The next so many of them, fewer if they are large; and whether there are more."""
    if before:
        found = found.filter(id__lt=before)
    some = list(found[: limit + 1])
    size, fit = 0, 0
    for row in some[:limit]:
        size += row.size
        if fit and size > PAGE_BYTES:
            break
        fit += 1
    return some[:fit], len(some) > fit


def scores_of(tenant: UUID, rows: Iterable[CollectedCall]) -> dict[UUID, float]:
    """What callers said of these calls, by call."""
    found = Feedback.objects.for_tenant(tenant).filter(call__in=[row.pk for row in rows])
    return dict(found.values_list("call", "score"))


def opened(tenant: Tenant, rows: Iterable[CollectedCall]) -> Iterator[tuple[CollectedCall, bytes]]:
    """Rows with their lines; what does not open any more is left out."""
    data_key = data_key_of(tenant)
    for row in rows:
        try:
            line = vault.open_sealed(
                bytes(row.sealed), data_key=data_key, tenant=tenant.pk, use=USE, row=row.pk.bytes
            )
        except SealBroken:
            continue
        yield row, line


def data_key_of(tenant: Tenant) -> bytes:
    """Raises SealBroken or MasterKeyProblem."""
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    return vault.unwrap(bytes(tenant.sealed_data_key), tenant=tenant.pk, masters=masters)


def _is_model(name: str) -> Q:
    provider, _, model = name.partition("/")
    return Q(model=name) | Q(requested_model=name) | Q(provider=provider, model=model)


def _row(tenant: UUID, fact: Fact, line: bytes, data_key: bytes) -> CollectedCall:
    sealed = vault.seal(line, data_key=data_key, tenant=tenant, use=USE, row=fact.call.bytes)
    return CollectedCall(
        id=fact.call,
        tenant_id=tenant,
        mode=fact.mode,
        created_at=fact.began_at,
        endpoint=fact.endpoint,
        requested_model=fact.requested_model[:200],
        provider=fact.provider,
        model=fact.model[:200],
        policy=fact.policy,
        project_id=fact.project,
        gateway_key_id=fact.gateway_key,
        lineage=fact.lineage,
        finish_reason=fact.finish_reason,
        stream=fact.stream,
        size=len(sealed) + OVERHEAD_BYTES,
        sealed=sealed,
    )


def _make_room(tenant: UUID, mode: str, cap: int) -> int:
    """Delete the oldest calls of a mode until the rest is within its bounds; how many."""
    rows = CollectedCall.objects.for_tenant(tenant).filter(mode=mode)
    held = rows.order_by().aggregate(calls=Count("id"), size=Sum("size"))
    over, over_bytes, gone = held["calls"] - cap, (held["size"] or 0) - SHARE_BYTES, 0
    while over > 0 or over_bytes > 0:
        oldest = list(rows.order_by("id").values_list("id", "size")[:AT_ONCE])
        last = None
        for pk, size in oldest:
            if over <= 0 and over_bytes <= 0:
                break
            last, over, over_bytes = pk, over - 1, over_bytes - size
        if last is None:
            break
        gone += rows.filter(id__lte=last).delete()[0]
    return gone
