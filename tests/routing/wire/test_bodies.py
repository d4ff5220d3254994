"""Bodies are strict JSON within limits, whatever is sent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidRequest
from routing.wire import bodies

SUITE = Path(__file__).parents[2] / "fixtures" / "json_test_suite" / "test_parsing"
FILES = sorted(SUITE.glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_json_test_suite_is_read_as_it_should(path: Path) -> None:
    body = b'{"model": "m", "messages": ' + path.read_bytes() + b"}"
    if path.name.startswith("y_"):
        assert bodies.read(body)["model"] == "m"
    elif path.name.startswith("n_"):
        with pytest.raises(InvalidRequest):
            bodies.read(body)
    else:  # either, but never anything else than an answer or a refusal
        try:
            assert bodies.read(body)["model"] == "m"
        except InvalidRequest as refused:
            assert str(refused)


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b'"x"', b"null", b"{", b"\xff", b'{"a": NaN}'])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        bodies.read(body)


@pytest.mark.parametrize(("depth", "fits"), [(62, True), (63, True), (64, False), (500, False)])
def test_nesting_ends_at_64_levels(depth: int, fits: bool) -> None:
    body = b'{"a": ' + b"[" * depth + b"]" * depth + b', "b": [' + b"[]," * 70 + b"[]]}"
    if fits:
        assert "a" in bodies.read(body)
    else:
        with pytest.raises(InvalidRequest, match="nested deeper"):
            bodies.read(body)


def test_a_bomb_of_containers_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(InvalidRequest, match="100000 arrays"):
        bodies.read(b'{"a": [' + b"[]," * 100_001 + b"[]]}")


@given(st.text(alphabet='[]{}\\",:a \n', max_size=400))
def test_brackets_within_strings_do_not_count(text: str) -> None:
    import json

    body = json.dumps({"a": text, "b": [[]] * 70}).encode()
    assert bodies.read(body)["a"] == text
