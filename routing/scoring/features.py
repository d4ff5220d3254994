"""What a prompt looks like in figures: its task, sixteen features, hashed words. Pure.

The patterns are those of `tests/fixtures/routing/features.json`; a test compares them. They are
applied to lower-cased text, which is faster than matching without regard to case, and where a cheap
search for fixed pieces of text rules a pattern out, it is not run.
"""

import math
import re
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

HEAD, TAIL = 1500, 500  # characters of a long text that are looked at

CODE = r"```|\bdef \b|\bclass \b|#include|\breturn\b|import |select |function\s*\(|=>|\{\s*\n"
MATHS = (
    r"\b(?:solve|prove|equation|integral|derivative|probability|how many|percent|calculate|compute"
    r"|theorem|matrix|ratio|sum of|area of|total)\b|[=+\-*/^]\s*\d|\$[^$]+\$|\\frac"
)
REASON = (
    r"\b(?:explain|why|analy[sz]e|compare|step by step|reason|argue|evaluate|design|debug|refactor"
    r"|optimi[sz]e)\b"
)
CHOICE = r"^\(?[A-D][.):]\s.*\n\(?[B-E][.):]\s"  # the one pattern for text as it is written
CODE_WORDS = r"\b(?:python|javascript|java|c\+\+|sql|regex|function|algorithm|code)\b"
TASKS = (
    ("extract", r"\bjson\b|\bcsv\b|\bextract\b|\bclassify\b"),
    ("translate", r"\btranslat"),
    ("summarise", r"\bsummar|\btl;?dr\b"),
    ("code", f"{CODE}|{CODE_WORDS}"),
    ("maths", MATHS),
    ("write", r"\b(?:write|compose|draft|poem|story|essay|email|blog|letter)\b"),
)
CHAT, AGENT, EXTRACT = "chat", "agent", "extract"

# One of these stands in every text that the pattern of the same name can match.
CODE_PIECES = (
    "```", "def ", "class ", "#include", "return", "import ", "select ", "function", "=>", "{",
)  # fmt: skip
CODE_WORD_PIECES = ("python", "java", "c++", "sql", "regex", "algorithm", "code")
MATHS_PIECES = (
    "solve", "prove", "equation", "integral", "derivative", "probability", "how many", "percent",
    "calculate", "compute", "theorem", "matrix", "ratio", "sum of", "area of", "total", "$",
    "\\frac",
)  # fmt: skip
TASK_PIECES = {
    "extract": ("json", "csv", "extract", "classify"),
    "translate": ("translat",),
    "summarise": ("summar", "tldr", "tl;dr"),
    "code": CODE_PIECES + CODE_WORD_PIECES,
    "maths": (*MATHS_PIECES, "=", "+", "-", "*", "/", "^"),
    "write": ("write", "compose", "draft", "poem", "story", "essay", "email", "blog", "letter"),
}
DIGITS, CAPITALS, NOT_ASCII = b"0123456789", bytes(range(65, 91)), bytes(range(128, 256))
BUCKETS = 0xFFFF

_CHOICE = re.compile(CHOICE, re.MULTILINE)
_TASKS = tuple((task, TASK_PIECES[task], re.compile(pattern)) for task, pattern in TASKS)
_CODE, _MATHS, _REASON = re.compile(CODE), re.compile(MATHS), re.compile(REASON)
_TERM = re.compile(r"[=+\-*/^]\s*\d")
_WORD = re.compile(r"\w\w+")

Hashed = list[tuple[int, float]]  # bucket, its share of a vector of length one


class Window(NamedTuple):
    """The part of a text that is looked at closely."""

    full: str
    text: str
    lowered: str


def window(full: str) -> Window:
    text = full if len(full) <= HEAD + TAIL else f"{full[:HEAD]}\n{full[-TAIL:]}"
    return Window(full, text, text.lower())


def task_of(seen: Window) -> str:
    """What kind of work a text asks for: the first that matches."""
    if _CHOICE.search(seen.text):
        return "choice"
    lowered = seen.lowered
    for task, pieces, pattern in _TASKS:
        if _has(lowered, pieces) and pattern.search(lowered):
            return task
    return CHAT


def features(seen: Window) -> list[float]:
    """The sixteen features, in the order of features.json."""
    full, text, lowered = seen
    raw = text.encode("utf-8", "surrogatepass")
    size, words = len(raw) or 1, full.count(" ") + 1
    return [
        math.log1p(len(full)),
        math.log1p(words),
        len(full) / words,
        (len(raw) - len(raw.translate(None, DIGITS))) / size,
        (len(raw) - len(raw.translate(None, CAPITALS))) / size,
        (len(raw) - len(raw.translate(None, NOT_ASCII))) / size,
        text.count("\n"),
        text.count("?"),
        len(_CODE.findall(lowered)) if _has(lowered, CODE_PIECES) else 0,
        _maths_marks(lowered),
        len(_REASON.findall(lowered)),
        text.count(","),
        text.count("("),
        text.count("$"),
        1 if "not" in lowered else 0,
        text.count(":"),
    ]


def hashed(seen: Window) -> Hashed:
    """Words and pairs of neighbours, hashed into 2^16 buckets; a vector of length one."""
    words = [word.encode() for word in _WORD.findall(seen.lowered)]
    counts: dict[int, int] = {}
    for word in words:
        bucket = crc32(word) & BUCKETS
        counts[bucket] = counts.get(bucket, 0) + 1
    for one, following in pairwise(words):
        bucket = crc32(b"%b %b" % (one, following)) & BUCKETS
        counts[bucket] = counts.get(bucket, 0) + 1
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    return [(bucket, count / length) for bucket, count in counts.items()]


def _maths_marks(lowered: str) -> int:
    if _has(lowered, MATHS_PIECES) or _TERM.search(lowered):
        return len(_MATHS.findall(lowered))
    return 0


def _has(text: str, pieces: tuple[str, ...]) -> bool:
    for piece in pieces:  # noqa: SIM110  any() of a generator takes twice as long
        if piece in text:
            return True
    return False
