"""Events come out the same, however the network cuts the stream."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from routing.wire import sse

EVENTS = [
    b'data: {"a": "\xc3\xa9\xe2\x82\xac"}\n\n',
    b"event: ping\ndata: {}\n\n",
    b": a comment\n\n",
    b"data: one\ndata: two\n\n",
    b"data: [DONE]\n\n",
]


@given(
    events=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=12),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(min_value=0, max_value=600), max_size=30),
    bom=st.booleans(),
)
def test_any_split_gives_the_same_events(
    events: list[bytes], line_end: bytes, cuts: list[int], bom: bool
) -> None:
    stream = b"".join(events).replace(b"\n", line_end)
    stream = (sse.BOM if bom else b"") + stream
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    splitter = sse.Splitter()
    blocks = [stream[a:b] for a, b in pairwise(borders)]
    found = b"".join(splitter.feed(block) for block in blocks) + splitter.end()
    assert found == b"".join(events)


def test_an_event_without_its_blank_line_comes_at_the_end() -> None:
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert splitter.end() == b"data: 2\n\n"
    assert splitter.end() == b""


def test_an_endless_event_is_given_up() -> None:
    splitter = sse.Splitter()
    try:
        for _ in range(80):
            splitter.feed(b"x" * 65_536)
    except sse.EventTooLong:
        return
    raise AssertionError("an event of 5 MB was kept")


def test_fields_joins_data_lines_and_passes_over_comments() -> None:
    assert sse.fields(b": c\nevent: e\ndata: a\ndata:b") == (b"e", b"a\nb")
