"""The timetable goes on when the clock is set."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from celery import Celery

from gateway_project.celery import app
from gateway_project.scheduler import Scheduler
from tests.servers.installation import ROOT

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVERY = 20.0


class Told(Scheduler):
    """Notes what is woken instead of waking it."""

    def apply_async(self, *_: object, **__: object) -> None:
        self.woken = getattr(self, "woken", 0) + 1


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def scheduler(tmp_path: Path, clock: time_machine.Traveller) -> Told:
    return made(tmp_path)


def made(folder: Path) -> Told:
    its = Celery("test", broker="memory://", set_as_current=False)
    its.conf.update(
        beat_schedule={"one": {"task": "one", "schedule": EVERY}}, timezone="UTC", result_expires=0
    )
    return Told(its, schedule_filename=str(folder / "beat"))


def run(scheduler: Told, clock: time_machine.Traveller, seconds: float) -> int:
    """How often something is woken in so many seconds."""
    before, left = getattr(scheduler, "woken", 0), seconds
    while left > 0:
        wait = min(scheduler.tick() + 0.02, left)
        clock.shift(wait)
        left -= wait
    return getattr(scheduler, "woken", 0) - before


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(days=1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_it_wakes_tasks_as_often_after_the_clock_was_set(
    scheduler: Told, clock: time_machine.Traveller, jump: timedelta, sign: int
) -> None:
    assert run(scheduler, clock, 100) >= 4

    clock.shift(sign * jump)

    assert 4 <= run(scheduler, clock, 100) <= 6


def test_what_it_noted_before_the_clock_was_set_back_does_not_stop_its_successor(
    scheduler: Told, clock: time_machine.Traveller, tmp_path: Path
) -> None:
    run(scheduler, clock, 100)
    scheduler.close()
    clock.shift(timedelta(days=-1))

    assert run(made(tmp_path), clock, 100) >= 4


def test_a_file_that_was_left_half_made_does_not_hold_it_up(tmp_path: Path) -> None:
    (tmp_path / "__db.beat.db").touch()
    program = (
        "import sys; from gateway_project.scheduler import Scheduler\n"
        "file = Scheduler.persistence.open(sys.argv[1], writeback=True); file.close()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "beat")]

    # In a process of its own: Berkeley DB waits in C, where nothing interrupts it.
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)


def test_the_worker_uses_it() -> None:
    assert app.conf.beat_scheduler == "gateway_project.scheduler:Scheduler"
