"""The rows behind `Idempotency-Key`: taken by one caller, ended with its answer or given back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from django.db import IntegrityError, close_old_connections

from accounts.errors import Unavailable
from accounts.tenancy import TenantQuerySet, tenant_scope
from routing.models import IdempotentCall

LIFETIME = timedelta(hours=24)


class Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A key of a caller, and the body that came with it: hashes under the tenant's own key."""

    tenant: UUID
    key: bytes
    body: bytes
    call: str
    is_stream: bool
    lasts_s: float  # at most, until the call has ended


def take(claim: Claim) -> IdempotentCall | None:
    """Insert the key; or the row of whoever was first. Raises DatabaseError, Unavailable."""
    try:
        for _ in range(2):  # the first one may just have given it back
            try:
                _insert(claim)
            except IntegrityError:
                with tenant_scope(claim.tenant):
                    if earlier := _rows(claim).first():
                        return earlier
            else:
                return None
    finally:
        close_old_connections()
    raise Unavailable("The gateway cannot check the Idempotency-Key at the moment.")


def end(claim: Claim, sealed: bytes | None) -> None:
    """The call was answered. Raises DatabaseError."""
    try:
        with tenant_scope(claim.tenant):
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
        _rows(claim).filter(ended_at=None, deadline__lte=now).delete()
        IdempotentCall.objects.for_tenant(claim.tenant).create(
            tenant_id=claim.tenant,
            key=claim.key,
            body=claim.body,
            call=claim.call,
            is_stream=claim.is_stream,
            created_at=now,
            deadline=now + timedelta(seconds=claim.lasts_s),
        )


def _rows(claim: Claim) -> TenantQuerySet[IdempotentCall]:
    return IdempotentCall.objects.for_tenant(claim.tenant).filter(key=claim.key)


def _old(tenant: UUID, now: datetime) -> TenantQuerySet[IdempotentCall]:
    return IdempotentCall.objects.for_tenant(tenant).filter(created_at__lte=now - LIFETIME)
