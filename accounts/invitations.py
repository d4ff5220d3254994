"""Invite somebody to a tenant by e-mail, withdraw it, accept it.

A token of 256 random bits is the invitation; it counts for the address it was made for, once, and
for a week. Whoever may manage people can make and withdraw one; nobody is invited as owner.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts import audit
from accounts.errors import Conflict, InvalidRequest, NotFound
from accounts.models import Invitation, Membership, Tenant, User
from accounts.roles import Role
from accounts.tenancy import system_scope

LASTS = timedelta(days=7)
GONE = "This invitation is not known, was used, withdrawn, or has expired."
MOST_OPEN = 100
ROLES = (Role.ADMIN, Role.MEMBER, Role.VIEWER)

Draw = Callable[[], str]


@dataclass(frozen=True)
class Invited:
    """An invitation and the token that its link ends in."""

    record: Invitation
    token: str


def invite(
    tenant: Tenant,
    *,
    email: str,
    role: str,
    actor: audit.Actor,
    now: datetime,
    draw: Draw = lambda: secrets.token_urlsafe(32),
) -> Invited:
    """Replaces an earlier invitation of the same address. Raises Conflict or InvalidRequest."""
    email = email.strip().lower()
    if role not in ROLES:
        raise InvalidRequest("Somebody can be invited as admin, member or viewer.", param="role")
    if Membership.objects.for_tenant(tenant).filter(user__email=email).exists():
        raise Conflict(f"{email} belongs to {tenant.name} already.")
    rows = Invitation.objects.for_tenant(tenant)
    rows.filter(email=email).delete()
    if rows.count() >= MOST_OPEN:
        raise Conflict(f"There are {MOST_OPEN} open invitations. Withdraw one first.")
    _room_for_one_more(tenant, now)
    token = draw()
    record = Invitation.objects.for_tenant(tenant).create(
        tenant=tenant,
        email=email,
        role=role,
        digest=_digest(token),
        invited_by=actor.user,
        created_at=now,
        expires_at=now + LASTS,
    )
    audit.record(tenant, actor=actor, action="invitation.made", subject=email, role=role)
    return Invited(record, token)


def _room_for_one_more(tenant: Tenant, now: datetime) -> None:
    """Whether the operator's limit has room for everybody who was invited, too."""
    most = tenant.most_members
    if most is None:
        return
    people = Membership.objects.for_tenant(tenant).count()
    people += Invitation.objects.for_tenant(tenant).filter(expires_at__gt=now).count()
    if people >= most:
        raise Conflict(
            f"The operator allows {most} member{'' if most == 1 else 's'} here, open invitations"
            " included. Remove one first, or ask for more."
        )


def withdraw(invitation: Invitation, *, actor: audit.Actor) -> None:
    audit.record(
        invitation.tenant, actor=actor, action="invitation.withdrawn", subject=invitation.email
    )
    invitation.delete()


def find(token: str, *, now: datetime) -> Invitation:
    """The invitation of a link that still counts. Raises NotFound."""
    with system_scope():
        rows = Invitation.objects.select_related("tenant", "invited_by")
        found = rows.filter(digest=_digest(token), expires_at__gt=now).first()
    if found is None:
        raise NotFound(GONE)
    return found


def accept(token: str, *, user: User, now: datetime) -> Membership:
    """Make its receiver a member. Raises NotFound, or Conflict for somebody else's."""
    try:
        with system_scope():
            found = find(token, now=now)
            if not is_for(found, user.email):
                raise Conflict(f"This invitation is for {found.email}, not for {user.email}.")
            used, _ = Invitation.objects.filter(pk=found.pk).delete()
            if not used:
                raise NotFound(GONE)  # used or withdrawn since we looked
            theirs = Membership.objects.filter(tenant=found.tenant, user=user).first()
            if theirs is None:
                theirs = _join(found, user)
    except IntegrityError:  # accepted twice at the same moment
        raise Conflict("This invitation was accepted already.") from None
    return theirs


def is_for(invitation: Invitation, email: str) -> bool:
    return invitation.email == email.strip().lower()


def _join(invitation: Invitation, user: User) -> Membership:
    tenant = invitation.tenant
    with transaction.atomic():
        made = Membership.objects.create(tenant=tenant, user=user, role=invitation.role)
    audit.record(
        tenant,
        actor=audit.person(user),
        action="member.joined",
        subject=user.email,
        role=invitation.role,
        invited_by=invitation.invited_by.email if invitation.invited_by else "",
    )
    return made


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
