"""The worker's app and its timetable. Rows are the queue; tasks are wake-ups and may run twice."""

import os
import signal
import warnings
from pathlib import Path
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import beat_embedded_init, task_postrun, task_prerun, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")

from django.conf import settings
from django.utils import timezone

from gateway_project import lifeline
from gateway_project.timetable import TIMETABLE


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
    beat_scheduler="gateway_project.scheduler:Scheduler",
    task_ignore_result=True,
    task_acks_late=True,
    task_time_limit=900,
    worker_enable_remote_control=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    timezone="UTC",
)
app.autodiscover_tasks(["accounts", "billing", "dashboard", "routing"])


@worker_init.connect  # type: ignore[untyped-decorator]
def _stop_with_the_supervisor(**_: Any) -> None:
    lifeline.hold(lambda: os.kill(os.getpid(), signal.SIGTERM))


@task_prerun.connect  # type: ignore[untyped-decorator]
def _note_start(task: Any = None, **_: Any) -> None:
    # Models can be imported when a worker runs, not when this module is.
    from billing import task_runs

    task_runs.began(task.name, now=timezone.now())


@task_postrun.connect  # type: ignore[untyped-decorator]
def _note_end(task: Any = None, state: str | None = None, retval: Any = None, **_: Any) -> None:
    from billing import task_runs

    error = retval if state == "FAILURE" and isinstance(retval, BaseException) else None
    task_runs.ended(task.name, now=timezone.now(), error=error)


@beat_embedded_init.connect  # type: ignore[untyped-decorator]
def _stop_with_the_worker(**_: Any) -> None:
    """The timetable runs in a fork of the worker, which would go on when that is killed."""
    lifeline.end_with_parent()
