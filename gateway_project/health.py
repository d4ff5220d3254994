"""What the operator's health page tells: measured when the page is opened, on this host.

Each reading says how it is, in a word and in a sentence; what cannot be known is said to be so.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from billing import journal
from billing.facts import CallOpened, CallSettled
from billing.models import JournalCursor, TaskRun
from gateway_project.timetable import TIMETABLE

OK, LATE, BAD, OFF, NEW = "ok", "late", "bad", "not used", "not yet"
LATE_JOURNAL = timedelta(seconds=30)
MANY_WAITING = 100
PATIENCE = 3  # a task may be late by so many of its turns, and by this:
LEAST_PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Reading:
    name: str
    state: str
    told: str


@dataclass(frozen=True)
class TaskReading:
    """The last run of a task of the timetable."""

    name: str
    every: timedelta
    state: str
    run: TaskRun | None

    @property
    def told(self) -> str:
        run = self.run
        due = f"due every {_span(self.every)}"
        if run is None:
            return f"It has not run yet; {due}."
        began = f"Last begun {run.started_at:%Y-%m-%d %H:%M:%S} UTC on {run.host}"
        if run.ended_at is None:
            return f"{began}, and not ended; {due}."
        took = int((run.ended_at - run.started_at).total_seconds() * 1000)
        if run.error:
            return f"{began}, failed after {took} ms; {due}. {run.error}"
        failed = f"; last failure {run.failed_at:%Y-%m-%d %H:%M} UTC" if run.failed_at else ""
        return f"{began}, took {took} ms; {due}{failed}."


def readings(now: datetime) -> list[Reading]:
    runs = {run.name: run for run in TaskRun.objects.all()}
    return [_database(), _redis(), _queue(now), _journals(now), _beat(runs, now)]


def tasks(now: datetime) -> list[TaskReading]:
    """Every task of the timetable, the late ones first."""
    runs = {run.name: run for run in TaskRun.objects.all()}
    found = [
        _task(entry["task"], timedelta(seconds=entry["schedule"]), runs.get(entry["task"]), now)
        for entry in TIMETABLE.values()
    ]
    return sorted(found, key=lambda one: ((BAD, LATE, NEW, OK).index(one.state), one.name))


def _database() -> Reading:
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as problem:
        return Reading("Database", BAD, f"{connection.vendor} fails: {type(problem).__name__}.")
    took = _milliseconds(time.perf_counter() - began)
    return Reading("Database", OK, f"{connection.vendor} answers a question in {took}.")


def _redis() -> Reading:
    if not settings.REDIS_URL:
        return Reading("Redis", OFF, "REDIS_URL is not set: one process, and nothing is shared.")
    began = time.perf_counter()
    try:
        with _client() as client:
            client.ping()
    except redis.RedisError as problem:
        return Reading("Redis", BAD, f"It does not answer: {type(problem).__name__}.")
    took = _milliseconds(time.perf_counter() - began)
    return Reading("Redis", OK, f"It answers in {took}.")


def _queue(now: datetime) -> Reading:
    """Wake-ups that no worker has taken; those of the timetable expire by themselves."""
    name = "Queue"
    if settings.REDIS_URL:
        try:
            with _client() as client:
                count = int(client.llen("flo2-celery:celery"))
        except redis.RedisError as problem:
            return Reading(name, BAD, f"Not known: Redis fails ({type(problem).__name__}).")
        age = ""
    else:
        times = list(_modified(Path(settings.FLO2_DATA_DIR) / "queue" / "messages"))
        count = len(times)
        oldest = now - min(times, default=now)
        age = f", the oldest for {_span(oldest)}" if times else ""
    state = LATE if count >= MANY_WAITING else OK
    return Reading(name, state, f"{count} message{'' if count == 1 else 's'} wait{age}.")


def _journals(now: datetime) -> Reading:
    """What this host's journals hold that is not in the database yet."""
    folder = Path(settings.FLO2_DATA_DIR) / "journal"
    cursors = dict(JournalCursor.objects.values_list("name", "position"))
    files = sorted(folder.glob(f"*{journal.SUFFIX}")) if folder.is_dir() else []
    behind, oldest, since = 0, timedelta(), False
    for path in files:
        position = cursors.get(path.name, 0)
        with suppress(FileNotFoundError):  # it was shipped to its end while we looked
            behind += max(0, path.stat().st_size - position)
            if at := _first_moment(path, position):
                oldest, since = max(oldest, now - at), True
    where = f"{len(files)} journal{'' if len(files) == 1 else 's'} of this host"
    if not behind:
        return Reading("Journal", OK, f"{where}: everything is in the database.")
    state = LATE if oldest > LATE_JOURNAL else OK
    age = f"the oldest for {_span(oldest)}" if since else "since when is not known"
    return Reading("Journal", state, f"{where}: {behind:,} bytes wait, {age}.")


def _first_moment(path: Path, position: int) -> datetime | None:
    """When the first of the next few facts was written, of those that tell a time."""
    for record in islice(journal.read(path, position), 50):
        fact = record.fact
        if isinstance(fact, CallOpened):
            return datetime.fromtimestamp(fact.opened_at / 1000, UTC)
        if isinstance(fact, CallSettled):
            return datetime.fromtimestamp(fact.settled_at / 1000, UTC)
    return None


def _beat(runs: dict[str, TaskRun], now: datetime) -> Reading:
    """The clock of the worker: when a task of the timetable was last begun."""
    timed = {entry["task"] for entry in TIMETABLE.values()}
    last = max((run.started_at for name, run in runs.items() if name in timed), default=None)
    if last is None:
        return Reading("Worker", BAD, "No task has run yet: is a worker running?")
    shortest = timedelta(seconds=min(entry["schedule"] for entry in TIMETABLE.values()))
    quiet = now - last
    state = OK if quiet <= max(shortest * PATIENCE, LEAST_PATIENCE) else BAD
    return Reading("Worker", state, f"Its timetable last woke a task {_span(quiet)} ago.")


def _task(name: str, every: timedelta, run: TaskRun | None, now: datetime) -> TaskReading:
    if run is None:
        return TaskReading(name, every, NEW, None)  # since when it could have is not known
    late = now - run.started_at > max(every * PATIENCE, LEAST_PATIENCE)
    return TaskReading(name, every, BAD if run.error else LATE if late else OK, run)


def _client() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


def _modified(folder: Path) -> Iterator[datetime]:
    for path in folder.glob("*.msg"):
        with suppress(FileNotFoundError):  # a worker has taken it
            yield datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds >= 0.0001 else "less than 0.1 ms"


def _span(length: timedelta) -> str:
    seconds = max(0, int(length.total_seconds()))
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} s"
