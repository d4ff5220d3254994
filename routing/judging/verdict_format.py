"""A judge's words → its verdict, or nothing. Pure."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Choice = Literal["1", "2", "tie"]

LONGEST_REASON = 600
_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_CHOICES: dict[str, Choice] = {"1": "1", "2": "2", "tie": "tie"}


class NoVerdict(ValueError):
    """The judge said something else than a verdict."""


@dataclass(frozen=True)
class Said:
    choice: Choice
    reason: str


def read(text: str) -> Said:
    """The verdict in a judge's answer, fenced or with words around it. Raises NoVerdict."""
    found = _OBJECT.search(text)
    if not found:
        raise NoVerdict("there is no JSON object")
    try:
        said = msgspec.json.decode(found[0])
    except (msgspec.MsgspecError, RecursionError):
        raise NoVerdict("the JSON cannot be read") from None
    return Said(_choice(said.get("verdict")), str(said.get("reason") or "")[:LONGEST_REASON])


def _choice(said: Any) -> Choice:
    """Exactly one of the three words; a number may stand for its digit."""
    text = str(said) if type(said) in {str, int} else ""
    try:
        return _CHOICES[text.strip().lower()]
    except KeyError:
        raise NoVerdict("the verdict is none of 1, 2, tie") from None


def score(forward: Choice, backward: Choice) -> float:
    """x of a pair: 1 if the second answer won in both orders, 0 if the first did, else 0.5.

    `forward` read A first, `backward` read B first.
    """
    if (forward, backward) == ("2", "1"):
        return 1.0
    if (forward, backward) == ("1", "2"):
        return 0.0
    return 0.5


def is_consistent(forward: Choice, backward: Choice) -> bool:
    """Whether both orders say the same of the answers."""
    mirrored: dict[Choice, Choice] = {"1": "2", "2": "1", "tie": "tie"}
    return mirrored[forward] == backward
