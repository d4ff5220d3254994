"""Background work of routing. Tasks take no state along and may run twice."""

import asyncio
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from accounts import members, provider_keys
from accounts.models import ProviderKey
from accounts.models.provider_key import KeyStatus
from accounts.tenancy import system_scope, tenant_scope
from billing import task_leases, webhooks
from routing import deliveries, idempotent_rows, key_checks
from routing.cache import choice, table
from routing.judging import rounds, waiting
from routing.training_data import rows

AT_ONCE = 50
REST = timedelta(hours=1)


@shared_task
def check_unverified_keys() -> int:
    """Ask again about keys whose provider could not be asked, or that had run out of credit."""
    with task_leases.held("check_unverified_keys", at_most=timedelta(minutes=10)) as mine:
        return _check_some() if mine else 0


@shared_task
def judge_waiting_samples() -> int:
    """Judge the samples of running experiments. The rows are the queue; each is claimed."""
    now = timezone.now()
    waiting.forget_expired(now)
    if not waiting.are_any(now):
        return 0
    return asyncio.run(rounds.run_alone())


@shared_task
def guard_experiments() -> int:
    """Stop arms that fail much more often than what they are compared with."""
    return rounds.guard()


@shared_task
def send_webhooks() -> int:
    """Tell webhooks of the alerts of budgets, and try again what could not be delivered."""
    with task_leases.held("send_webhooks", at_most=timedelta(minutes=10)) as mine:
        if not mine:
            return 0
        webhooks.announce_waiting(timezone.now())
        return deliveries.send_due(timezone.now())


def _check_some() -> int:
    with system_scope():
        unverified = ProviderKey.objects.filter(enabled=True, status=KeyStatus.UNVERIFIED)
        resting = ProviderKey.objects.filter(
            enabled=True, status=KeyStatus.NO_CREDIT, checked_at__lt=timezone.now() - REST
        )
        found = (unverified | resting).select_related("tenant").order_by("checked_at", "id")
        chosen = list(found[:AT_ONCE])
        secrets = [provider_keys.open_secret(key) for key in chosen]
    for key, secret in zip(chosen, secrets, strict=True):
        finding = key_checks.ask(key, secret)
        with system_scope():
            key_checks.record(key, finding, now=timezone.now())
    return len(chosen)


@shared_task
def forget_expired_answers() -> int:
    """Delete kept answers, collected calls, and keys and deliveries of long ago; how many."""
    with task_leases.held("forget_expired_answers", at_most=timedelta(minutes=10)) as mine:
        return sum(_forget_expired(tenant) for tenant in members.tenant_ids()) if mine else 0


def _forget_expired(tenant: UUID) -> int:
    choice.forget_switched_off(tenant)
    with tenant_scope(tenant):
        now = timezone.now()
        gone = rows.prune(tenant, now) + table.forget_expired(tenant, now)
        gone += webhooks.forget_old(tenant, now)
        return gone + idempotent_rows.forget_old(tenant, now)
