"""Make a tenant for somebody who signed up, with a first project; show its first keys once."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from accounts import audit, gateway_keys, ids, vault
from accounts.gateway_keys import KeyTerms
from accounts.models import Membership, Project, Tenant, User
from accounts.models.gateway_key import Mode
from accounts.roles import Role
from accounts.secret import Secret
from accounts.tenancy import system_scope, tenant_scope

DEFAULT_PROJECT = "default"


@dataclass(frozen=True)
class FirstKeys:
    live: Secret
    test: Secret


def create_tenant(user: User, *, name: str = "") -> Tenant:
    """A tenant owned by this user, with a data key and a project of its own."""
    with system_scope():
        tenant_id = ids.new()
        masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
        tenant = Tenant.objects.create(
            id=tenant_id,
            name=" ".join(name.split()) or user.email.partition("@")[0][:100],
            sealed_data_key=vault.new_data_key(tenant=tenant_id, masters=masters),
        )
        Membership.objects.create(tenant=tenant, user=user, role=Role.OWNER)
        Project.objects.create(tenant=tenant, name=DEFAULT_PROJECT)
        audit.record(tenant, actor=audit.person(user), action="tenant.created", subject=tenant.name)
    return tenant


def issue_first_keys(tenant: Tenant, *, actor: audit.Actor, now: datetime) -> FirstKeys | None:
    """The first live and test key, or None when they have been shown before.

    Their texts are never stored, so they are made when they are shown. Of two requests at once
    one gets them.
    """
    with tenant_scope(tenant.pk), transaction.atomic():
        claimed = Tenant.objects.filter(pk=tenant.pk, first_keys_shown_at=None)
        if not claimed.update(first_keys_shown_at=now):
            return None
        return FirstKeys(
            live=_first_key(tenant, Mode.LIVE, actor), test=_first_key(tenant, Mode.TEST, actor)
        )


def _first_key(tenant: Tenant, mode: str, actor: audit.Actor) -> Secret:
    terms = KeyTerms(name=f"First {mode} key", mode=mode)
    return gateway_keys.issue(tenant, terms, actor=actor).text
