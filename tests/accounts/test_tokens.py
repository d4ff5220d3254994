"""The text of our keys: its form, a checksum that knows every typo, and what is kept of it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids, tokens, vault

KINDS = ["live", "test", "mgmt"]
PEPPER, OTHER_PEPPER = b"p" * 32, b"q" * 32


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_prefix_36_random_characters_and_6_of_checksum(kind: str) -> None:
    text = tokens.make(kind)

    assert text.startswith(f"flo2_{kind}_")
    assert len(text) == 10 + 36 + 6
    assert set(text[10:]) <= set(string.ascii_letters + string.digits)
    assert tokens.is_well_formed(text)


def test_no_two_keys_are_alike_and_every_character_is_used() -> None:
    made = {tokens.make("live") for _ in range(500)}

    assert len(made) == 500
    assert set("".join(text[10:46] for text in made)) == set(ids.ALPHABET)


@pytest.mark.parametrize("kind", KINDS)
def test_every_change_of_one_character_is_noticed(kind: str) -> None:
    text = tokens.make(kind)
    typos = [
        text[:place] + character + text[place + 1 :]
        for place in range(len(text))
        for character in string.printable
        if character != text[place]
    ]

    assert [typo for typo in typos if tokens.is_well_formed(typo)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_swap_of_neighbours_is_noticed(kind: str) -> None:
    text = tokens.make(kind)
    swapped = {
        text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        for place in range(len(text) - 1)
    } - {text}

    assert len(swapped) > 30
    assert [typo for typo in swapped if tokens.is_well_formed(typo)] == []


def test_a_character_too_few_or_too_many_is_noticed() -> None:
    text = tokens.make("live")
    cut = [text[:place] + text[place + 1 :] for place in range(len(text))]
    longer = [text[:place] + "a" + text[place:] for place in range(len(text) + 1)]

    assert [typo for typo in cut + longer if tokens.is_well_formed(typo)] == []


@given(st.text(max_size=60))
def test_any_text_at_all_can_be_asked_about(text: str) -> None:
    assert not tokens.is_well_formed(text)
    assert not tokens.is_well_formed("flo2_live_" + text)


def test_a_key_of_another_prefix_is_no_key_though_its_checksum_fits() -> None:
    body = "flo2_root_" + "a" * 36

    assert not tokens.is_well_formed(body + tokens._check(body))


def test_a_digest_depends_on_the_whole_key_and_on_the_pepper() -> None:
    text = tokens.make("live")
    digests = {tokens.digest(text[:-1], PEPPER), tokens.digest(text[1:], PEPPER)}
    digests |= {tokens.digest(text, PEPPER), tokens.digest(text, OTHER_PEPPER)}

    assert {len(digest) for digest in digests} == {32}
    assert len(digests) == 4
    assert text.encode() not in tokens.digest(text, PEPPER)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("", "is not set"),
        ("nothing", "id:base64"),
        ("a:!!!", "not base64"),
        ("a:c2hvcnQ=", "too weak"),
        ("a:" + "QUFB" * 11, "too weak"),
    ],
)
def test_missing_or_weak_peppers_are_one_sentence_that_names_the_variable(
    setting: str, says: str
) -> None:
    with pytest.raises(tokens.PepperProblem) as problem:
        tokens.peppers(setting)

    assert str(problem.value).startswith("FLO2_KEY_PEPPERS ") or "FLO2_KEY_PEPPERS:" in str(
        problem.value
    )
    assert says in str(problem.value)


def test_during_a_change_of_pepper_the_first_one_hashes_and_both_are_tried() -> None:
    new, old = "bmV3LXBlcHBlci0wMTIzNDU2Nzg5YWJjZGVmZ2hpams=", "b2xkLXBlcHBlci0wMTIzNDU2Nzg5YWI="
    with pytest.raises(tokens.PepperProblem):
        tokens.peppers(f"new:{new},old:{old}")  # 23 bytes are too few

    old = "b2xkLXBlcHBlci0wMTIzNDU2Nzg5YWJjZGVmZ2hpams="
    first, second = tokens.peppers(f" new:{new} , old:{old} ")

    assert first.startswith(b"new")
    assert second.startswith(b"old")
    assert {len(first), len(second)} == {vault.KEY_BYTES}
