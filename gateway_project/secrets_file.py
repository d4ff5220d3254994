"""The secrets that `make run` makes for itself: a file in the data directory, mode 0600.

Only the demo makes it. A production start refuses to lean on it (see `checks.py`).
"""

import base64
import contextlib
import json
import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

NAME = "demo-secrets.json"


def read(data_dir: Path) -> dict[str, str]:
    """The secrets by variable name; empty where no demo was ever started."""
    try:
        content: dict[str, str] = json.loads((data_dir / NAME).read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise ImproperlyConfigured(
            f"{data_dir / NAME} cannot be read: take it out of a backup; without it what it sealed"
            " is lost, and a new data directory is needed."
        ) from None
    return content


def make(data_dir: Path) -> None:
    """Write fresh secrets unless there are some; the data directory must exist."""
    path = data_dir / NAME
    if path.exists():
        return
    content = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FLO2_MASTER_KEYS": f"demo:{_random_base64()}",
        "FLO2_KEY_PEPPERS": f"demo:{_random_base64()}",
    }
    new = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file)
    with contextlib.suppress(FileExistsError):  # another start was quicker: its own are in use
        path.hardlink_to(new)
    new.unlink()


def _random_base64() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
