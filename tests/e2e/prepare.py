"""`python -m tests.e2e.prepare`: see to it that a browser and the JavaScript clients are there."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

JS = Path(__file__).parent / "js"
STAMP = JS / "node_modules" / ".lock.sha256"
BROWSERS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")


class Missing(Exception):
    """One sentence that says what is missing, and how to get it."""


def main() -> int:
    try:
        browser()
        node_modules()
    except Missing as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def browser() -> str:
    """Where the browser is; on Debian, root gets it installed. Raises Missing."""
    found = os.environ.get("FLO2_TEST_BROWSER") or _installed()
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing chromium …", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "install", "-y", "-q", "chromium"], env=environment, check=False)
        found = _installed()
    if not found:
        raise Missing(
            "The browser tests need Chromium: apt install chromium, or name another one with"
            " FLO2_TEST_BROWSER=/path/to/chrome."
        )
    return found


def _installed() -> str:
    return next((path for path in BROWSERS if Path(path).exists()), "")


def node_modules() -> None:
    """The packages of the lock file, installed once per lock. Raises Missing."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Missing(
            "The JavaScript client test needs Node.js 20 or newer: apt install nodejs npm."
        )
    digest = hashlib.sha256((JS / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return
    print("Installing the JavaScript clients …", flush=True)
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=JS,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(
            "The JavaScript clients could not be installed: is the package registry reachable?"
            f" (npm says: {done.stderr.strip()[-400:]})"
        )
    STAMP.write_text(digest)


if __name__ == "__main__":
    sys.exit(main())
