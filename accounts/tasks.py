"""Background work on accounts. It may run twice."""

from celery import shared_task
from django.utils import timezone

from accounts import deletion, impersonation


@shared_task
def erase_deleted_tenants() -> int:
    """What is left of tenants whose deletion began half an hour ago."""
    return deletion.erase_due(timezone.now())


@shared_task
def end_impersonations() -> int:
    """Operators' visits whose time is up, with their line on both audit lists."""
    return impersonation.end_overdue(timezone.now())
