"""Keep filters of the calls page under a name, for oneself or for the whole tenant.

Everybody has views of their own; views of the tenant are made and changed by whoever manages its
routing, and stand on its audit list.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts import audit
from accounts.errors import Conflict, RoleNotAllowed
from accounts.models import Membership, Tenant
from accounts.roles import Right, has_right
from accounts.tenancy import TenantQuerySet
from dashboard.models import SavedView
from dashboard.models.saved_view import LONGEST_QUERY

MOST = 50  # of a person, and of a tenant


def of(membership: Membership) -> TenantQuerySet[SavedView]:
    """What this member sees: their own views, and the tenant's."""
    rows = SavedView.objects.for_tenant(membership.tenant_id)
    return rows.filter(Q(owner=membership.user_id) | Q(owner=None))


def may_share(membership: Membership) -> bool:
    return has_right(membership.role, Right.MANAGE_ROUTING)


def may_change(view: SavedView, membership: Membership) -> bool:
    return may_share(membership) if view.is_shared else view.owner_id == membership.user_id


def save(
    membership: Membership,
    *,
    name: str,
    query: str,
    shared: bool,
    actor: audit.Actor,
    now: datetime,
) -> SavedView:
    """Raises Conflict for a name that is taken and for one view too many, or RoleNotAllowed."""
    if shared and not may_share(membership):
        raise RoleNotAllowed
    if len(query) > LONGEST_QUERY:
        raise Conflict("These filters are too long to be kept.")
    owner = None if shared else membership.user
    rows = SavedView.objects.for_tenant(membership.tenant_id)
    if rows.filter(owner=owner).count() >= MOST:
        raise Conflict(f"There are {MOST} views already. Delete one first.")
    view = SavedView(
        tenant=membership.tenant,
        name=name,
        query=query,
        owner=owner,
        created_by=actor.name,
        created_at=now,
    )
    _write(view)
    _note(view, actor=actor, action="view.shared")
    return view


def rename(view: SavedView, name: str, *, membership: Membership, actor: audit.Actor) -> None:
    """Raises Conflict for a name that is taken, or RoleNotAllowed."""
    if not may_change(view, membership):
        raise RoleNotAllowed
    before, view.name = view.name, name
    if before != name:
        _write(view)
        _note(view, actor=actor, action="view.renamed", before=before)


def delete(view: SavedView, *, membership: Membership, actor: audit.Actor) -> None:
    """Raises RoleNotAllowed."""
    if not may_change(view, membership):
        raise RoleNotAllowed
    _note(view, actor=actor, action="view.deleted")
    view.delete()


def forget(membership: Membership) -> None:
    """Somebody has left the tenant: what was theirs alone goes."""
    rows = SavedView.objects.for_tenant(membership.tenant_id)
    rows.filter(owner=membership.user_id).delete()


def _write(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError:
        raise Conflict(f"There is a view “{view.name}” already.") from None


def _note(view: SavedView, *, actor: audit.Actor, action: str, **details: str) -> None:
    """What concerns the tenant stands on its list; a person's own views do not."""
    if view.is_shared:
        tenant: Tenant = view.tenant
        audit.record(tenant, actor=actor, action=action, subject=view.name, **details)
