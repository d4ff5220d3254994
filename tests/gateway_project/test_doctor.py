"""`manage.py doctor`: what is bad is named, and hides nothing else."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Tenant
from gateway_project.health import BAD, LATE, OFF, OK
from tests.accounts.databases import away, postgresql_only
from tests.accounts.threads import at_once
from tests.factories.accounts import TenantFactory

pytestmark = pytest.mark.django_db


def states() -> dict[str, str]:
    return {one["name"]: one["state"] for one in examined()}


def examined() -> list[dict[str, str]]:
    out = io.StringIO()
    try:
        call_command("doctor", json=True, stdout=out)
    except CommandError as problem:
        assert str(problem).startswith("Bad: ")
    found: list[dict[str, str]] = json.loads(out.getvalue())
    return found


class Ready(BaseHTTPRequestHandler):
    """Says that it is ready, as a gateway would."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


@pytest.fixture
def ours(settings: Any) -> Iterator[None]:
    """Something that is ready where the gateway of this host should be."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        settings.FLO2_HOST, settings.FLO2_PORT = "127.0.0.1", server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.mark.usefixtures("ours")
def test_what_is_well_is_said_to_be_so() -> None:
    TenantFactory.create()
    found = states()

    well = (
        "Settings",
        "Data directory",
        "Migrations",
        "Database",
        "Master keys",
        "Catalogue",
        "Gateway",
    )
    assert {name: found[name] for name in well} == dict.fromkeys(well, OK)
    assert found["Mail"] == OFF
    assert found["Worker"] == BAD  # there is none in this test


def test_a_data_directory_that_others_can_read_is_named(tmp_path: Path, settings: Any) -> None:
    settings.FLO2_DATA_DIR = tmp_path
    tmp_path.chmod(0o755)

    [told] = [one for one in examined() if one["name"] == "Data directory"]

    assert (told["state"], f"chmod 700 {tmp_path}" in told["told"]) == (LATE, True)


def test_a_gateway_that_does_not_answer_is_bad(settings: Any) -> None:
    settings.FLO2_PORT = 1

    with pytest.raises(CommandError, match="Gateway"):
        call_command("doctor", stdout=io.StringIO())


def test_a_master_key_that_is_missing_is_named(settings: Any) -> None:
    TenantFactory.create()
    settings.FLO2_MASTER_KEYS = settings.FLO2_MASTER_KEYS.replace("test:", "other:")

    [told] = [one for one in examined() if one["name"] == "Master keys"]

    assert told["state"] == BAD
    assert "lacks 'test' (1 tenants)" in told["told"]


def test_data_keys_of_an_old_master_key_wait(settings: Any) -> None:
    TenantFactory.create()
    value = settings.FLO2_MASTER_KEYS.partition(":")[2]
    settings.FLO2_MASTER_KEYS = f"new:{value},{settings.FLO2_MASTER_KEYS}"

    assert states()["Master keys"] == LATE
    assert Tenant.objects.exists()


def test_a_data_directory_that_is_not_there_is_bad(settings: Any, tmp_path: Any) -> None:
    settings.FLO2_DATA_DIR = tmp_path / "gone"

    assert states()["Data directory"] == BAD


def test_a_weak_secret_is_bad(settings: Any) -> None:
    settings.SECRET_KEY = "short"

    assert states()["Settings"] == BAD


@pytest.mark.django_db(transaction=True)
def test_without_the_database_the_rest_is_looked_at() -> None:
    with away():
        (found,) = at_once(states)

    assert isinstance(found, dict)
    assert found["Migrations"] == found["Master keys"] == BAD
    assert found["Settings"] == found["Catalogue"] == OK


@postgresql_only
def test_on_postgresql_role_and_clock_are_looked_at() -> None:
    found = states()

    assert (found["Row security"], found["Clock"]) == (OK, OK)
