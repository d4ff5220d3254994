"""The part of `make check` that no tool does by itself: sizes, templates, migrations, deploy."""

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.house import sizes

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def main() -> int:
    found = list(sizes.problems(ROOT))
    for command in _commands():
        done = subprocess.run(
            command, cwd=ROOT, env=_production(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            found.append(f"{' '.join(command[1:4])}:\n{done.stdout}{done.stderr}")
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


def _commands() -> Iterator[list[str]]:
    manage = [sys.executable, "manage.py"]
    yield [*manage, "makemigrations", "--check", "--dry-run"]
    yield [*manage, "check", "--deploy", "--fail-level", "WARNING"]
    yield [*manage, "check_providers"]
    yield [*manage, "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull]
    templates = [str(path) for path in sizes.tracked(ROOT, "templates/*.html")]
    if templates:
        yield [str(BIN / "djade"), "--target-version", "5.2", "--check", *templates]


def _production() -> dict[str, str]:
    """An environment that a production start would accept."""
    key = base64.b64encode(os.urandom(32)).decode()
    return {
        **os.environ,
        "DEBUG": "0",
        "SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
        "FLO2_MASTER_KEYS": f"check:{key}",
        "FLO2_KEY_PEPPERS": f"check:{key}",
        "FLO2_DATA_DIR": tempfile.mkdtemp(prefix="flo2-check-"),
        "FLO2_SSL_REDIRECT": "1",
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }


if __name__ == "__main__":
    sys.exit(main())
