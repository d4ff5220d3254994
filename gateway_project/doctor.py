"""What `manage.py doctor` looks at, beside the readings of the health page; nothing is changed."""

import http.client
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from accounts import master_keys, vault
from accounts.vault import MasterKeyProblem
from gateway_project import checks, health
from gateway_project.health import BAD, LATE, OFF, OK, Reading
from routing.providers import loader
from routing.providers.loader import CatalogProblem

LEAST_ROOM = 512 * 2**20  # bytes
MOST_SKEW = timedelta(seconds=2)
ANSWER_SECONDS = 3.0
OTHERS = 0o007


def examine(now: datetime) -> Iterator[Reading]:
    """Everything, in the order of what needs what; a part that fails hides no other."""
    yield _settings()
    yield _data_folder()
    yield from _parts("Migrations", _migrations)
    yield from _parts("Row security", _row_security)
    yield from _parts("Clock", lambda: _clock(now))
    yield from _parts("Master keys", _master_keys)
    yield from _parts("Parts", lambda: health.readings(now))
    yield from _parts("Tasks", lambda: _tasks(now))
    yield _catalogue()
    yield _gateway()
    yield _mail()


def _parts(name: str, look: Callable[[], Reading | list[Reading]]) -> Iterator[Reading]:
    try:
        found = look()
    except DatabaseError as problem:
        yield Reading(name, BAD, f"Not known: the database fails ({type(problem).__name__}).")
    else:
        yield from found if isinstance(found, list) else [found]


def _settings() -> Reading:
    problems = list(checks.problems())
    if problems:
        return Reading("Settings", BAD, " ".join(problems))
    return Reading("Settings", OK, "Secrets are there and strong enough.")


def _data_folder() -> Reading:
    folder = Path(settings.FLO2_DATA_DIR)
    try:
        with TemporaryFile(dir=folder) as probe:
            probe.write(b"flo2")
    except OSError as problem:
        return Reading("Data directory", BAD, f"{folder} cannot be written: {problem.strerror}.")
    if folder.stat().st_mode & OTHERS:
        told = f"Others on this machine can read it: chmod 700 {folder}."
        return Reading("Data directory", LATE, told)
    free = shutil.disk_usage(folder).free
    state = OK if free >= LEAST_ROOM else LATE
    return Reading("Data directory", state, f"{folder} has {free // 2**20:,} MiB left.")


def _migrations() -> Reading:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        return Reading("Migrations", BAD, f"{len(pending)} to come: run `manage.py migrate`.")
    return Reading("Migrations", OK, "The database is up to date.")


def _row_security() -> Reading:
    """On PostgreSQL it does not hold for a role that stands above it."""
    name = "Row security"
    if connection.vendor != "postgresql":
        return Reading(name, OFF, "A matter of PostgreSQL: on SQLite the queries alone see to it.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        [is_above] = cursor.fetchone() or [True]
    if is_above:
        return Reading(name, BAD, "It does not hold for this role: give flo2 an ordinary one.")
    return Reading(name, OK, "It holds for this role.")


def _clock(now: datetime) -> Reading:
    """Budgets and limits count by the host's clock, the feed of changes by the database's."""
    if connection.vendor != "postgresql":
        return Reading("Clock", OFF, "The database has this host's.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone() or (now,)
    away = abs(theirs - now)
    state = OK if away <= MOST_SKEW else LATE
    told = f"The database's is {away.total_seconds():.1f} s away from this host's."
    return Reading("Clock", state, told)


def _master_keys() -> Reading:
    name = "Master keys"
    try:
        known = vault.master_keys(settings.FLO2_MASTER_KEYS)
        found = master_keys.rewrap(apply=False)
    except MasterKeyProblem as problem:
        return Reading(name, BAD, str(problem))
    missing = Counter({key: n for key, n in found.in_use.items() if key not in known.keys})
    if missing:
        keys = ", ".join(f"{key!r} ({count} tenants)" for key, count in sorted(missing.items()))
        return Reading(name, BAD, f"FLO2_MASTER_KEYS lacks {keys}.")
    old = sum(found.in_use.values()) - found.in_use[known.sealing_id]
    if old:
        return Reading(name, LATE, f"{old} tenants wait for `manage.py rotate_master_key`.")
    return Reading(name, OK, f"All data keys are wrapped by {known.sealing_id!r}.")


def _tasks(now: datetime) -> Reading:
    """The tasks of the timetable that failed, or are late."""
    every = health.tasks(now)
    bad = [one.name for one in every if one.state == BAD]
    late = [one.name for one in every if one.state == LATE]
    if bad:
        return Reading("Tasks", BAD, f"Failed when they last ran: {', '.join(bad)}.")
    if late:
        return Reading("Tasks", LATE, f"Late, or have not run yet: {', '.join(late)}.")
    return Reading("Tasks", OK, f"All {len(every)} of the timetable run in time.")


def _catalogue() -> Reading:
    try:
        providers = loader.load_all()
    except CatalogProblem as problem:
        return Reading("Catalogue", BAD, str(problem))
    models = sum(len(provider.models) for provider in providers.values())
    return Reading("Catalogue", OK, f"{len(providers)} providers, {models} models.")


def _gateway() -> Reading:
    """Whether a gateway of this host takes calls."""
    host = settings.FLO2_HOST
    if host in {"0.0.0.0", "::"}:  # noqa: S104  where it listens, and not whom we ask
        host = "127.0.0.1"
    asked = http.client.HTTPConnection(host, settings.FLO2_PORT, timeout=ANSWER_SECONDS)
    try:
        asked.request("GET", "/readyz")
        answer = asked.getresponse()
        said = answer.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return Reading("Gateway", BAD, f"Nobody answers at {host}:{settings.FLO2_PORT}.")
    finally:
        asked.close()
    if answer.status != http.client.OK:
        return Reading("Gateway", BAD, f"Not ready: {said}")
    return Reading("Gateway", OK, f"Ready at {host}:{settings.FLO2_PORT}.")


def _mail() -> Reading:
    if not settings.EMAIL_CONFIG:
        return Reading("Mail", OFF, "EMAIL_URL is not set: no address is verified, nobody is told.")
    if not settings.FLO2_PUBLIC_URL:
        return Reading("Mail", LATE, "FLO2_PUBLIC_URL is not set: links in mails lead nowhere.")
    return Reading("Mail", OK, f"Goes out through {settings.EMAIL_CONFIG.get('EMAIL_HOST', '?')}.")
