"""Where an object ends that comes in pieces: as a JSON parser says, in time that grows with it."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import ToolBegun, ToolPiece
from routing.wire.anthropic.extent import Extent
from routing.wire.anthropic.writer import Writer
from routing.wire.sides import Envelope

values = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a"\\{}[]ü '), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def whole_after(pieces: list[str]) -> list[bool]:
    extent = Extent()
    found = []
    for piece in pieces:
        extent.feed(piece)
        found.append(extent.is_whole)
    return found


@given(st.dictionaries(st.text(max_size=3), values, max_size=3), st.integers(1, 4))
def test_an_object_is_whole_at_its_last_character_and_not_before(
    content: dict[str, object], size: int
) -> None:
    text = json.dumps(content, ensure_ascii=False)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert whole_after(pieces) == [False] * (len(pieces) - 1) + [True]
    assert whole_after([" ", *pieces, "\n", ""])[-3:] == [True, True, True]


@pytest.mark.parametrize(
    "text", ["", " ", "x", "[]", '"{}"', "{]", "{} x", "{}{}", '{"a": "}', "x{}"]
)
def test_what_is_no_object_is_never_whole(text: str) -> None:
    assert not any(whole_after(list(text))[-1:] + whole_after([text]))


def seconds_for(braces: int) -> float:
    """Time to write a call whose pieces end in braces, while another call waits."""
    writer = Writer(Envelope(body_id="msg_1", model="m", created=1))
    for index in (0, 1):
        writer.write(ToolBegun(index=index, id=f"c{index}", name="f"))
    writer.write(ToolPiece(0, '{"a":['))
    began = time.perf_counter()
    for _ in range(braces):
        writer.write(ToolPiece(0, '{"b":"' + "x" * 50 + '"}'))
        writer.write(ToolPiece(0, ","))
    return time.perf_counter() - began


def test_four_times_the_pieces_take_about_four_times_as_long() -> None:
    seconds_for(100)
    few, many = (min(seconds_for(count) for _ in range(3)) for count in (1000, 4000))
    assert many < 9 * few
