"""A secret does not come out, whatever is done with it."""

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest

from accounts.secret import Secret

CANARY = "sk-proj-canary0123456789ZYXW"
HIDDEN = CANARY[:-4]


@dataclass
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        "{}".format,
        "{!r}".format,
        "{!s}".format,
        lambda secret: f"{secret}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: str([secret]),
        lambda secret: str({"key": secret}),
        lambda secret: repr(Holder(secret)),
        lambda secret: str(ValueError(secret)),
    ],
)
def test_a_secret_shows_its_last_four_characters_and_no_more(
    shown: Callable[[Secret], str],
) -> None:
    text = shown(Secret(CANARY))

    assert HIDDEN not in text
    assert "…ZYXW" in text


@pytest.mark.parametrize(
    "leak",
    [
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        "{:>40}".format,
        lambda secret: secret + "",
        "".join,
        list,
        vars,
    ],
)
def test_a_secret_cannot_be_copied_written_or_joined(leak: Callable[[Secret], object]) -> None:
    with pytest.raises(TypeError) as refusal:
        leak(Secret(CANARY))

    assert HIDDEN not in str(refusal.value)


def test_a_secret_does_not_stand_in_a_traceback() -> None:
    def fail(secret: Secret) -> None:
        raise RuntimeError(f"the provider refused {secret}")

    try:
        fail(Secret(CANARY))
    except RuntimeError as error:
        text = "".join(
            traceback.TracebackException.from_exception(error, capture_locals=True).format()
        )
    assert "RuntimeError" in text
    assert "secret = Secret(…ZYXW)" in text
    assert HIDDEN not in text


def test_a_secret_does_not_come_out_of_a_log() -> None:
    stream = io.StringIO()
    log = logging.Logger("canary")
    log.addHandler(logging.StreamHandler(stream))

    log.warning("the key %s of %r", Secret(CANARY), Holder(Secret(CANARY)))

    assert "…ZYXW" in stream.getvalue()
    assert HIDDEN not in stream.getvalue()


def test_a_short_secret_shows_nothing_of_itself() -> None:
    assert Secret("hunter2").last4 == "…"
    assert "er2" not in repr(Secret("hunter2"))


def test_a_secret_opens_where_it_is_used_and_equals_only_secrets() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("another secret")
    assert Secret(CANARY) != CANARY
    assert len({Secret(CANARY), Secret(CANARY)}) == 1
