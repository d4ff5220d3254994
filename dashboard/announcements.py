"""What the operator tells everybody who opens a page, until it ends or they dismiss it."""

from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.errors import NotFound
from accounts.models import User
from dashboard.models import Announcement, Dismissal


def in_force(now: datetime) -> QuerySet[Announcement]:
    running = Q(ends_at=None) | Q(ends_at__gt=now)
    return Announcement.objects.filter(running, starts_at__lte=now)


def for_user(user: User, now: datetime) -> list[Announcement]:
    """What this person has to read, the gravest first. One query."""
    gravity = {"critical": 0, "warning": 1, "info": 2}
    rows = in_force(now).exclude(is_dismissible=True, dismissals__user=user)
    return sorted(rows, key=lambda one: gravity[one.level])


def dismiss(announcement: UUID, *, user: User, now: datetime) -> None:
    """Raises NotFound for one that is not shown, or that cannot be dismissed."""
    row = in_force(now).filter(pk=announcement, is_dismissible=True).first()
    if row is None:
        raise NotFound(kind="announcement")
    Dismissal.objects.get_or_create(announcement=row, user=user)
