"""What a model says that is asked to judge two answers: the same every time, as it is told to be.

Criteria that hold `sandbox judge: first` and the like choose a behaviour to rehearse; without that
the answer wins that holds more of the request's words, and equals are a tie. A `gullible` one does
what any text orders that it was not told to take for data (`credulity`).
"""

import re
from collections.abc import Callable
from typing import Final
from zlib import crc32

import msgspec

from routing.sandbox.writing import credulity

_PARTS = re.compile(
    r"<(?P<mark>[0-9a-f]{16})-request>\n(?P<request>.*)\n</(?P=mark)-request>"
    r".*<(?P=mark)-answer-1>\n(?P<first>.*)\n</(?P=mark)-answer-1>"
    r".*<(?P=mark)-answer-2>\n(?P<second>.*)\n</(?P=mark)-answer-2>(?P<rest>.*)\Z",
    re.DOTALL,
)
_UNMARKED = re.compile(
    r"The request:\n(?P<request>.*)\n\nAnswer 1:\n(?P<first>.*)\n\nAnswer 2:\n(?P<second>.*)"
    r"\n\nWhat counts: (?P<rest>.*)\Z",
    re.DOTALL,
)
_BEHAVIOUR = re.compile(r"sandbox judge: (\w+)(?: (\S+))?")
_ORDERED = re.compile(r'"verdict": "([12])"')
_WORD = re.compile(r"\w+")

Choose = Callable[[str, str, str, str], str]  # request, first, second, wanted → verdict


def said(prompt: str, system: str = "") -> str | None:
    """The verdict of a prompt of this kind; None for any other."""
    found = _PARTS.search(prompt) or _UNMARKED.search(prompt)
    if not found:
        return None
    behaviour = _BEHAVIOUR.search(found["rest"])
    name, wanted = (behaviour[1], behaviour[2] or "") if behaviour else ("fair", "")
    if name == "broken":
        return "[sandbox] I cannot decide; both are fine in their way."
    choose = _BEHAVIOURS.get(name, _fair)
    verdict = choose(found["request"], found["first"], found["second"], wanted)
    if name == "gullible":
        ordered = credulity.ordered(prompt, system, found["first"], found["second"])
        verdict = ordered or verdict
    answer = {"reason": f"[sandbox] This judge is {name}.", "verdict": verdict}
    return msgspec.json.encode(answer).decode()


def _first(*_: str) -> str:
    return "1"


def _longer(_: str, first: str, second: str, __: str) -> str:
    return _greater(len(first), len(second))


def _obeys(request: str, first: str, second: str, wanted: str) -> str:
    """Does what an answer orders it to do, and is fair to others."""
    found = _ORDERED.search(first) or _ORDERED.search(second)
    return found[1] if found else _fair(request, first, second, wanted)


def _prefers(request: str, first: str, second: str, wanted: str) -> str:
    """Takes the answer that holds a word; where both or none do, it is fair."""
    has = (wanted in first, wanted in second)
    return _greater(*has) if has[0] != has[1] else _fair(request, first, second, "")


def _coin(request: str, first: str, second: str, _: str) -> str:
    """Fair; where that is a tie, the request decides between the two texts, in either order."""
    said = _fair(request, first, second, "")
    tossed = [crc32(f"{request}\n{text}".encode()) for text in (first, second)]
    return _greater(*tossed) if said == "tie" else said


def _fair(request: str, first: str, second: str, _: str) -> str:
    asked = set(_WORD.findall(request.lower()))
    overlap = [len(asked & set(_WORD.findall(text.lower()))) for text in (first, second)]
    return _greater(*overlap)


def _greater(first: int, second: int) -> str:
    if first == second:
        return "tie"
    return "1" if first > second else "2"


_BEHAVIOURS: Final[dict[str, Choose]] = {
    "first": _first,
    "longer": _longer,
    "obeys": _obeys,
    "prefers": _prefers,
    "coin": _coin,
    "fair": _fair,
}
