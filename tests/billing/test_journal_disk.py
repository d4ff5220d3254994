"""A disk that is full refuses new calls, harms nothing, and lets calls in flight settle."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing import journal
from billing.errors import LedgerUnavailable
from billing.journal import Journal
from billing.ledger import Ledger, OpenCall
from tests.billing.processes import running
from tests.factories.billing import AttemptEndedFactory, CallOpenedFactory, CallSettledFactory

FILLING = """
import json, resource, sys
from pathlib import Path
from billing.errors import LedgerUnavailable
from billing.facts import CallSettled
from billing.journal import Journal

its = Journal(Path(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
written = refused = 0
for number in range(200):
    try:
        its.append(CallSettled(f"{number:022}", "failed", number))
        written += 1
    except LedgerUnavailable:
        refused += 1
size = its.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
for number in range(200, 210):
    its.append(CallSettled(f"{number:022}", "failed", number))
whole = its.size == its.path.stat().st_size
print(json.dumps([written, refused, size, whole, its._reserve.exists()]))
"""

ROTATING = """
import os, resource, sys
from pathlib import Path
from billing import journal
from billing.facts import CallSettled

journal.ROTATE_BYTES = 500
its = journal.Journal(Path(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) - 1, hard))
for number in range(20):
    its.append(CallSettled(f"{number:022}", "failed", number))
assert not its.full, "it could rotate after all"
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
for number in range(20, 40):
    its.append(CallSettled(f"{number:022}", "failed", number))
print(len(its.full))
"""


def calls_in(folder: Path) -> list[str]:
    return [
        record.fact.call for path in sorted(folder.glob("*.jnl")) for record in journal.read(path)
    ]


@pytest.mark.parametrize("limit", [1000, 1007, 2048, 4095, 4096])
def test_a_line_that_does_not_fit_is_refused_whole_and_later_ones_are_written(
    tmp_path: Path, limit: int
) -> None:
    with running(FILLING, str(tmp_path), str(limit)) as process:
        written, refused, size, knows_its_size, has_reserve = json.loads(process.read_line())

    assert written + refused == 200
    assert min(written, refused) > 0
    assert size <= limit
    assert knows_its_size
    assert not has_reserve  # it was given up, so that calls in flight may settle
    kept = [f"{number:022}" for number in (*range(written), *range(200, 210))]
    assert calls_in(tmp_path) == kept
    assert list(tmp_path.glob("*.bad")) == []


def test_a_journal_that_cannot_rotate_goes_on_in_its_file_and_rotates_later(
    tmp_path: Path,
) -> None:
    with running(ROTATING, str(tmp_path)) as process:
        assert int(process.read_line()) > 2
        assert process.finish() == 0

    assert calls_in(tmp_path) == [f"{number:022}" for number in range(40)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB, where the machine lets us mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "flo2-test", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Use up all that is free."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return filler
    raise AssertionError("the disk is not full")


def test_no_call_is_opened_on_a_disk_with_little_room(small_disk: Path) -> None:
    books = Ledger(small_disk / "journal")

    with pytest.raises(LedgerUnavailable) as refusal:
        books.open_call(CallOpenedFactory.build())

    assert refusal.value.http_status == 503
    assert refusal.value.headers == {"retry-after": "5"}
    assert calls_in(small_disk / "journal") == []
    assert books.open_calls == set()
    books.journal.close()


def test_calls_in_flight_settle_into_the_reserve_of_a_full_disk(small_disk: Path) -> None:
    books = Ledger(small_disk / "journal")
    opened = [CallOpenedFactory.build() for _ in range(50)]
    books.write(*opened)
    in_flight = [OpenCall(books, fact) for fact in opened]
    fill(small_disk)
    for call in in_flight:
        call.attempt_ended(AttemptEndedFactory.build(call=call.opened.call))
        call.settle(CallSettledFactory.build(call=call.opened.call))

    assert all(call.is_settled for call in in_flight)
    assert len(calls_in(small_disk / "journal")) == 150
    with pytest.raises(LedgerUnavailable):
        books.journal.check_room()
    books.journal.close()


def test_a_full_disk_that_is_emptied_is_written_again(small_disk: Path) -> None:
    books = Ledger(small_disk / "journal")
    filler = fill(small_disk)
    written = 0
    with pytest.raises(LedgerUnavailable):
        while True:  # the reserve is eaten up, too
            books.write(CallOpenedFactory.build(session="x" * 250, tags=("y" * 200,) * 100))
            written += 1
    filler.unlink()
    books.write(CallOpenedFactory.build())

    assert len(calls_in(small_disk / "journal")) == written + 1
    books.journal.close()


def test_the_reserve_is_taken_while_a_journal_lives(tmp_path: Path) -> None:
    its = Journal(tmp_path)
    (reserve,) = tmp_path.glob(".reserve-*")
    blocks = reserve.stat().st_blocks * 512

    assert blocks >= journal.RESERVE_BYTES
    reserve.unlink()
    its.check_room()  # enough room here: taken anew
    assert reserve.exists()
    its.close()
    assert not reserve.exists()
