"""What a prompt looks like in figures, against a plain reading of features.json."""

import json
import math
import re
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.scoring import constants, features, training

FOLDER = Path("tests/fixtures/routing")
SAID: dict[str, Any] = json.loads((FOLDER / "features.json").read_text())

ascii_texts = st.text(
    st.sampled_from([chr(code) for code in range(32, 127)] + ["\n", "\t"]), max_size=80
)
PIECES = [
    *features.CODE_PIECES, *features.CODE_WORD_PIECES, *features.MATHS_PIECES, "Explain ", "why ",
    "step by step ", "optimize ", "A. ", "(B) ", "= 4", "$x$", "JSON", "tl;dr", "Translating",
    "Write", "summary", "not", " ", "\n", "é", "?",
]  # fmt: skip
pieced_texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
texts = ascii_texts | pieced_texts | pieced_texts.map(str.upper)


def windowed(text: str) -> str:
    head, tail = SAID["window"]["head"], SAID["window"]["tail"]
    if len(text) <= head + tail:
        return text
    return f"{text[:head]}{SAID['window']['joined_by']}{text[-tail:]}"


def plain_features(text: str) -> list[float]:
    """As the file says it, word by word."""
    seen = windowed(text)
    raw = seen.encode()
    size, words = len(raw) or 1, text.count(" ") + 1

    def marks(name: str) -> int:
        return len(re.findall(SAID["marks"][name], seen, re.IGNORECASE))

    return [
        math.log(1 + len(text)), math.log(1 + words), len(text) / words,
        sum(byte in b"0123456789" for byte in raw) / size,
        sum(65 <= byte <= 90 for byte in raw) / size,
        sum(byte >= 128 for byte in raw) / size,
        seen.count("\n"), seen.count("?"), marks("code"), marks("maths"), marks("reason"),
        seen.count(","), seen.count("("), seen.count("$"),
        1 if "not" in seen.lower() else 0, seen.count(":"),
    ]  # fmt: skip


def plain_task(text: str) -> str:
    for name, pattern in SAID["classes_first_match"]:
        flags = re.MULTILINE if name == "choice" else re.IGNORECASE
        if re.search(pattern, windowed(text), flags):
            return str(name)
    raise AssertionError("the last class takes everything")


@given(texts)
def test_features_and_task_are_what_the_file_says(text: str) -> None:
    seen = features.window(text)
    assert features.features(seen) == pytest.approx(plain_features(text))
    assert features.task_of(seen) == plain_task(text)


def test_features_and_task_of_real_prompts_are_what_the_file_says() -> None:
    for pair in training.read(FOLDER / "routellm_pairs.jsonl.gz")[::10]:
        seen = features.window(pair.prompt)
        assert features.features(seen) == pytest.approx(plain_features(pair.prompt))
        assert features.task_of(seen) == plain_task(pair.prompt)


def test_a_long_text_is_seen_at_both_ends() -> None:
    text = "a" * 1500 + "SELECT " * 500 + "z" * 500
    seen = features.window(text)
    assert seen.text == "a" * 1500 + "\n" + "z" * 500
    assert features.features(seen)[:3] == pytest.approx(plain_features(text)[:3])
    assert features.task_of(seen) == "chat"


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("Which?\nA. one\nB. two\nAnswer:", "choice"),
        ("Extract the names as CSV", "extract"),
        ("Übersetze! Translate: guten Tag", "translate"),
        ("TL;DR please", "summarise"),
        ("Fix this Python function", "code"),
        ("How many apples are left?", "maths"),
        ("Draft an email to my landlord", "write"),
        ("Hello there", "chat"),
        ("", "chat"),
    ],
)
def test_a_text_tells_what_is_wanted(text: str, task: str) -> None:
    assert features.task_of(features.window(text)) == task


def test_words_and_neighbours_are_hashed_into_a_vector_of_length_one() -> None:
    found = dict(features.hashed(features.window("To be, or not To BE")))
    assert math.fsum(share**2 for share in found.values()) == pytest.approx(1)
    buckets = {crc32(word) & 0xFFFF for word in (b"to", b"be", b"or", b"not")}
    buckets |= {crc32(two) & 0xFFFF for two in (b"to be", b"be or", b"or not", b"not to")}
    assert set(found) == buckets
    assert found[crc32(b"to be") & 0xFFFF] == pytest.approx(2 * found[crc32(b"or") & 0xFFFF])


def test_broken_characters_do_not_break_the_features() -> None:
    assert len(features.features(features.window("\ud800 not?"))) == len(SAID["features"])


def test_the_constants_are_the_files() -> None:
    assert SAID["hard"] == constants.HARD
    assert set(SAID["uses_z"]) == constants.USES_DIFFICULTY
    assert [name for name, _ in SAID["classes_first_match"][1:-1]] == [t for t, _ in features.TASKS]
