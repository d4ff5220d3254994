"""Background work on accounts. It may run twice."""

from celery import shared_task
from django.utils import timezone

from accounts import deletion


@shared_task
def erase_deleted_tenants() -> int:
    """What is left of tenants whose deletion began half an hour ago."""
    return deletion.erase_due(timezone.now())
