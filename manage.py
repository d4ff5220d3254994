"""Django's command line: `python manage.py help`."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError


def main() -> None:
    """What the operator can mend is told in a sentence; `--traceback` shows where it came from."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
    try:
        _make_data_folder()
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, DatabaseError) as problem:
        if "--traceback" in sys.argv:
            raise
        sys.exit(_told(problem))


def _make_data_folder() -> None:
    try:
        settings.FLO2_DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as problem:
        sys.exit(f"FLO2_DATA_DIR cannot be used: {problem}")


def _told(problem: Exception) -> str:
    if not isinstance(problem, DatabaseError):
        return str(problem)
    said = str(problem).split("\n")[0]
    is_new = "no such table" in said or "does not exist" in said
    advice = "\nIf it is new, run `manage.py migrate` first." if is_new else ""
    return f"The database cannot be used: {said}{advice}"


if __name__ == "__main__":
    main()
