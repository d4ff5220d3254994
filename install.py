"""Make `.venv` from the hashed lock, once per lock: `python3 install.py [--dev] [--this-python]`.

Only the standard library is used, since nothing else is there yet. A stamp of the locks' digest
lies in `.venv`; while it fits, this ends at once and touches no network.

A Python that was built without optimizations, as pyenv does by default, takes a tenth more of the
processor for a call. Where this machine has a quicker one of the same version, that one is taken,
unless `--this-python` keeps to the one that runs this.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
RUN, DEV = HERE / "requirements.lock", HERE / "requirements-dev.lock"
OURS = ("accounts", "billing", "dashboard", "gateway_project", "routing")

MORE_PLACES = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
MUCH_QUICKER = 0.9  # of the time that this one takes
PROBE = """
import ensurepip, sqlite3, ssl, sys, time, venv

class Part:
    __slots__ = ("value",)
    def __init__(self, value): self.value = value
    def more(self, by): return self.value + by

def work():
    total, seen = 0, {}
    for number in range(20_000):
        part = Part(number)
        total += part.more(1)
        seen[number & 255] = part, total
        total += len(f"{number}:{total}")

def timed():
    began = time.perf_counter()
    work()
    return time.perf_counter() - began

kind = sys.implementation.name + getattr(sys, "abiflags", "")
print(kind, *sys.version_info[:2], min(timed() for _ in range(9)))
"""


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
    if not runs("import pip"):
        chosen = sys.executable if "--this-python" in sys.argv[1:] else quickest(sys.executable)
        anew = [] if runs("") else ["--clear"]  # it may hold links to a Python that is gone
        made = subprocess.run(
            [chosen, "-m", "venv", *anew, str(VENV)], capture_output=True, text=True, check=False
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
    compile_ours(PYTHON)
    stamp.write_text(digest)
    if lock == DEV:  # the development lock holds everything of the other one
        (VENV / f"{RUN.name}.sha256").write_text(hashlib.sha256(RUN.read_bytes()).hexdigest())
    return 0


def compile_ours(python: Path) -> None:
    """As pip does with what it installs.

    Where PYTHONDONTWRITEBYTECODE is set, as in many containers, each process would compile all of
    it at each start.
    """
    subprocess.run([str(python), "-m", "compileall", "-q", *OURS], cwd=HERE, check=False)


def runs(program: str) -> bool:
    """Whether the Python of `.venv` is there and runs this: it may have been left half made."""
    try:
        asked = subprocess.run([str(PYTHON), "-c", program], capture_output=True, check=False)
    except OSError:
        return False
    return asked.returncode == 0


def quickest(own: str) -> str:
    """This Python, or one of the same version on this machine that is much quicker."""
    mine = probed(own)
    if mine is None:
        return own
    version, usual = mine
    found = {path: its for path in others(own) if (its := probed(path))}
    same = {path: seconds for path, (other, seconds) in found.items() if other == version}
    best = min(same, key=same.__getitem__, default=own)
    if best == own or same[best] > MUCH_QUICKER * usual:
        return own
    share = round(100 * same[best] / usual)
    print(
        f"Taking {best}: it needs {share} % of the time of {own}."
        " PYTHON=python3 keeps to that one.",
        flush=True,
    )
    return best


def others(own: str) -> list[str]:
    """The other Pythons 3 of the PATH and of the usual places, each once."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    places = [*os.environ.get("PATH", "").split(os.pathsep), *MORE_PLACES]
    paths = [shutil.which(one, path=place) for place in places for one in (name, "python3")]
    resolved = {os.path.realpath(path): path for path in reversed(paths) if path}
    resolved.pop(os.path.realpath(own), None)
    return list(reversed(resolved.values()))


def probed(path: str) -> "tuple[tuple[str, ...], float] | None":
    """Kind and version, and seconds for some work; None for what cannot make our environment."""
    try:
        said = subprocess.run(
            [path, "-I", "-c", PROBE], capture_output=True, text=True, check=True, timeout=20
        )
        *version, seconds = said.stdout.split()
        return tuple(version), float(seconds)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def stop(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
