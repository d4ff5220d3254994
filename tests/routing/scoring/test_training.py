"""The shipped weights are those that the command makes."""

import gzip
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from routing.scoring import difficulty, training
from routing.scoring.training import Example

PAIRS = Path("tests/fixtures/routing/routellm_pairs.jsonl.gz")


def test_the_command_makes_the_shipped_weights_again(tmp_path: Path) -> None:
    made = tmp_path / "weights.json"
    call_command("train_scorer", PAIRS, output=made, stdout=StringIO())
    assert made.read_bytes() == difficulty.FILE.read_bytes()
    assert len(made.read_bytes()) < 2048


def test_weights_of_other_data_are_noticed(tmp_path: Path) -> None:
    made = tmp_path / "weights.json"
    made.write_bytes(difficulty.FILE.read_bytes().replace(b"0.0", b"0.1", 1))
    with pytest.raises(CommandError, match="differs"):
        call_command("train_scorer", PAIRS, output=made, check=True, stdout=StringIO())


def test_data_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.gz"):
        call_command("train_scorer", Path("nowhere.gz"), stdout=StringIO())


def test_a_straight_line_is_found() -> None:
    # The gain is half of the first feature; the second is noise that repeats, the third constant.
    examples = [Example([x, x % 3, 7.0], 0.5 * x) for x in range(1000)]
    made = training.fit(examples)
    assert made.weights[0] > 100 * abs(made.weights[1])
    assert made.weights[2] == pytest.approx(0)
    low, high = made.of([100.0, 1.0, 7.0]), made.of([900.0, 1.0, 7.0])
    assert high - low == pytest.approx(800 / 288.7, rel=0.02)


def test_difficulty_is_bounded_whatever_the_prompt() -> None:
    made = difficulty.shipped()
    ends = [made.of([sign * 1e9] * 16) for sign in (-1, 1)]
    assert all(-2 <= end <= 2.5 for end in ends)


@pytest.mark.parametrize("content", [b"", b'{"prompt": 1}'], ids=["none", "others"])
def test_a_file_that_holds_no_pairs_is_said_to_be_unreadable(
    tmp_path: Path, content: bytes
) -> None:
    pairs = tmp_path / "pairs.gz"
    pairs.write_bytes(gzip.compress(content))

    with pytest.raises(CommandError, match="cannot be read"):
        call_command("train_scorer", pairs, output=tmp_path / "made", stdout=StringIO())
