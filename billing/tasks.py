"""Background work on the books. Tasks take no state along and may run twice."""

from datetime import timedelta
from pathlib import Path

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts import changes
from billing import alerts, lease_rows, reconcile, retention, rollups, task_leases

MINUTE = timedelta(minutes=1)


@shared_task
def add_up_spend() -> int:
    """Fold what was booked into hours and days."""
    with task_leases.held("add_up_spend", at_most=5 * MINUTE) as mine:
        return rollups.add_up() if mine else 0


@shared_task
def settle_overdue_calls() -> int:
    """End calls whose process will not do it any more."""
    with task_leases.held("settle_overdue_calls", at_most=5 * MINUTE) as mine:
        return len(reconcile.give_up_overdue(timezone.now())) if mine else 0


@shared_task
def forget_old_changes() -> int:
    with task_leases.held("forget_old_changes", at_most=10 * MINUTE) as mine:
        return changes.forget_old() if mine else 0


@shared_task
def keep_call_tables() -> int:
    """Make the partitions of the months to come, and drop calls that are too old."""
    with task_leases.held("keep_call_tables", at_most=60 * MINUTE) as mine:
        if not mine:
            return 0
        made = retention.prepare(timezone.now())
        return len(made) + retention.forget(
            timezone.now(), keep_days=settings.FLO2_CALL_RETENTION_DAYS
        )


@shared_task
def forget_shipped_journals() -> int:
    """Each host deletes its own journals, a day after they were shipped."""
    return reconcile.forget_shipped(Path(settings.FLO2_DATA_DIR) / "journal")


@shared_task
def send_budget_alerts() -> int:
    """Mail the thresholds that budgets have reached."""
    with task_leases.held("send_budget_alerts", at_most=5 * MINUTE) as mine:
        return alerts.send_waiting(timezone.now()) if mine else 0


@shared_task
def release_dead_leases() -> int:
    """Each host returns what its dead processes had leased, even while no gateway runs."""
    folder = Path(settings.FLO2_DATA_DIR) / "journal"
    if not folder.is_dir():
        return 0
    reconcile.adopt_dead_journals(folder)
    return lease_rows.release_the_dead(folder, lease_rows.folder_id(folder))
