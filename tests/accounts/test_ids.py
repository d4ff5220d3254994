"""Ids keep their order, survive the way out and back, and are refused under another name."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
import time_machine
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts import ids

NUMBERS = st.integers(min_value=0, max_value=2**128 - 1)
PREFIXES = st.sampled_from(["ten", "key", "call", "exp"])


@given(NUMBERS, PREFIXES)
def test_an_id_survives_the_way_out_and_back(number: int, prefix: str) -> None:
    shown = ids.show(prefix, UUID(int=number))

    assert ids.read(prefix, shown) == UUID(int=number)
    assert len(shown) == len(prefix) + 1 + ids.LENGTH


@given(NUMBERS, NUMBERS)
def test_texts_are_in_the_order_of_the_numbers_they_stand_for(one: int, other: int) -> None:
    assert (ids.encode(one) < ids.encode(other)) == (one < other)


@given(NUMBERS, PREFIXES, PREFIXES)
def test_an_id_is_refused_under_another_prefix(number: int, prefix: str, wanted: str) -> None:
    assume(prefix != wanted)
    with pytest.raises(ids.InvalidId):
        ids.read(wanted, ids.show(prefix, UUID(int=number)))


@given(st.text(max_size=40))
def test_a_text_is_either_an_id_that_reads_back_or_refused(text: str) -> None:
    try:
        value = ids.decode(text)
    except ids.InvalidId:
        return
    assert ids.encode(value.int) == text


ZEROS = "0" * 21  # one fewer than an id has


@pytest.mark.parametrize(
    "text",
    [
        "",
        "call",
        "call_",
        f"_{ZEROS}0",
        f"{ZEROS}0",
        f"call_{ZEROS}",
        f"call_{ZEROS}00",
        f"call_call_{ZEROS}0",
        f"CALL_{ZEROS}0",
        f"call_{ZEROS}é",
        f"call_{ZEROS}٣",
        f"call_{ZEROS}-",
        f"call_{ZEROS}\n",
        "call_" + "z" * 22,  # more than 128 bits
    ],
)
def test_what_is_not_an_id_is_refused(text: str) -> None:
    with pytest.raises(ids.InvalidId):
        ids.read("call", text)


def test_fresh_ids_are_uuids_of_version_7_and_differ() -> None:
    made = [ids.new() for _ in range(2000)]

    assert {(value.version, value.variant) for value in made} == {(7, "specified in RFC 4122")}
    assert len(set(made)) == len(made)


def test_ids_of_one_process_keep_the_order_of_the_clock() -> None:
    with time_machine.travel(datetime(2026, 11, 20, tzinfo=UTC), tick=False) as clock:
        made = []
        for _ in range(500):
            made.append(ids.fresh() >> 64)
            clock.shift(0.000_001)
    assert made == sorted(made)
    assert len(set(made)) == len(made)  # a millisecond has room for 4096


@given(st.integers(min_value=0, max_value=2**48 - 2))
def test_the_bound_of_a_moment_lies_below_its_ids_and_above_all_before(moment: int) -> None:
    with time_machine.travel(moment % 4_000_000_000, tick=False):
        made = ids.new()
        now = int(datetime.now(UTC).timestamp() * 1000)

    assert ids.first_after(now) <= made < ids.first_after(now + 1)


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_an_id_tells_when_it_was_made(moment: int) -> None:
    with time_machine.travel(moment, tick=False):
        assert ids.made_at(ids.fresh()) == moment * 1000


def test_a_moment_before_1970_bounds_all_ids_there_are() -> None:
    assert ids.first_after(-1) == UUID(int=0)
