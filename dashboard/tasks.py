"""Mails of the dashboard. Tasks take no state along and may run twice."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing import task_leases
from dashboard import key_trouble, weekly


@shared_task
def send_weekly_reports() -> int:
    """Reports of the week that ended, to whoever wants them."""
    with task_leases.held("send_weekly_reports", at_most=timedelta(minutes=30)) as mine:
        return weekly.send_due(timezone.now()) if mine else 0


@shared_task
def mail_key_trouble() -> int:
    """Provider keys that died, once each."""
    with task_leases.held("mail_key_trouble", at_most=timedelta(minutes=10)) as mine:
        return key_trouble.send_waiting(timezone.now()) if mine else 0
