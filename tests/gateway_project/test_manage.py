"""`manage.py` in the hands of somebody who sets an installation up for the first time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from accounts import vault
from tests.servers.installation import ROOT

BOOTSTRAP = ("bootstrap", "--email=a@example.org", "--password=correct horse", "--tenant=Acme")
SECRETS = {
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM",
    "FLO2_MASTER_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "FLO2_KEY_PEPPERS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}

NO_DATABASE = (
    "DATABASE_URL must be a whole URL that begins with postgres:// or postgresql:// or sqlite://."
)


def told(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command that fails says, in a data directory that is not there yet."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "FLO2_DATA_DIR": str(folder / "data"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.strip()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("FLO2_PORT", "abc", "FLO2_PORT must be a whole number from 0 up, not 'abc'."),
        (
            "DATABASE_URL",
            "mysql://me:canary-password@db/flo2",
            NO_DATABASE,
        ),
        (
            "REDIS_URL",
            "cache:6379/canary-password",
            "REDIS_URL must be a whole URL that begins with redis:// or rediss:// or unix://.",
        ),
        (
            "DATABASE_URL",
            "postgres://me:canary-password@db:port/flo2",
            NO_DATABASE,
        ),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_and_not_quoted(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    assert told(tmp_path, "check", **{name: value}) == sentence


def test_a_start_without_secrets_names_all_that_are_missing(tmp_path: Path) -> None:
    lines = told(tmp_path, "up").splitlines()

    assert [line.removeprefix("CommandError: ").split()[0] for line in lines] == list(SECRETS)


def test_keys_are_missed_before_anybody_is_made(tmp_path: Path) -> None:
    with pytest.raises(vault.MasterKeyProblem) as problem:
        vault.master_keys("")

    assert told(tmp_path, *BOOTSTRAP) == f"CommandError: {problem.value}"


def test_a_database_that_is_new_is_to_be_migrated_first(tmp_path: Path) -> None:
    said = told(tmp_path, *BOOTSTRAP, **SECRETS)

    assert said == (
        "The database cannot be used: no such table: accounts_user\n"
        "If it is new, run `manage.py migrate` first."
    )


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    assert told(tmp_path, "check").startswith("FLO2_DATA_DIR cannot be used: ")


def test_the_trace_is_shown_to_who_asks(tmp_path: Path) -> None:
    assert "Traceback" in told(tmp_path, *BOOTSTRAP, "--traceback", **SECRETS)
