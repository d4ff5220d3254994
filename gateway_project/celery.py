"""The worker's app and its timetable. Rows are the queue; tasks are wake-ups and may run twice."""

import os
import signal
import warnings
from pathlib import Path
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")

from django.conf import settings

from gateway_project import lifeline


def _broker() -> dict[str, Any]:
    """Redis, or folders in the data directory."""
    if settings.REDIS_URL:
        url = settings.REDIS_URL.replace("unix://", "redis+socket://")
        return {"broker_url": url, "broker_transport_options": {"global_keyprefix": "flo2-celery:"}}
    folder = Path(settings.FLO2_DATA_DIR) / "queue"
    names = ("messages", "processed", "control")
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": "filesystem://",
        "broker_transport_options": {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "processed_folder": str(folder / "processed"),
            "control_folder": str(folder / "control"),
            "store_processed": False,
        },
    }


TIMETABLE: dict[str, dict[str, Any]] = {
    "add up spend": {"task": "billing.tasks.add_up_spend", "schedule": 20.0},
    "settle overdue calls": {"task": "billing.tasks.settle_overdue_calls", "schedule": 60.0},
    "forget old changes": {"task": "billing.tasks.forget_old_changes", "schedule": 3600.0},
    "forget shipped journals": {
        "task": "billing.tasks.forget_shipped_journals",
        "schedule": 3600.0,
    },
    "keep call tables": {"task": "billing.tasks.keep_call_tables", "schedule": 6 * 3600.0},
    "send budget alerts": {"task": "billing.tasks.send_budget_alerts", "schedule": 20.0},
    "release dead leases": {"task": "billing.tasks.release_dead_leases", "schedule": 60.0},
    "erase deleted tenants": {"task": "accounts.tasks.erase_deleted_tenants", "schedule": 300.0},
    "end impersonations": {"task": "accounts.tasks.end_impersonations", "schedule": 60.0},
    "judge waiting samples": {"task": "routing.tasks.judge_waiting_samples", "schedule": 5.0},
    "guard experiments": {"task": "routing.tasks.guard_experiments", "schedule": 60.0},
    "forget expired answers": {
        "task": "routing.tasks.forget_expired_answers",
        "schedule": 600.0,
    },
    "check provider keys again": {
        "task": "routing.tasks.check_unverified_keys",
        "schedule": 300.0,
    },
}

# In a container the worker may well be root; what it warns of (pickle) is not accepted here.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("flo2")
app.conf.update(
    **_broker(),
    beat_schedule={
        # A wake-up that nobody took before the next one is due is of no use.
        name: {**entry, "options": {"expires": entry["schedule"]}}
        for name, entry in TIMETABLE.items()
    },
    task_ignore_result=True,
    task_acks_late=True,
    task_time_limit=900,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    timezone="UTC",
)
app.autodiscover_tasks(["accounts", "billing", "routing"])


@worker_init.connect  # type: ignore[untyped-decorator]
def _stop_with_the_supervisor(**_: Any) -> None:
    lifeline.hold(lambda: os.kill(os.getpid(), signal.SIGTERM))
