"""Which policy applies to a call, from memory; and policies saved, taken back and deleted.

In memory like prices: a tenant's policies are read once, and again after a change was announced.
"""

import difflib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, close_old_connections, transaction
from django.db.models import F, Q

from accounts import audit, changes
from accounts.callers import Caller
from accounts.errors import Conflict, InvalidRequest, NotFound
from accounts.models import GatewayKey, Tenant
from accounts.models.project import NAME_PATTERN
from accounts.tenancy import tenant_scope
from routing import policy_terms
from routing.models import Policy, PolicyVersion
from routing.options import Options
from routing.policy_terms import PolicyInForce, WrongFields

KIND = "policy"
DEFAULT = "default"  # applies where neither the key nor the request names a policy
MARK = "@"  # before a policy's name, in place of a model
MOST = 100  # policies of a tenant

Known = dict[str, PolicyInForce]
_by_tenant: dict[UUID, Known] = {}


def applying(known: Known, caller: Caller, wishes: Options, model: str) -> PolicyInForce | None:
    """The policy of a call, of those of its tenant. Pure.

    The request's choice comes before the key's policy and the tenant's default, unless that one is
    locked. Raises InvalidRequest for a choice that is unknown or locked out.
    """
    asked = _asked(wishes, model)
    own = caller.policy or (DEFAULT if DEFAULT in known else "")
    if asked and asked != own and own in known and known[own].terms.lock:
        raise InvalidRequest(
            f"The policy {own!r} is locked: no request may choose another.", param="x-flo2-policy"
        )
    if not (name := asked or own):
        return None
    found = known.get(name)
    if found is None and asked:
        raise InvalidRequest(_unknown(name, known), param="x-flo2-policy")
    if found is None:
        raise InvalidRequest(
            f"This key's policy {name!r} was deleted. Give the key another one on the Keys page."
        )
    return found


def cached(tenant: UUID) -> Known | None:
    """A tenant's policies if they are in memory and memory is not cut off from the database."""
    return _by_tenant.get(tenant) if changes.feed.age <= changes.CUT_OFF_SECONDS else None


def load(tenant: UUID) -> Known:
    """Read a tenant's policies and keep them in memory. Raises DatabaseError."""
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            known = read(tenant)
    finally:
        close_old_connections()
    _by_tenant[tenant] = known
    if changes.feed.generation != generation:  # it may have changed while we read
        _forget(tenant, None)
    return known


def in_force(tenant: Tenant | UUID) -> list[PolicyVersion]:
    """The version in force of each policy, by name."""
    rows = PolicyVersion.objects.for_tenant(tenant).select_related("policy")
    rows = rows.filter(policy__deleted_at=None, number=F("policy__version"))
    return list(rows.order_by("policy__name", "id"))


def read(tenant: UUID) -> Known:
    """A tenant's policies as the database has them now. In the caller's scope."""
    return {
        row.policy.name: PolicyInForce(row.policy.name, row.number, policy_terms.read(row.document))
        for row in in_force(tenant)
    }


@dataclass(frozen=True)
class Saved:
    policy: Policy
    version: PolicyVersion
    is_new: bool  # there was no policy of this name


def save(tenant: Tenant, name: str, document: Any, *, actor: audit.Actor, note: str = "") -> Saved:
    """Save a document as the next version; the same one again changes nothing.

    Raises WrongFields naming each field that is wrong, or Conflict.
    """
    if not re.match(NAME_PATTERN, name):
        raise WrongFields({"name": ["1 to 64 of a-z, 0-9, dot, dash, underscore."]})
    policy_terms.read(document)
    rows = Policy.objects.for_tenant(tenant).select_for_update()
    policy = rows.filter(name=name).first()
    is_new = policy is None or policy.deleted_at is not None
    if is_new and listed(tenant).count() >= MOST:
        raise Conflict(f"There are {MOST} policies already. Delete one that is not used.")
    if policy is None:
        policy = Policy(tenant=tenant, name=name, version=0)
    elif not is_new:
        current = version(policy)
        if current.document == document:
            return Saved(policy, current, is_new=False)
    policy.version, policy.deleted_at = policy.version + 1, None
    try:
        with transaction.atomic():
            policy.save()
    except IntegrityError:
        raise Conflict(
            f"Somebody has just saved a policy {name!r}. Look, and save again."
        ) from None
    row = PolicyVersion(
        tenant=tenant,
        policy=policy,
        number=policy.version,
        document=document,
        note=note,
        created_by=actor.name,
    )
    row.save(force_insert=True)
    row.refresh_from_db(
        fields=["created_at"], from_queryset=PolicyVersion.objects.for_tenant(tenant)
    )
    audit.record(
        tenant, actor=actor, action="policy.saved", subject=name, version=row.number, note=note
    )
    changes.record(KIND, tenant=tenant.pk)
    return Saved(policy, row, is_new)


def roll_back(tenant: Tenant, name: str, number: int, *, actor: audit.Actor) -> Saved:
    """Save an earlier version again, as the newest. Raises NotFound."""
    old = version(find(tenant, name), number)
    return save(tenant, name, old.document, actor=actor, note=f"Back to version {number}")


def delete(tenant: Tenant, name: str, *, actor: audit.Actor, now: datetime) -> None:
    """Raises NotFound, or Conflict while a gateway key has the policy."""
    policy = find(tenant, name)
    if keys := keys_with(tenant, name, now):
        raise Conflict(
            f"{', '.join(key.name for key in keys)}: "
            f"{'this key has' if len(keys) == 1 else 'these keys have'} the policy {name!r}."
            " Give them another one first."
        )
    policy.deleted_at = now
    policy.save()
    audit.record(tenant, actor=actor, action="policy.deleted", subject=name)
    changes.record(KIND, tenant=tenant.pk)


def listed(tenant: Tenant) -> Any:
    """The policies that are in force, by name."""
    return Policy.objects.for_tenant(tenant).filter(deleted_at=None)


def find(tenant: Tenant, name: str) -> Policy:
    return Policy.objects.for_tenant(tenant).named("policy", name=name, deleted_at=None)


def exists(tenant: Tenant, name: str) -> bool:
    return Policy.objects.for_tenant(tenant).filter(name=name, deleted_at=None).exists()


def version(policy: Policy, number: int | None = None) -> PolicyVersion:
    """A version, by default the one in force. Raises NotFound."""
    rows = PolicyVersion.objects.for_tenant(policy.tenant_id).select_related("policy")
    return rows.filter(policy=policy).named(
        "version of this policy", number=number or policy.version
    )


def versions(policy: Policy) -> list[PolicyVersion]:
    """All of them, the newest first."""
    rows = PolicyVersion.objects.for_tenant(policy.tenant_id).select_related("policy")
    return list(rows.filter(policy=policy))


def keys_with(tenant: Tenant, name: str, now: datetime) -> list[GatewayKey]:
    """The gateway keys that work and have this policy."""
    rows = GatewayKey.objects.for_tenant(tenant).filter(policy=name, revoked_at=None)
    return list(rows.filter(Q(expires_at=None) | Q(expires_at__gt=now)))


def check_name(tenant: Tenant, name: str | None) -> None:
    """Raises InvalidRequest if a key is to have a policy that there is not."""
    if not name:
        return
    try:
        find(tenant, name)
    except NotFound:
        raise InvalidRequest(f"There is no policy {name!r}.", param="policy") from None


def _asked(wishes: Options, model: str) -> str:
    """The policy that the request names, by header or in place of a model."""
    marked = model.removeprefix(MARK) if model.startswith(MARK) else ""
    if marked and wishes.policy and marked != wishes.policy:
        raise InvalidRequest(
            f"model says {model} and x-flo2-policy {wishes.policy!r}: name one policy.",
            param="x-flo2-policy",
        )
    return wishes.policy or marked


def _unknown(name: str, known: Known) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"There is no policy {name!r}.{hint}"


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:
        _by_tenant.clear()
    else:
        _by_tenant.pop(tenant, None)


changes.listen(KIND, _forget)
