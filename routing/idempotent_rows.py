"""The rows behind `Idempotency-Key`: taken by one caller, ended with its answer or given back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.db import IntegrityError, close_old_connections

from accounts import ids, tenant_settings
from accounts.errors import Unavailable
from accounts.tenancy import TenantQuerySet, tenant_scope
from billing.models import Call
from routing.models import IdempotentCall

LIFETIME = timedelta(hours=24)
NOTED = timedelta(seconds=10)  # after an answer whoever gave it has written that down


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A key of a caller, and the body that came with it: hashes under the tenant's own key."""

    tenant: UUID
    key: bytes
    body: bytes
    call: str
    is_stream: bool
    booked_s: float  # by then the call is on the books, or will never be


def take(claim: Claim) -> IdempotentCall | None:
    """Insert the key; or the row of whoever was first. Raises DatabaseError, Unavailable."""
    try:
        for _ in range(2):  # the first one may just have given it back
            try:
                _insert(claim)
            except IntegrityError:
                with tenant_scope(claim.tenant):
                    earlier = _rows(claim).first()
                    if earlier and not _is_freed(earlier, datetime.now(UTC)):
                        return earlier
            else:
                return None
    finally:
        close_old_connections()
    raise Unavailable("The gateway cannot check the Idempotency-Key at the moment.")


def end(claim: Claim, sealed: bytes | None) -> None:
    """The call was answered; what is sealed stays if content may be kept. Raises DatabaseError."""
    try:
        with tenant_scope(claim.tenant):
            if sealed is not None and not tenant_settings.hold(claim.tenant).cache_enabled:
                sealed = None
            rows = _rows(claim).filter(call=claim.call)
            rows.update(ended_at=datetime.now(UTC), sealed=sealed)
    finally:
        close_old_connections()


def give_back(claim: Claim) -> None:
    """The call ended without an answer: the key is free again. Raises DatabaseError."""
    try:
        with tenant_scope(claim.tenant):
            _rows(claim).filter(call=claim.call, ended_at=None).delete()
    finally:
        close_old_connections()


def forget_answers(tenant: UUID) -> int:
    """Drop the answers that are kept, of how many calls; their keys stay taken. In its scope."""
    rows = IdempotentCall.objects.for_tenant(tenant).exclude(sealed=None)
    return rows.update(sealed=None)


def forget_old(tenant: UUID, now: datetime) -> int:
    """Delete keys whose day is over; how many. In the tenant's scope."""
    return _old(tenant, now).delete()[0]


def _insert(claim: Claim) -> None:
    now = datetime.now(UTC)
    with tenant_scope(claim.tenant):
        _old(claim.tenant, now).filter(key=claim.key).delete()
        IdempotentCall.objects.for_tenant(claim.tenant).create(
            tenant_id=claim.tenant,
            key=claim.key,
            body=claim.body,
            call=claim.call,
            is_stream=claim.is_stream,
            created_at=now,
            deadline=now + timedelta(seconds=claim.booked_s),
        )


def _is_freed(row: IdempotentCall, now: datetime) -> bool:
    """Whether the call of a row ended without an answer, unnoted: then the row is deleted.

    The ledger knows of every call that was made, and how those of dead processes ended. An answer
    that was noted by nobody uses the key up.
    """
    if row.ended_at is not None:
        return False
    rows = IdempotentCall.objects.for_tenant(row.tenant_id).filter(pk=row.pk, ended_at=None)
    booked = Call.objects.for_tenant(row.tenant_id).filter(id=ids.decode(row.call)).first()
    if booked is None:
        is_over = row.deadline <= now
    elif booked.status == "succeeded":
        settled_at = booked.created_at + timedelta(milliseconds=booked.latency_ms)
        if settled_at < now - NOTED:
            row.ended_at = settled_at
            rows.update(ended_at=settled_at)
        return False
    else:
        is_over = booked.status != "open"
    return is_over and bool(rows.delete()[0])


def _rows(claim: Claim) -> TenantQuerySet[IdempotentCall]:
    return IdempotentCall.objects.for_tenant(claim.tenant).filter(key=claim.key)


def _old(tenant: UUID, now: datetime) -> TenantQuerySet[IdempotentCall]:
    return IdempotentCall.objects.for_tenant(tenant).filter(created_at__lte=now - LIFETIME)
