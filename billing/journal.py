"""The journal: an append-only file of facts, one per process that calls providers.

A record is one line, `crc32 length json`, appended by one `os.write`: what was written survives
the death of the process. The owner holds a lock on its file as long as it lives; a file whose lock
can be had belongs to a dead process, and whoever gets the lock ships it (see `reconcile`).
"""

import errno
import fcntl
import logging
import os
import shutil
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from billing.errors import LedgerUnavailable
from billing.facts import Fact

log = logging.getLogger(__name__)

SUFFIX = ".jnl"
ROTATE_BYTES = 64 * 1024 * 1024
RESERVE_BYTES = 8 * 1024 * 1024  # released on a full disk, so that calls in flight can settle
LEAST_FREE_BYTES = 64 * 1024 * 1024
READ_BYTES = 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Fact] = msgspec.json.Decoder(Fact).decode


class Record(NamedTuple):
    """A fact and where the record after it begins."""

    fact: Fact
    start: int
    end: int


def line_of(fact: Fact) -> bytes:
    body = _encode(fact)
    return b"%08x %d %b\n" % (zlib.crc32(body), len(body), body)


class Journal:
    """The file of this process. Use from one thread.

    With `group`, what was appended is also forced to the disk, by whoever calls `sync`: it then
    survives the loss of power, too.
    """

    def __init__(self, folder: Path, *, group: bool = False) -> None:
        self._folder, self.is_group = folder, group
        self._unsynced: list[bytes] = []  # lines that a failed sync would lose
        self._rotated_fds: list[int] = []  # full files that have not been synced to their end
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._reserve = _reserve_of(folder, os.getpid())
        self._reserve_space()
        # All files of a process begin with its name, and are read in the order they were made.
        self._stamp = time.time_ns()
        self.name = f"{socket.gethostname()[:60]}-{os.getpid()}-{self._stamp}"
        self.path, self._fd = _create(folder, self.name, durable=group)
        self.size = 0
        self.full: list[Path] = []  # files that were rotated away, still locked by us
        self._full_fds: list[int] = []

    def append(self, *facts: Fact) -> None:
        """Write the facts, all or none. Raises LedgerUnavailable."""
        data = line_of(facts[0]) if len(facts) == 1 else b"".join(map(line_of, facts))
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                os.ftruncate(self._fd, self.size)
                raise OSError(errno.ENOSPC, "the line was written in part")  # noqa: TRY301
        except OSError as error:
            self._give_up_reserve()
            raise LedgerUnavailable from error
        self.size += written
        if self.is_group:
            self._unsynced.append(data)
        if self.size >= ROTATE_BYTES:
            self._rotate()

    def to_sync(self) -> "Unsynced":
        """What was appended since the last time, to be forced to the disk in another thread.

        Raises OSError: then it still waits for the next time.
        """
        fds = [*self._rotated_fds, os.dup(self._fd)]
        lines, self._unsynced, self._rotated_fds = self._unsynced, [], []
        return Unsynced(fds, lines)

    def start_anew(self, lines: list[bytes]) -> None:
        """After a failed sync: the same lines in a new file. Raises LedgerUnavailable.

        A descriptor whose sync failed is never tried again: the kernel reports the loss once and
        then calls the pages clean (PostgreSQL's wiki, "Fsync Errors", 2018). Lines that did reach
        the disk are there twice, which booking does not mind.
        """
        path = self.path
        self._rotate()
        if self.path == path:
            raise LedgerUnavailable
        for fd in self._rotated_fds:
            os.close(fd)
        self._rotated_fds.clear()
        data = b"".join([*lines, *self._unsynced])  # those written meanwhile went the same way
        self._unsynced = [data]
        try:
            if os.write(self._fd, data) != len(data):
                os.ftruncate(self._fd, 0)
                raise OSError(errno.ENOSPC, "the lines were written in part")  # noqa: TRY301
        except OSError as error:
            raise LedgerUnavailable from error
        self.size = len(data)

    def check_room(self) -> None:
        """Raises LedgerUnavailable while the disk has too little room for new calls."""
        if not self._reserve.exists():
            self._reserve_space()
        if shutil.disk_usage(self._folder).free < LEAST_FREE_BYTES or not self._reserve.exists():
            raise LedgerUnavailable

    def forget(self, path: Path) -> None:
        """A rotated file is shipped: let go of it."""
        place = self.full.index(path)
        del self.full[place]
        os.close(self._full_fds.pop(place))

    def close(self) -> None:
        """Give up the locks; another process may ship what is left."""
        for fd in (self._fd, *self._full_fds, *self._rotated_fds):
            os.close(fd)
        self._reserve.unlink(missing_ok=True)

    def _rotate(self) -> None:
        """Go on in a new file; where there can be none, in this one until the next record."""
        self._stamp = max(self._stamp + 1, time.time_ns())  # the clock may have been set back
        name = f"{self.name}~{self._stamp}"
        to_sync = []
        try:
            if self.is_group:
                to_sync.append(os.dup(self._fd))
            path, fd = _create(self._folder, name, durable=self.is_group)
        except OSError:
            log.exception("the journal cannot be rotated")
            for one in to_sync:
                os.close(one)
            return
        self._rotated_fds += to_sync
        self._full_fds.append(self._fd)
        self.full.append(self.path)
        self.path, self._fd, self.size = path, fd, 0

    def _reserve_space(self) -> None:
        try:
            self._reserve.write_bytes(bytes(RESERVE_BYTES))  # macOS has no posix_fallocate
        except OSError:
            self._reserve.unlink(missing_ok=True)

    def _give_up_reserve(self) -> None:
        log.error("the journal cannot be written", extra={"folder": str(self._folder)})
        self._reserve.unlink(missing_ok=True)


def _reserve_of(folder: Path, pid: int | str) -> Path:
    return folder / f".reserve-{pid}"


class Unsynced:
    """Lines that are written, but may not be on the disk yet."""

    def __init__(self, fds: list[int], lines: list[bytes]) -> None:
        self._fds, self.lines = fds, lines

    def force(self) -> None:
        """Wait until the disk has them; may run in another thread, once. Raises OSError."""
        try:
            for fd in self._fds:
                _sync(fd)
        finally:
            for fd in self._fds:
                os.close(fd)


def _sync(fd: int) -> None:
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync alone leaves the data in the drive's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def _create(folder: Path, name: str, *, durable: bool) -> tuple[Path, int]:
    """A new locked file; it gets its name once it is locked, so that nobody adopts it."""
    new, path = folder / f"{name}.new", folder / f"{name}{SUFFIX}"
    fd = os.open(new, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    new.rename(path)
    if durable:  # the name, too, has to survive
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    return path, fd


def read(path: Path, start: int = 0) -> Iterator[Record]:
    """The whole records from a position on. A torn last line is left for later.

    A damaged line elsewhere is kept aside in a `.bad` file and reported; the rest is read.
    """
    with path.open("rb") as file:
        file.seek(start)
        rest = b""
        while chunk := file.read(READ_BYTES):
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            for line in lines:
                end = start + len(line) + 1
                fact = _fact(line)
                if fact is None:
                    _keep_bad(path, line, start)
                else:
                    yield Record(fact, start, end)
                start = end


def _fact(line: bytes) -> Fact | None:
    try:
        crc, length, body = line.split(b" ", 2)
        if int(length) != len(body) or int(crc, 16) != zlib.crc32(body):
            return None
        return _decode(body)
    except (ValueError, msgspec.MsgspecError):
        return None


def _keep_bad(path: Path, line: bytes, start: int) -> None:
    """Keep a damaged line in a file of its own, once however often the journal is read."""
    kept = path.with_suffix(".bad")
    if kept.exists() and line in kept.read_bytes().split(b"\n"):
        return
    log.error("damaged journal line", extra={"journal": path.name, "at": start})
    with kept.open("ab") as file:
        file.write(line + b"\n")


def keep_aside(path: Path, facts: Iterable[Fact]) -> None:
    """Keep facts of a journal that can never be booked with its damaged lines."""
    with path.with_suffix(".bad").open("ab") as file:
        file.write(b"".join(map(line_of, facts)))


def owner_of(path: Path) -> str:
    """The name of the process that wrote this file: of its first file, without what follows."""
    return path.stem.partition("~")[0]


class Adopted:
    """A dead process's journal, locked by us."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self._fd = path, fd

    def release(self, *, shipped: bool) -> None:
        """Unlock; a journal that is shipped to its end is put aside under another name.

        With it goes its owner's reserve, unless that is ours by now: process ids come again.
        """
        if shipped:
            self.path.rename(self.path.with_suffix(".shipped"))
            *_, pid, _ = ("", *self.path.name.split("-"))
            if pid != str(os.getpid()):
                _reserve_of(self.path.parent, pid).unlink(missing_ok=True)
        os.close(self._fd)


def adopt(folder: Path, *, own: Iterable[Path] = ()) -> Iterator[Adopted]:
    """Journals whose owner is dead: those whose lock can be had."""
    mine = set(own)
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if path in mine:
            continue
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same_file = os.fstat(fd).st_ino == path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            same_file = False
        if same_file:
            yield Adopted(path, fd)
        else:
            os.close(fd)


def forget_shipped(folder: Path, *, older_than: float) -> int:
    """Delete journals shipped before this Unix time; the number of files deleted.

    Reserves of so long ago go, too: of dead processes, for the living make theirs anew.
    """
    # Shipping renames the file, which its ctime tells and its mtime does not.
    old = [path for path in folder.glob("*.shipped") if path.stat().st_ctime < older_than]
    reserves = [path for path in folder.glob(".reserve-*") if path.stat().st_ctime < older_than]
    for path in (*old, *reserves):
        path.unlink(missing_ok=True)
    return len(old)
