"""A journal belongs to one process as long as it lives, and to whoever comes first afterwards."""

import os
import time
from pathlib import Path

from billing import journal
from billing.journal import Journal
from tests.billing.processes import running
from tests.factories.billing import CallOpenedFactory

OWNER = """
import sys
from pathlib import Path
from billing.facts import CallSettled
from billing.journal import Journal

its = Journal(Path(sys.argv[1]))
its.append(CallSettled("0" * 22, "failed", 0))
print(its.path, flush=True)
sys.stdin.readline()
"""

ADOPTER = """
import sys
from pathlib import Path
from billing import journal

adopted = list(journal.adopt(Path(sys.argv[1])))
print(len(adopted), flush=True)
sys.stdin.readline()
"""


def adopted(folder: Path) -> list[Path]:
    """Whose lock can be had; given back at once."""
    found = list(journal.adopt(folder))
    for its in found:
        its.release(shipped=False)
    return [its.path for its in found]


def test_the_journal_of_a_living_process_cannot_be_adopted(tmp_path: Path) -> None:
    with running(OWNER, str(tmp_path)) as owner:
        path = Path(owner.read_line())

        assert adopted(tmp_path) == []
        owner.kill()
        assert adopted(tmp_path) == [path]
        assert [record.fact.call for record in journal.read(path)] == ["0" * 22]


def test_the_journal_of_a_process_that_ended_can_be_adopted(tmp_path: Path) -> None:
    with running(OWNER, str(tmp_path)) as owner:
        path = Path(owner.read_line())
        assert owner.finish() == 0

        assert adopted(tmp_path) == [path]


def test_of_two_processes_one_adopts_a_dead_journal(tmp_path: Path) -> None:
    with running(OWNER, str(tmp_path)) as owner:
        owner.read_line()
        owner.kill()
    with running(ADOPTER, str(tmp_path)) as first, running(ADOPTER, str(tmp_path)) as second:
        counts = [first.read_line(), second.read_line()]
        assert sorted(counts) == ["0", "1"]
        assert adopted(tmp_path) == []
        (first if counts[0] == "1" else second).kill()
        assert len(adopted(tmp_path)) == 1


def test_an_owner_does_not_adopt_its_own_journal(tmp_path: Path) -> None:
    its = Journal(tmp_path)

    assert list(journal.adopt(tmp_path, own=[its.path])) == []
    assert list(journal.adopt(tmp_path)) == []
    its.close()


def test_a_journal_without_its_name_yet_is_nobodys_to_adopt(tmp_path: Path) -> None:
    (tmp_path / "host-1-1.new").touch()

    assert list(journal.adopt(tmp_path)) == []


def test_an_adopted_journal_that_is_not_shipped_can_be_adopted_again(tmp_path: Path) -> None:
    path = tmp_path / "host.with.dots-1-1.jnl"
    path.touch()

    assert adopted(tmp_path) == [path]
    (again,) = journal.adopt(tmp_path)
    assert list(journal.adopt(tmp_path)) == []
    again.release(shipped=True)
    assert list(tmp_path.iterdir()) == [tmp_path / "host.with.dots-1-1.shipped"]


def test_shipped_journals_are_kept_by_when_they_were_shipped(tmp_path: Path) -> None:
    its = Journal(tmp_path)
    its.append(CallOpenedFactory.build())
    its.close()
    os.utime(its.path, (0, 0))  # written long ago, shipped only now
    (again,) = journal.adopt(tmp_path)
    again.release(shipped=True)

    assert journal.forget_shipped(tmp_path, older_than=time.time() - 3600) == 0
    assert journal.forget_shipped(tmp_path, older_than=time.time() + 3600) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_reserve_of_a_dead_process_goes_with_its_journal(tmp_path: Path) -> None:
    """A process that dies again and again would fill the disk, 8 MB each time."""
    with running(OWNER, str(tmp_path)) as owner:
        owner.read_line()
        owner.kill()
    assert len(list(tmp_path.glob(".reserve-*"))) == 1
    (again,) = journal.adopt(tmp_path)

    again.release(shipped=True)

    assert list(tmp_path.glob(".reserve-*")) == []


def test_reserves_of_the_dead_are_forgotten_and_the_living_make_theirs_anew(
    tmp_path: Path,
) -> None:
    with running(OWNER, str(tmp_path)) as owner:
        owner.read_line()
        owner.kill()
    living = Journal(tmp_path)
    reserves = set(tmp_path.glob(".reserve-*"))

    journal.forget_shipped(tmp_path, older_than=time.time() + 3600)
    living.check_room()

    assert len(reserves) == 2
    assert list(tmp_path.glob(".reserve-*")) == [living._reserve]
    living.close()
