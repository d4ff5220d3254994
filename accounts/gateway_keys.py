"""Gateway keys and management keys: issue, revoke, roll."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import TypeVar
from uuid import UUID

from django.conf import settings

from accounts import audit, changes, tokens
from accounts.errors import Conflict, InvalidRequest
from accounts.models import GatewayKey, ManagementKey, Project, Tenant
from accounts.secret import Secret

KIND = "gateway_key"
K = TypeVar("K", GatewayKey, ManagementKey)

# A limit above these would say nothing: no process answers so much.
MOST_RATES = {
    "requests_per_minute": 1_000_000,
    "tokens_per_minute": 10_000_000_000,
    "max_parallel": 100_000,
}


@dataclass(frozen=True)
class Issued:
    """A new key and its text, which exists nowhere else: show it once."""

    record: GatewayKey
    text: Secret


@dataclass(frozen=True, kw_only=True)
class KeyTerms:
    """What a gateway key may be used for. None means no restriction."""

    name: str
    mode: str
    project: str | None = None
    allowed_models: Sequence[str] | None = None
    allowed_cidrs: Sequence[str] | None = None
    expires_at: datetime | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_parallel: int | None = None
    policy: str | None = None  # a name that routing knows; whoever asks has checked it


def issue(
    tenant: Tenant, terms: KeyTerms, *, actor: audit.Actor, lineage: UUID | None = None
) -> Issued:
    """Create a gateway key.

    Raises InvalidRequest naming the field that is wrong, or Conflict for one key too many: a roll,
    whose old key ends, is none.
    """
    if lineage is None:
        _room_for_one_more(tenant)
    text = tokens.make(terms.mode)
    key = GatewayKey(
        tenant=tenant,
        name=terms.name,
        mode=terms.mode,
        project=_project(tenant, terms.project),
        allowed_models=_model_patterns(terms.allowed_models),
        allowed_cidrs=_networks(terms.allowed_cidrs),
        expires_at=terms.expires_at,
        policy=terms.policy or "",
        **_rates(terms),
        digest=_digest(text),
        last4=text[-4:],
        created_by=actor.user,
    )
    if lineage:
        key.lineage = lineage
    key.save(force_insert=True)
    audit.record(tenant, actor=actor, action="gateway_key.created", subject=key.shown)
    return Issued(key, Secret(text))


def locked(key: K) -> K:
    """The key as it is now; who else would change it waits for the end of this transaction."""
    rows = type(key).objects.for_tenant(key.tenant_id).select_for_update(of=("self",))
    key.refresh_from_db(from_queryset=rows)
    return key


def _room_for_one_more(tenant: Tenant) -> None:
    most = tenant.most_keys
    if most is None:
        return
    if GatewayKey.objects.for_tenant(tenant).filter(revoked_at=None).count() >= most:
        raise Conflict(
            f"The operator allows {most} gateway key{'' if most == 1 else 's'} here."
            " Revoke one first, or ask for more."
        )


def revise(key: GatewayKey, terms: KeyTerms, *, actor: audit.Actor) -> GatewayKey:
    """Change name, project, restrictions or expiry of a locked key; its mode is for life."""
    if key.is_revoked:
        raise Conflict("A revoked key cannot be changed. Create a new one.")
    key.name, key.expires_at, key.policy = terms.name, terms.expires_at, terms.policy or ""
    key.project = _project(key.tenant, terms.project)
    key.allowed_models = _model_patterns(terms.allowed_models)
    key.allowed_cidrs = _networks(terms.allowed_cidrs)
    rates = _rates(terms)
    for name, limit in rates.items():
        setattr(key, name, limit)
    revised = ("name", "expires_at", "policy", "project", "allowed_models", "allowed_cidrs")
    key.save(update_fields=[*revised, *rates])
    audit.record(key.tenant, actor=actor, action="gateway_key.changed", subject=key.shown)
    changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    return key


def terms_of(key: GatewayKey) -> KeyTerms:
    return KeyTerms(
        name=key.name,
        mode=key.mode,
        project=key.project.name if key.project else None,
        allowed_models=key.allowed_models,
        allowed_cidrs=key.allowed_cidrs,
        expires_at=key.expires_at,
        policy=key.policy or None,
        **{name: getattr(key, name) for name in MOST_RATES},
    )


def revoke(key: K, *, actor: audit.Actor, now: datetime) -> K:
    """End a key at once; a second time changes nothing."""
    if locked(key).is_revoked:
        return key
    key.revoked_at = now
    key.save(update_fields=["revoked_at"])
    kind = key._meta.model_name or ""
    audit.record(key.tenant, actor=actor, action=f"{kind}.revoked", subject=key.shown)
    changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    return key


def roll(key: GatewayKey, *, overlap: timedelta, actor: audit.Actor, now: datetime) -> Issued:
    """A new key on the same terms; the old one goes on for the overlap."""
    if locked(key).is_revoked:
        raise Conflict("A revoked key cannot be rolled. Create a new one.")
    if key.expires_at and key.expires_at <= now:
        raise Conflict("An expired key cannot be rolled. Create a new one.")
    issued = issue(key.tenant, terms_of(key), actor=actor, lineage=key.lineage)
    ends_at = now + overlap
    if key.expires_at is None or key.expires_at > ends_at:
        key.expires_at = ends_at
        key.save(update_fields=["expires_at"])
        changes.record(KIND, tenant=key.tenant_id, subject=key.pk)
    return issued


def issue_management_key(tenant: Tenant, *, name: str, actor: audit.Actor) -> Secret:
    text = tokens.make("mgmt")
    key = ManagementKey.objects.for_tenant(tenant).create(
        tenant=tenant,
        name=name,
        digest=_digest(text),
        last4=text[-4:],
        created_by=actor.user,
    )
    audit.record(tenant, actor=actor, action="managementkey.created", subject=key.shown)
    return Secret(text)


def _digest(text: str) -> bytes:
    return tokens.digest(text, tokens.peppers(settings.FLO2_KEY_PEPPERS)[0])


def _project(tenant: Tenant, name: str | None) -> Project | None:
    if name is None:
        return None
    return Project.objects.for_tenant(tenant).named("project", name=name)


def _rates(terms: KeyTerms) -> dict[str, int | None]:
    """The limits on rates, checked."""
    found: dict[str, int | None] = {name: getattr(terms, name) for name in MOST_RATES}
    for name, limit in found.items():
        if limit is not None and not 1 <= limit <= MOST_RATES[name]:
            raise InvalidRequest(
                f"{name} must be a whole number from 1 to {MOST_RATES[name]}.", param=name
            )
    return found


def _model_patterns(models: Sequence[str] | None) -> list[str] | None:
    if models is None:
        return None
    if not models or any(not name.strip() or len(name) > 200 for name in models):
        raise InvalidRequest("allowed_models needs at least one name.", param="allowed_models")
    return list(models)


def _networks(cidrs: Sequence[str] | None) -> list[str] | None:
    if cidrs is None:
        return None
    try:
        networks = [str(ip_network(cidr.strip(), strict=False)) for cidr in cidrs]
    except ValueError as error:
        raise InvalidRequest(f"allowed_cidrs: {error}.", param="allowed_cidrs") from None
    if not networks:
        raise InvalidRequest("allowed_cidrs needs at least one network.", param="allowed_cidrs")
    return networks
