"""Note when tasks run, for the operator's page. A note that cannot be kept holds up no task."""

import logging
import socket
from datetime import datetime

from django.db import DatabaseError, transaction

from accounts.secret import scrub
from billing.models import TaskRun

log = logging.getLogger(__name__)


def began(name: str, *, now: datetime) -> None:
    host = socket.gethostname()[:100]
    fresh = {"host": host, "started_at": now, "ended_at": None}
    _keep(name, fresh)


def ended(name: str, *, now: datetime, error: BaseException | None = None) -> None:
    """It is over; `error` is what it failed with."""
    if error is None:
        _keep(name, {"ended_at": now, "error": ""})
    else:
        told = scrub(f"{type(error).__name__}: {error}")[:300]
        _keep(name, {"ended_at": now, "error": told, "failed_at": now})


def _keep(name: str, values: dict[str, object]) -> None:
    try:
        with transaction.atomic():
            if not TaskRun.objects.filter(name=name).update(**values) and "started_at" in values:
                TaskRun.objects.create(name=name, **values)
    except DatabaseError:
        log.warning("a task's run could not be noted", exc_info=True, extra={"task": name})
