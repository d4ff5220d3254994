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
NO_ORIGIN = "must be origins such as https://llm.example.com, not"


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
        ("FLO2_PORT", "abc", "FLO2_PORT must be a whole number from 1 to 65535, not 'abc'."),
        ("FLO2_PORT", "70000", "FLO2_PORT must be a whole number from 1 to 65535, not '70000'."),
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
        (
            "FLO2_PUBLIC_URL",
            "llm.example.com",
            "FLO2_PUBLIC_URL must be a whole URL that begins with http:// or https://.",
        ),
        (
            "FLO2_TRUSTED_PROXIES",
            "10.0.0.0/8,10.0.0.0/99",
            "FLO2_TRUSTED_PROXIES must be networks such as 10.0.0.0/8, not '10.0.0.0/99'.",
        ),
        (
            "ALLOWED_HOSTS",
            "https://llm.example.com",
            "ALLOWED_HOSTS must be hosts such as llm.example.com, not 'https://llm.example.com'.",
        ),
        (
            "CSRF_TRUSTED_ORIGINS",
            "llm.example.com",
            f"CSRF_TRUSTED_ORIGINS {NO_ORIGIN} 'llm.example.com'.",
        ),
        (
            "FLO2_WEBHOOK_ORIGINS",
            "http://alerts.internal/hook",
            f"FLO2_WEBHOOK_ORIGINS {NO_ORIGIN} 'http://alerts.internal/hook'.",
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


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (("--demo",), {"FLO2_DATA_DIR": "/proc"}, "FLO2_DATA_DIR /proc cannot be written: "),
        (
            (),
            {"FLO2_MASTER_KEYS": "k1:schlüssel"},
            "FLO2_MASTER_KEYS: the key 'k1' is not base64.",
        ),
    ],
)
def test_a_start_that_cannot_be_says_what_is_in_its_way(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], sentence: str
) -> None:
    said = told(tmp_path, "up", *arguments, **{**SECRETS, **environment})

    assert said.startswith(f"CommandError: {sentence}")


def test_a_host_that_is_no_address_is_named(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "FLO2_DATA_DIR": str(tmp_path / "data")},
        check=True,
    )

    said = told(tmp_path, "up", FLO2_HOST="no host", **SECRETS)

    assert said.startswith("CommandError: FLO2_HOST 'no host' is no address: ")


def test_blanks_are_no_value(tmp_path: Path) -> None:
    assert "FLO2_MASTER_KEYS is not set" in told(tmp_path, *BOOTSTRAP, FLO2_MASTER_KEYS=" ")


def test_an_address_of_a_provider_may_be_given_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("nowhere\n")

    said = told(
        tmp_path, "up", FLO2_PROVIDER_OPENAI_BASE_URL_FILE=str(tmp_path / "address"), **SECRETS
    )

    assert said.startswith("CommandError: FLO2_PROVIDER_OPENAI_BASE_URL has to be a base URL")


def test_the_demo_s_secrets_that_are_not_whole_are_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo-secrets.json").write_text('{"SECRET')

    assert "demo-secrets.json cannot be read" in told(tmp_path, "up", "--demo")


def test_of_two_first_starts_at_once_both_use_the_secrets_of_one(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from gateway_project import secrets_file\n"
        "folder = pathlib.Path(sys.argv[1]); sys.stdin.readline()\n"
        "secrets_file.make(folder); print(secrets_file.read(folder))"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for start in starts:
        assert start.stdin
        start.stdin.write("go\n")
        start.stdin.flush()

    read = {start.communicate()[0] for start in starts}

    assert len(read) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["demo-secrets.json"]


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
