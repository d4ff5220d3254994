"""An operator sees a tenant's pages as a viewer does: for half an hour, with a reason, read only.

The session keeps the id of the row; the row says whether it still counts. Start and end stand on
the tenant's audit list and on the operators'.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts import audit
from accounts.models import Impersonation, Tenant, User
from accounts.tenancy import system_scope

SESSION_KEY = "impersonation"
LASTS = timedelta(minutes=30)
BUTTON, TIME, LOGOUT = "button", "time", "logout"


def start(tenant: Tenant, *, operator: User, reason: str, now: datetime) -> Impersonation:
    """Ends what the operator looked at before."""
    with system_scope():
        for row in _running().filter(operator=operator):
            _end(row, now=now, by=BUTTON)
        row = Impersonation.objects.create(
            tenant=tenant, operator=operator, reason=reason, started_at=now, until=now + LASTS
        )
        audit.record(
            tenant,
            actor=audit.operator(operator),
            action="impersonation.started",
            subject=reason,
            until=row.until.isoformat(timespec="seconds"),
        )
    return row


def current(kept: object, user: User, now: datetime) -> Impersonation | None:
    """The visit that a session remembers, while it counts and its operator is one."""
    try:
        wanted = UUID(str(kept))
    except ValueError:
        return None
    if not (user.is_active and user.is_staff):
        return None
    with system_scope():
        rows = _running().filter(pk=wanted, operator=user, until__gt=now)
        return rows.filter(tenant__deleting_since=None).first()


def end(row: UUID, *, now: datetime, by: str) -> None:
    """Once; a visit that has ended stays as it is."""
    with system_scope():
        found = _running().filter(pk=row).first()
        if found:
            _end(found, now=now, by=by)


def end_overdue(now: datetime) -> int:
    """End the visits whose time is up; how many."""
    with system_scope():
        gone = Q(until__lte=now) | Q(operator__is_staff=False) | Q(operator__is_active=False)
        overdue = list(_running().filter(gone))
        for row in overdue:
            _end(row, now=now, by=TIME)
    return len(overdue)


def _running() -> QuerySet[Impersonation]:
    return Impersonation.objects.filter(ended_at=None).select_related("tenant", "operator")


def _end(row: Impersonation, *, now: datetime, by: str) -> None:
    row.ended_at = min(now, row.until)
    row.save(update_fields=["ended_at"])
    actor = audit.operator(row.operator)
    audit.record(row.tenant, actor=actor, action="impersonation.ended", subject=row.reason, by=by)
