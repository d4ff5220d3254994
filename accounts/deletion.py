"""Forget a tenant: at once for people and keys, and within the hour for everything else.

`begin` ends its keys, shreds its secrets and its data key, and parts its people from it. The rows
go later, in portions, when every call that was still running is on the books: `erase_due` deletes
what belongs to the tenant in whatever app, table by table.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.apps import apps
from django.db import models

from accounts import audit, changes, gateway_keys, provider_keys
from accounts.models import (
    GatewayKey,
    Invitation,
    ManagementKey,
    Membership,
    ProviderKey,
    Tenant,
    User,
)
from accounts.tenancy import TenantOwned, system_scope, tenant_scope

log = logging.getLogger(__name__)

CALLS_END_WITHIN = timedelta(minutes=30)  # deadlines of calls, and those who settle them late
PORTION = 1000  # rows in one transaction
ERASED_WITHIN = timedelta(hours=1)


def begin(tenant: Tenant, *, actor: audit.Actor, now: datetime) -> None:
    """Nobody can call, log in or open a secret from now on. In the caller's scope."""
    audit.record(tenant, actor=actor, action="tenant.deleted", subject=tenant.name)
    working = {"revoked_at": None}
    for key in GatewayKey.objects.for_tenant(tenant).filter(**working).select_related("tenant"):
        gateway_keys.revoke(key, actor=actor, now=now)
    for own in ManagementKey.objects.for_tenant(tenant).filter(**working).select_related("tenant"):
        gateway_keys.revoke(own, actor=actor, now=now)
    for secret in ProviderKey.objects.for_tenant(tenant).select_related("tenant"):
        provider_keys.remove(secret, actor=actor)
    people = list(Membership.objects.for_tenant(tenant).values_list("user_id", flat=True))
    Invitation.objects.for_tenant(tenant).delete()
    Membership.objects.for_tenant(tenant).delete()
    tenant.deleting_since, tenant.sealed_data_key = now, b""
    tenant.save(update_fields=["deleting_since", "sealed_data_key"])
    changes.record("tenant", tenant=tenant.pk)
    _forget_people(people)


def erase_due(now: datetime) -> int:
    """Erase the tenants whose deletion began long enough ago; how many."""
    due = Tenant.objects.filter(deleting_since__lte=now - CALLS_END_WITHIN)
    erased = 0
    for tenant in list(due.order_by("deleting_since", "pk").values_list("pk", flat=True)):
        for model in tables():
            while _erase_portion(model, tenant):
                pass
        with tenant_scope(tenant):
            Tenant.objects.filter(pk=tenant).delete()
        log.info("a tenant was erased", extra={"tenant": str(tenant)})
        erased += 1
    return erased


def tables() -> list[type[TenantOwned]]:
    """Every table with rows of tenants, those that point at others before what they point at."""
    waiting = [model for model in apps.get_models() if issubclass(model, TenantOwned)]
    ordered: list[type[TenantOwned]] = []
    while waiting:
        pointed_at = {target for model in waiting for target in _targets(model)}
        free = [model for model in waiting if model not in pointed_at]
        ordered += free
        waiting = [model for model in waiting if model in pointed_at]
    return ordered


def _targets(model: type[TenantOwned]) -> Iterator[type[models.Model]]:
    for field in model._meta.concrete_fields:
        if field.remote_field and field.remote_field.model is not model:
            yield field.remote_field.model


def _erase_portion(model: type[TenantOwned], tenant: UUID) -> int:
    with tenant_scope(tenant):
        rows = model.objects.for_tenant(tenant)
        chosen = list(rows.values_list("pk", flat=True)[:PORTION])
        if chosen:
            rows.filter(pk__in=chosen).delete()
    return len(chosen)


def _forget_people(people: list[UUID]) -> None:
    """Delete the logins of those who belong nowhere else; operators keep theirs."""
    with system_scope():
        elsewhere = Membership.objects.filter(user__in=people).values("user")
        User.objects.filter(pk__in=people, is_staff=False).exclude(pk__in=elsewhere).delete()
