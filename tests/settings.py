"""The settings of the suite: the real ones, with fixed secrets and a data directory of its own."""

import os
import tempfile
from pathlib import Path

_MASTER = "dGVzdC1tYXN0ZXIta2V5LTAxMjM0NTY3ODlhYmNkZWY="
_PEPPER = "dGVzdC1rZXktcGVwcGVyLTAxMjM0NTY3ODlhYmNkZWY="

os.environ.setdefault("FLO2_DATA_DIR", tempfile.mkdtemp(prefix="flo2-test-"))
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker and Path(os.environ["FLO2_DATA_DIR"]).name != _worker:
    # Each has a database of its own, and must not adopt the journals of another's dead processes.
    os.environ["FLO2_DATA_DIR"] += f"/{_worker}"
    Path(os.environ["FLO2_DATA_DIR"]).mkdir(exist_ok=True, mode=0o700)
os.environ["SECRET_KEY"] = "test-secret-key-0123456789-abcdefghij-ABCDEFGHIJ-klmnop"
os.environ["FLO2_MASTER_KEYS"] = f"test:{_MASTER}"
os.environ["FLO2_KEY_PEPPERS"] = f"test:{_PEPPER}"
os.environ.pop("EMAIL_URL", None)

from gateway_project.settings import *  # noqa: E402, F403
from gateway_project.settings import CACHES, DATABASES, FLO2_DATA_DIR  # noqa: E402

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "flo2", "flo2-csrf"
SECURE_HSTS_SECONDS = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
FLO2_DRAIN_SECONDS = 2

# Processes that test side by side must not count against each other's limits.
CACHES["default"]["KEY_PREFIX"] = f"test-{os.getpid()}"

if "sqlite" in DATABASES["default"]["ENGINE"]:
    # A file, since threads of the gateway under test share it.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(FLO2_DATA_DIR) / "test.sqlite3")}
