"""The journal: what was appended is read again, whole lines only, from anywhere."""

import stat
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import journal
from billing.facts import AttemptEnded, AttemptStarted, CallOpened, CallSettled, Fact
from billing.journal import Journal
from billing.pricing import Price, Rates, Tier
from billing.usage import Usage
from tests.accounts.depth import FULL
from tests.factories.billing import (
    CallOpenedFactory,
    CallSettledFactory,
    story,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MONEY = st.integers(0, 10**18).map(lambda pico: Decimal(pico).scaleb(-12))
RATES = st.builds(Rates, input=MONEY, output=MONEY, cache_read=st.none() | MONEY)
USAGES = st.builds(Usage, **dict.fromkeys(Usage.__struct_fields__, st.integers(0, 2**53)))
PRICES = st.builds(
    Price,
    source=TEXT,
    rates=RATES,
    since=st.none() | st.dates(),
    tiers=st.lists(st.builds(Tier, st.integers(0), RATES), max_size=2).map(tuple),
)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
    Decimal: MONEY,
    Decimal | None: st.none() | MONEY,
    Usage: USAGES,
    Price | None: st.none() | PRICES,
}


def any_of(fact: type[Fact]) -> st.SearchStrategy[Fact]:
    hints = get_type_hints(fact).items()
    return st.builds(fact, **{name: BY_TYPE[hint] for name, hint in hints if hint in BY_TYPE})


FACTS = st.one_of(*map(any_of, get_args(Fact)))


def written(folder: Path, *facts: Fact) -> Path:
    """A journal that holds these facts and whose owner has gone."""
    its = Journal(folder)
    for fact in facts:
        its.append(fact)
    its.close()
    return its.path


def read(path: Path, start: int = 0) -> list[Fact]:
    return [record.fact for record in journal.read(path, start)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@given(st.lists(FACTS, max_size=5))
@settings(
    max_examples=300 if FULL else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_fact_is_read_as_it_was_written(folder: Path, its: list[Fact]) -> None:
    assert read(written(folder, *its)) == its


def test_there_are_four_kinds_of_facts_and_their_tags_are_for_ever() -> None:
    tags = {fact.__struct_config__.tag: fact for fact in get_args(Fact)}

    assert tags == {
        "open": CallOpened,
        "started": AttemptStarted,
        "ended": AttemptEnded,
        "settled": CallSettled,
    }


def test_a_record_says_where_it_begins_and_ends(folder: Path) -> None:
    path = written(folder, *story(CallOpenedFactory.build().tenant))
    records = list(journal.read(path))

    assert records[0].start == 0
    assert [record.start for record in records[1:]] == [record.end for record in records[:-1]]
    assert records[-1].end == path.stat().st_size
    for place, record in enumerate(records):
        assert read(path, record.start) == [later.fact for later in records[place:]]


def test_several_facts_are_appended_by_one_write(folder: Path) -> None:
    its = Journal(folder)
    facts = story(CallOpenedFactory.build().tenant)
    before = its.path.stat().st_size
    its.append(*facts)
    its.close()

    assert before == 0
    assert its.size == its.path.stat().st_size
    assert its.path.read_bytes() == b"".join(map(journal.line_of, facts))


def test_what_is_appended_can_be_read_at_once_by_others(folder: Path) -> None:
    its = Journal(folder)
    for count in range(1, 4):
        its.append(CallOpenedFactory.build())
        assert len(read(its.path)) == count
    its.close()


def test_only_its_owner_may_look_into_a_journal(folder: Path) -> None:
    path = written(folder)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_journal_that_is_closed_leaves_no_reserve_and_nothing_unfinished(folder: Path) -> None:
    path = written(folder)

    assert list(folder.iterdir()) == [path]


def test_a_long_journal_is_read_across_the_edges_of_blocks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [CallOpenedFactory.build(session="x" * 300) for _ in range(20)]
    path = written(folder, *facts)
    for size in (1, 7, 64, 1000):
        monkeypatch.setattr(journal, "READ_BYTES", size)
        assert read(path) == facts


class TestRotation:
    @pytest.fixture(autouse=True)
    def small_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(journal, "ROTATE_BYTES", 1000)

    def test_a_full_file_is_followed_by_a_new_one_and_stays_locked(self, folder: Path) -> None:
        its = Journal(folder)
        facts = [CallOpenedFactory.build() for _ in range(12)]
        for fact in facts:
            its.append(fact)

        assert len(its.full) >= 2
        assert [fact for path in [*its.full, its.path] for fact in read(path)] == facts
        assert list(journal.adopt(folder)) == []
        its.close()
        assert len(list(folder.glob("*.jnl"))) == len(its.full) + 1

    def test_the_names_of_files_are_in_the_order_of_their_records(self, folder: Path) -> None:
        its = Journal(folder)
        for _ in range(12):
            its.append(CallOpenedFactory.build())
        its.close()

        assert sorted([*its.full, its.path]) == [*its.full, its.path]

    def test_a_file_that_is_let_go_of_can_be_had_by_others(self, folder: Path) -> None:
        its = Journal(folder)
        while len(its.full) < 2:
            its.append(CallOpenedFactory.build())
        gone, kept = its.full
        its.forget(gone)

        (adopted,) = journal.adopt(folder)
        assert adopted.path == gone
        assert its.full == [kept]
        adopted.release(shipped=False)
        its.close()


class TestOldJournals:
    """A journal written by an earlier version is read by every later one."""

    V1 = Path(__file__).parent.parent / "fixtures" / "journals" / "v1.jnl"

    def test_every_line_of_version_1_is_read(self) -> None:
        facts = read(self.V1)

        assert [type(fact) for fact in facts] == [
            *(CallOpened, AttemptStarted, AttemptEnded, CallSettled),
            *(CallOpened, AttemptStarted, AttemptEnded, CallSettled),
        ]
        assert not self.V1.with_suffix(".bad").exists()

    def test_full_records_of_version_1_mean_what_they_meant(self) -> None:
        opened, started, ended, settled = read(self.V1)[:4]

        assert isinstance(opened, CallOpened)
        assert (opened.call, opened.mode, opened.endpoint) == ("0" * 21 + "1", "test", "messages")
        assert (opened.purpose, opened.stream, opened.tags) == ("judge", True, ("a", "b"))
        assert (opened.policy, opened.policy_version) == ("cheap", 3)
        assert opened.expected_cost == Decimal("0.003")
        assert isinstance(started, AttemptStarted)
        assert (started.number, started.target, started.role) == (2, "openai/gpt-4.1-mini", "hedge")
        assert isinstance(ended, AttemptEnded)
        assert ended.usage == Usage(*range(1, 10))
        assert ended.price is not None
        assert ended.price.tiers[0].rates.cache_read == Decimal("0.25")
        assert (ended.reported_cost, ended.cost) == (Decimal("0.0041"), Decimal("0.004"))
        assert isinstance(settled, CallSettled)
        assert (settled.status, settled.cache, settled.saved) == ("failed", "miss", Decimal("0.5"))
        assert (settled.http_status, settled.error_code) == (502, "provider_error")

    def test_the_least_records_of_version_1_take_today_defaults(self) -> None:
        opened, started, ended, settled = read(self.V1)[4:]

        assert opened == CallOpened(
            call="0" * 21 + "2",
            tenant=opened.tenant,  # type: ignore[union-attr]
            opened_at=1_795_176_000_000,
            deadline=1_795_176_900_000,
            mode="live",
            endpoint="chat",
            requested_model="auto",
        )
        assert started == AttemptStarted("0" * 21 + "2", 2, "groq/m", 5)
        assert ended == AttemptEnded("0" * 21 + "2", 1, "groq", "m", "answered")
        assert settled == CallSettled("0" * 21 + "2", "succeeded", 1_795_176_000_200)

    def test_a_record_of_a_later_version_is_read_without_what_is_not_known_yet(
        self, folder: Path
    ) -> None:
        fact = CallSettledFactory.build(call="0" * 22)
        body = msgspec.json.encode({**msgspec.to_builtins(fact), "mood": "fine"})
        path = written(folder, fact)
        path.write_bytes(b"%08x %d %b\n" % (zlib.crc32(body), len(body), body))

        assert read(path) == [fact]


def test_facts_have_no_room_for_content_or_secrets() -> None:
    names = {name for fact in get_args(Fact) for name in fact.__struct_fields__}

    assert not names & {"prompt", "messages", "content", "text", "headers", "secret", "body"}
