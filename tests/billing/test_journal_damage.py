"""A torn line is left for later, a damaged one is kept aside, and all others are read."""

import logging
import zlib
from pathlib import Path

import pytest

from billing import journal
from billing.facts import Fact
from billing.journal import line_of
from tests.factories.billing import CallOpenedFactory, CallSettledFactory, failed

CALL = CallOpenedFactory.build()
FACTS: list[Fact] = [CALL, failed(CALL.call), CallSettledFactory.build(call=CALL.call)]
LINES = [line_of(fact) for fact in FACTS]


def read(path: Path, start: int = 0) -> list[Fact]:
    return [record.fact for record in journal.read(path, start)]


def kept_aside(path: Path) -> list[bytes]:
    kept = path.with_suffix(".bad")
    return kept.read_bytes().splitlines() if kept.exists() else []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    its = tmp_path / "host-1-1.jnl"
    its.write_bytes(b"".join(LINES))
    return its


def test_a_file_that_ends_at_any_byte_gives_the_whole_lines_before_it(path: Path) -> None:
    whole = path.read_bytes()
    ends = [len(b"".join(LINES[:count])) for count in range(len(LINES) + 1)]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        expected = sum(end <= size for end in ends[1:])

        assert read(path) == FACTS[:expected], size
    assert kept_aside(path) == []


def test_a_torn_line_is_read_once_it_is_whole(path: Path) -> None:
    path.write_bytes(b"".join(LINES)[:-5])
    *_, last = journal.read(path)
    path.write_bytes(b"".join(LINES))

    assert read(path, last.end) == FACTS[2:]


def test_any_byte_of_a_line_changed_loses_that_line_and_no_other(path: Path) -> None:
    first, middle, last = LINES
    for place in range(len(middle) - 1):
        damaged = bytearray(middle)
        damaged[place] ^= 0x15
        if damaged[place] == 0x0A:  # the damage is an end of line: two bad lines
            damaged[place] ^= 0x40
        path.write_bytes(first + bytes(damaged) + last)
        path.with_suffix(".bad").unlink(missing_ok=True)

        assert read(path) == [FACTS[0], FACTS[2]], place
        assert kept_aside(path) == [bytes(damaged[:-1])]


def test_a_line_end_that_is_damaged_loses_the_lines_it_parts(path: Path) -> None:
    path.write_bytes(LINES[0] + LINES[1][:-1] + b"?" + LINES[2] + LINES[0])

    assert read(path) == [FACTS[0], FACTS[0]]
    assert len(kept_aside(path)) == 1


def test_a_line_end_in_the_middle_of_a_line_loses_that_line(path: Path) -> None:
    damaged = LINES[1][:30] + b"\n" + LINES[1][31:]
    path.write_bytes(LINES[0] + damaged + LINES[2])

    assert read(path) == [FACTS[0], FACTS[2]]
    assert kept_aside(path) == damaged.splitlines()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b" ",
        b"   ",
        b"00000000 0 ",
        b"zzzzzzzz 2 {}",
        b"a3 2 {}",
        b"\x00\xff\xfe",
        b"4c2a2a2a 99999999999999999999 {}",
        b'{"type":"open"}',
        line_of(CALL)[:-20],
    ],
)
def test_rubbish_between_the_lines_is_kept_aside(path: Path, rubbish: bytes) -> None:
    path.write_bytes(LINES[0] + rubbish + b"\n" + LINES[1] + LINES[2])

    assert read(path) == FACTS
    assert kept_aside(path) == [rubbish]


def test_a_sound_line_of_an_unknown_kind_is_kept_aside(path: Path) -> None:
    for body in (b'{"type":"refunded","call":"x"}', b'{"type":"open"}', b"[]", b"{"):
        strange = b"%08x %d %b" % (zlib.crc32(body), len(body), body)
        path.write_bytes(LINES[0] + strange + b"\n" + LINES[1])
        path.with_suffix(".bad").unlink(missing_ok=True)

        assert read(path) == FACTS[:2]
        assert kept_aside(path) == [strange]


def test_a_damaged_line_is_reported_and_kept_once_however_often_it_is_read(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(LINES[0] + b"rubbish\n" + LINES[1] + b"other rubbish\n")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert read(path) == FACTS[:2]

    assert kept_aside(path) == [b"rubbish", b"other rubbish"]
    assert [record.getMessage() for record in caplog.records] == ["damaged journal line"] * 2


def test_facts_kept_aside_can_be_read_like_a_journal(path: Path) -> None:
    journal.keep_aside(path, FACTS[:1])
    journal.keep_aside(path, FACTS[1:])

    assert read(path.with_suffix(".bad")) == FACTS


def test_an_empty_journal_has_no_records(path: Path) -> None:
    path.write_bytes(b"")

    assert read(path) == []
