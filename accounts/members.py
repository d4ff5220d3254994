"""Who belongs to which tenant."""

from datetime import datetime
from uuid import UUID

from accounts import audit, changes
from accounts.errors import Conflict, InvalidRequest
from accounts.models import Membership, Tenant, User
from accounts.roles import Role
from accounts.tenancy import system_scope


def of_user(user: User) -> list[Membership]:
    """A user's memberships with their tenants, oldest first."""
    with system_scope():
        rows = Membership.objects.select_related("tenant").filter(user=user)
        return list(rows.order_by("created_at", "id"))


def current(user: User, wanted: str | None) -> Membership | None:
    """The membership whose tenant the session has chosen, else the oldest one."""
    return chosen(of_user(user), wanted)


def chosen(memberships: list[Membership], wanted: str | None) -> Membership | None:
    """Of these memberships the one whose tenant is wanted, else the first one."""
    for membership in memberships:
        if str(membership.tenant_id) == wanted:
            return membership
    return memberships[0] if memberships else None


def of_tenant(tenant: Tenant) -> list[Membership]:
    """A tenant's memberships with their users: by role, then by age."""
    rows = Membership.objects.for_tenant(tenant).select_related("user")
    order = list(Role)
    return sorted(rows.order_by("created_at", "id"), key=lambda one: order.index(Role(one.role)))


def change_role(membership: Membership, *, role: str, actor: audit.Actor) -> None:
    """Raises Conflict for the owner, who has to hand the tenant over instead."""
    if role not in (Role.ADMIN, Role.MEMBER, Role.VIEWER):
        raise InvalidRequest("A role is admin, member or viewer.", param="role")
    row = _locked(membership)
    _not_the_owner(row)
    before, row.role = row.role, role
    if before != role:
        row.save(update_fields=["role"])
        _note(row, actor=actor, action="member.role_changed", role=role, before=before)


def transfer(tenant: Tenant, *, to: Membership, actor: audit.Actor) -> None:
    """Hand the tenant to another member; whoever owned it stays as admin."""
    rows = Membership.objects.for_tenant(tenant).select_for_update().select_related("user")
    people = {row.pk: row for row in rows.order_by("pk")}
    heir = people[to.pk]
    if heir.role == Role.OWNER:
        raise Conflict(f"{heir.user.email} owns {tenant.name} already.")
    for row in people.values():
        if row.role == Role.OWNER:
            row.role = Role.ADMIN
            row.save(update_fields=["role"])
    heir.role = Role.OWNER
    heir.save(update_fields=["role"])
    _note(heir, actor=actor, action="tenant.transferred")


def remove(membership: Membership, *, actor: audit.Actor) -> None:
    """Somebody belongs to the tenant no longer; its keys stay. Raises Conflict for the owner."""
    row = _locked(membership)
    _not_the_owner(row)
    has_left = actor.user is not None and actor.user.pk == row.user_id
    _note(row, actor=actor, action="member.left" if has_left else "member.removed", role=row.role)
    row.delete()


def _locked(membership: Membership) -> Membership:
    rows = Membership.objects.for_tenant(membership.tenant_id).select_for_update(of=("self",))
    return rows.select_related("user", "tenant").named("member", pk=membership.pk)


def _not_the_owner(membership: Membership) -> None:
    if membership.role == Role.OWNER:
        raise Conflict(
            f"{membership.user.email} owns {membership.tenant.name}."
            " Transfer it first, or delete it."
        )


def _note(row: Membership, *, actor: audit.Actor, action: str, **details: str) -> None:
    audit.record(row.tenant, actor=actor, action=action, subject=row.user.email, **details)


def rename(tenant: Tenant, name: str, *, actor: audit.Actor) -> None:
    """The name, on one line."""
    name = " ".join(name.split())
    before, tenant.name = tenant.name, name
    if before != name:
        tenant.save(update_fields=["name"])
        audit.record(tenant, actor=actor, action="tenant.renamed", subject=name, before=before)


def end_sessions(user: User) -> None:
    """Every session of this person ends; the caller may carry its own one over."""
    user.session_generation += 1
    user.save(update_fields=["session_generation"])


def suspend(tenant: Tenant, *, reason: str, actor: audit.Actor, now: datetime) -> None:
    """Refuse the tenant's calls from the next second on."""
    tenant.suspended_at, tenant.suspended_reason = now, reason
    _save_suspension(tenant, actor=actor, action="tenant.suspended", reason=reason)


def restore(tenant: Tenant, *, reason: str, actor: audit.Actor) -> None:
    """The tenant may call again."""
    tenant.suspended_at, tenant.suspended_reason = None, ""
    _save_suspension(tenant, actor=actor, action="tenant.restored", reason=reason)


def _save_suspension(tenant: Tenant, *, actor: audit.Actor, action: str, reason: str) -> None:
    with system_scope():
        tenant.save(update_fields=["suspended_at", "suspended_reason"])
        audit.record(tenant, actor=actor, action=action, subject=reason)
        changes.record("tenant", tenant=tenant.pk)


def set_limits(tenant: Tenant, limits: dict[str, int | None], *, actor: audit.Actor) -> None:
    """The operator's limits on keys, members and rates. What is there beyond them stays."""
    changed = {name: most for name, most in limits.items() if getattr(tenant, name) != most}
    if not changed:
        return
    for name, most in changed.items():
        setattr(tenant, name, most)
    with system_scope():
        tenant.save(update_fields=list(changed))
        audit.record(tenant, actor=actor, action="tenant.limited", subject="limits", **changed)
        changes.record("tenant", tenant=tenant.pk)


def tenant_named(name: str, *, owner: User) -> Tenant | None:
    """A tenant of this name that the user owns."""
    return next((m.tenant for m in of_user(owner) if m.tenant.name == name), None)


def tenant_ids() -> list[UUID]:
    with system_scope():
        return list(Tenant.objects.order_by("pk").values_list("pk", flat=True))
