"""What every test may use. Upstreams are the sandbox over HTTP; time and chance are injected."""

import faulthandler
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.test.utils import setup_databases, teardown_databases

from accounts.tenancy import SYSTEM
from routing import runtime
from tests.servers.gateway import Gateway
from tests.servers.sandbox import Sandbox

faulthandler.enable()
hypothesis.settings.register_profile("flo2", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("flo2")


# Left out on PostgreSQL: they know no database, or start an installation with one of its own.
EMBEDDED_ONLY = (
    "/experiments/test_crash.py", "/experiments/test_crash_postgres.py",
    "/experiments/test_crash_redis.py", "/experiments/test_crash_runs.py",
    "/experiments/test_judging_crash.py",
    "/experiments/test_scorer.py", "/experiments/test_speed.py", "/experiments/test_statistics.py",
    "/routing/wire/", "/routing/plan/", "/routing/scoring/", "/routing/sandbox/",
    "/routing/execution/", "/house/", "/gateway_project/test_manage.py",
    "/gateway_project/test_up.py",
)  # fmt: skip
# With FLO2_TEST_SPLIT=1 left out on SQLite: CI runs them on PostgreSQL, and no database decides.
SPLIT = (
    "/contract/", "/experiments/test_crash_machine.py", "/routing/upstream/",
    "/journeys/test_fault_matrix.py", "/journeys/test_faults.py",
    "/gateway_project/test_draining.py", "/gateway_project/test_keep_alive.py",
    "/gateway_project/test_limits.py",
)  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    parts: tuple[str, ...] = EMBEDDED_ONLY
    if connection.vendor == "sqlite":
        parts = SPLIT if os.environ.get("FLO2_TEST_SPLIT") == "1" else ()
    left_out = [one for one in items if any(part in one.path.as_posix() for part in parts)]
    gone = set(left_out)
    items[:] = [one for one in items if one not in gone]
    config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no key of the machine reaches a test."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    server = Sandbox()
    settings.FLO2_SANDBOX_URL = server.url
    yield server
    server.stop()


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Iterator[Sandbox]:
    """The providers of test keys, healthy at the beginning of each test."""
    sandbox_server.heal()
    yield sandbox_server
    sandbox_server.heal()


@pytest.fixture(autouse=True, scope="session")
def _quick_clearing() -> None:
    """PostgreSQL needs a quarter of a second to truncate all tables; emptying them is quicker."""
    if connection.vendor == "postgresql":
        operations: Any = connection.ops
        operations.sql_flush = _emptied


def _emptied(style: object, tables: list[str], **_: object) -> list[str]:
    """Row by row, as the installation itself: truncating would not ask for row security."""
    quoted = [connection.ops.quote_name(table) for table in tables]
    return [
        f"SELECT set_config('app.scope', '{SYSTEM}', true)",
        *(f"DELETE FROM {table}" for table in quoted),
    ]


@pytest.fixture(scope="session")
def databases(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, also where no test of the run asks for it itself."""
    creation: Any = connection.creation
    name = str(connection.settings_dict["NAME"])
    if name == creation._get_test_db_name() or name.startswith(TEST_DATABASE_PREFIX):
        yield
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default": None})
        yield
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def gateway_server(databases: None, django_db_blocker: Any) -> Iterator[Gateway]:
    with django_db_blocker.unblock():
        server = Gateway()
        yield server
        server.stop()


@pytest.fixture
def gateway(transactional_db: None, gateway_server: Gateway, sandbox: Sandbox) -> Iterator[Gateway]:
    """A running gateway whose test keys reach the sandbox; nothing is known of them yet."""
    runtime.current().health.forget()
    yield gateway_server
    gateway_server.settle()
