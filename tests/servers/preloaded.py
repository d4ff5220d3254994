"""Libraries that a server's processes load first: they move its clock, or watch its disk.

Real processes then live through what a test could not do to a machine that others use, too.
"""

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent / "preload"
COMPILER = shutil.which("cc")
IS_POSSIBLE = bool(COMPILER) and os.uname().sysname == "Linux"
JOURNAL = ".jnl"


@cache
def library(name: str) -> str:
    """The compiled library; made once per run."""
    made = Path(tempfile.mkdtemp(prefix="flo2-preload-")) / f"{name}.so"
    options = ["-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(made)]
    subprocess.run([str(COMPILER), *options, str(SOURCES / f"{name}.c"), "-lpthread"], check=True)
    return str(made)


class Clock:
    """The wall clock of all processes that were started with this environment."""

    def __init__(self) -> None:
        self._file = Path(tempfile.mkdtemp(prefix="flo2-clock-")) / "offset"
        self.set(0)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": library("clock"), "FLO2_TEST_CLOCK": str(self._file)}

    def set(self, offset: float) -> None:
        """From now on it shows the machine's time and so many seconds."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", offset))


class Disk:
    """What would be left of the files in a folder, had the power failed."""

    def __init__(self) -> None:
        self._kept = Path(tempfile.mkdtemp(prefix="flo2-disk-"))
        self._on = self._kept / ".on"
        self._on.touch()

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": library("disk"), "FLO2_TEST_DISK": str(self._kept)}

    def remember(self, database: Path) -> None:
        """A database that is on the disk as it lies there, before anybody opens it."""
        shutil.copy(database, self._kept / database.name)

    def rest(self) -> None:
        """Remember nothing from now on, for it takes time."""
        self._on.unlink(missing_ok=True)

    def fail(self, database: Path, journals: Path) -> int:
        """Leave nothing but what was forced to the disk; how many bytes of journals are lost.

        To be called when nobody lives who has the files open.
        """
        for suffix in ("", "-wal"):
            kept, file = self._kept / f"{database.name}{suffix}", Path(f"{database}{suffix}")
            if kept.exists():
                shutil.copy(kept, file)
            else:
                file.unlink(missing_ok=True)
        Path(f"{database}-shm").unlink(missing_ok=True)
        return sum(self._cut(path) for path in journals.glob(f"*{JOURNAL}"))

    def _cut(self, path: Path) -> int:
        """Names are kept from the time before a journal got its own, too."""
        sizes = [self._kept / path.with_suffix(suffix).name for suffix in (".new", JOURNAL)]
        forced = max((int(one.read_text()) for one in sizes if one.exists()), default=0)
        lost = path.stat().st_size - forced
        os.truncate(path, forced)
        return lost


def together(*environments: Mapping[str, str]) -> dict[str, str]:
    """Of several libraries."""
    libraries = " ".join(one["LD_PRELOAD"] for one in environments)
    merged = {name: value for one in environments for name, value in one.items()}
    return {**merged, "LD_PRELOAD": libraries}
