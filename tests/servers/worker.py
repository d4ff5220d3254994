"""The worker's tasks, each in a process of its own, as Celery's worker would run them."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
_CODE = "import django; django.setup(); from routing import tasks; print(tasks.{}())"


def start(task: str) -> subprocess.Popen[str]:
    """Begin a task of `routing.tasks` on the database and journals of this test."""
    return subprocess.Popen(
        [sys.executable, "-c", _CODE.format(task)],
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(task: str) -> int:
    """The task's answer."""
    process = start(task)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    print(errors[-3000:])
    return int(out.splitlines()[-1])


def _environment() -> dict[str, str]:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        base, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        url = f"{base}/{name}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": url,
        "FLO2_DATA_DIR": str(settings.FLO2_DATA_DIR),
        "FLO2_SANDBOX_URL": settings.FLO2_SANDBOX_URL,
    }
