"""The operator's health page tells what is, and says so where it does not know."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from billing import journal, task_runs
from billing.models import JournalCursor, TaskRun
from billing.tasks import add_up_spend
from gateway_project import celery, health
from gateway_project.timetable import TIMETABLE
from tests.dashboard.conftest import World
from tests.dashboard.reading import text
from tests.factories.billing import story

PAGE = "/admin/health/"
TASK = "billing.tasks.add_up_spend"


def reading(name: str, now: datetime) -> health.Reading:
    return next(one for one in health.readings(now) if one.name == name)


def task(name: str, now: datetime) -> health.TaskReading:
    return next(one for one in health.tasks(now) if one.name == name)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """A data directory of its own, with nothing in it."""
    settings.FLO2_DATA_DIR = tmp_path
    (tmp_path / "journal").mkdir()
    (tmp_path / "queue" / "messages").mkdir(parents=True)
    return tmp_path


def test_the_page_is_the_operators_and_names_every_task(browser: Client) -> None:
    said = text(browser.get(PAGE))

    assert f"{connection.vendor} answers a question" in said
    assert all(entry["task"] in said for entry in TIMETABLE.values())


def test_members_find_no_health_page(owner: Client) -> None:
    assert owner.get(PAGE).status_code == 404


@pytest.mark.django_db
def test_without_redis_it_is_not_used_and_with_a_dead_one_it_is_bad(
    settings: Any, folder: Path, now: datetime
) -> None:
    settings.REDIS_URL = ""
    assert reading("Redis", now).state == health.OFF
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert reading("Redis", now).state == health.BAD
    assert "Not known" in reading("Queue", now).told


@pytest.mark.django_db
def test_messages_that_no_worker_takes_are_counted(
    settings: Any, folder: Path, now: datetime
) -> None:
    settings.REDIS_URL = ""
    assert reading("Queue", now).told == "0 messages wait."
    for number in range(health.MANY_WAITING):
        (folder / "queue" / "messages" / f"{number}.msg").touch()

    told = reading("Queue", now + timedelta(minutes=5, seconds=30))

    assert told.state == health.LATE
    assert told.told == "100 messages wait, the oldest for 5 minutes."


def test_what_a_journal_holds_and_the_database_does_not_is_told(
    world: World, folder: Path, now: datetime
) -> None:
    opened = int(now.timestamp() * 1000)
    path = folder / "journal" / f"host-1{journal.SUFFIX}"
    path.write_bytes(b"".join(map(journal.line_of, story(world.tenant, opened_at=opened))))
    size = path.stat().st_size

    fresh = reading("Journal", now + timedelta(seconds=3))
    stuck = reading("Journal", now + timedelta(minutes=5))
    JournalCursor.objects.create(name=path.name, position=size, updated_at=now)
    shipped = reading("Journal", now + timedelta(minutes=5))

    assert (fresh.state, stuck.state, shipped.state) == (health.OK, health.LATE, health.OK)
    assert f"{size:,} bytes wait, the oldest for 5 minutes" in stuck.told
    assert "everything is in the database" in shipped.told
    assert not list((folder / "journal").glob("*.bad"))


@pytest.mark.django_db
def test_a_worker_that_never_ran_and_one_that_stopped_are_bad(now: datetime) -> None:
    assert reading("Worker", now).state == health.BAD
    task_runs.began(TASK, now=now)

    assert reading("Worker", now + timedelta(seconds=30)).state == health.OK
    stopped = reading("Worker", now + timedelta(minutes=4))
    assert (stopped.state, stopped.told) == (
        health.BAD, "Its timetable last woke a task 4 minutes ago.",
    )  # fmt: skip


@pytest.mark.django_db
def test_runs_are_noted_as_the_worker_makes_them(now: datetime) -> None:
    celery.app.conf.task_always_eager = True
    try:
        add_up_spend.delay()
    finally:
        celery.app.conf.task_always_eager = False

    run = TaskRun.objects.get(name=TASK)
    assert run.ended_at is not None
    assert run.ended_at >= run.started_at
    assert task(TASK, now).state == health.OK


@pytest.mark.django_db
def test_a_task_that_fails_is_bad_until_it_succeeds(now: datetime) -> None:
    task_runs.began(TASK, now=now)
    task_runs.ended(TASK, now=now, error=ValueError("key gsk_0123456789abcdefghij is wrong"))

    failed = task(TASK, now)
    assert failed.state == health.BAD
    assert failed.run is not None
    assert failed.run.error.startswith("ValueError: key ")
    assert "gsk_0123456789abcdefghij" not in failed.run.error

    task_runs.began(TASK, now=now)
    task_runs.ended(TASK, now=now)
    again = task(TASK, now)
    assert (again.state, again.run and again.run.failed_at) == (health.OK, now)


@pytest.mark.django_db
def test_a_task_that_has_not_come_for_three_turns_is_late(now: datetime) -> None:
    task_runs.began(TASK, now=now)

    assert task(TASK, now + timedelta(seconds=61)).state == health.LATE
    assert task("billing.tasks.keep_call_tables", now).state == health.NEW
