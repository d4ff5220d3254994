"""Make `.venv` from the hashed lock, once per lock: `python3 install.py [--dev]`.

Only the standard library is used, since nothing else is there yet. A stamp of the locks' digest
lies in `.venv`; while it fits, this ends at once and touches no network.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
RUN, DEV = HERE / "requirements.lock", HERE / "requirements-dev.lock"


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  whoever calls this may have an older one
        return stop(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}; "
            "name another one: make run PYTHON=python3.12"
        )
    lock = DEV if "--dev" in sys.argv[1:] else RUN
    stamp = VENV / f"{lock.name}.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == digest:
        return 0
    if not PYTHON.exists():
        made = subprocess.run(
            [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
        )
        if made.returncode:
            return stop(
                "This Python cannot make a virtual environment; on Debian and Ubuntu: "
                "apt install python3-venv"
            )
    print(f"Installing the packages of {lock.name} …", flush=True)
    command = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        "--requirement",
        str(lock),
    ]
    if subprocess.run(command, env={**os.environ, "PIP_NO_INPUT": "1"}, check=False).returncode:
        return stop(
            "The packages could not be installed: is the package index reachable? "
            "(pip's own words are above; a mirror is set with PIP_INDEX_URL)"
        )
    stamp.write_text(digest)
    if lock == DEV:  # the development lock holds everything of the other one
        (VENV / f"{RUN.name}.sha256").write_text(hashlib.sha256(RUN.read_bytes()).hexdigest())
    return 0


def stop(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
