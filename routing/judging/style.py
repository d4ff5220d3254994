"""The win rate with style held equal: length, headers, lists and bold text. Pure.

Judges like long answers with many lists, whatever they say (arXiv 2404.04475; the style control of
LMArena). A fractional logistic regression takes out what the four differences explain.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from routing.tokens import of_output

LEAST_PAIRS, MOST_PAIRS = 100, 5_000
TELLING = 0.05  # so far off the plain win rate, length may explain the result
ROUNDS, RIDGE = 50, 1.0

_HEADERS = re.compile(r"^#{1,6} ", re.MULTILINE)
_ITEMS = re.compile(r"^\s*(?:[-*+]|\d+\.) ", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*")


@dataclass(frozen=True)
class Style:
    """What an answer looks like; no words of it."""

    tokens: int
    headers: int
    items: int
    bold: int


def of_text(text: str) -> Style:
    return Style(
        of_output(len(text.encode())),
        len(_HEADERS.findall(text)),
        len(_ITEMS.findall(text)),
        len(_BOLD.findall(text)),
    )


def difference(a: Style, b: Style) -> tuple[float, float, float, float]:
    """B minus A: length as a share of both, the others in tens, each within ±1."""
    both = a.tokens + b.tokens
    counts = (b.headers - a.headers, b.items - a.items, b.bold - a.bold)
    clipped = [max(-1.0, min(1.0, count / 10)) for count in counts]
    return ((b.tokens - a.tokens) / both if both else 0.0, *clipped)  # type: ignore[return-value]


def controlled_win_rate(
    outcomes: Sequence[float], differences: Sequence[Sequence[float]]
) -> float | None:
    """B's win rate between answers of the same style; None below LEAST_PAIRS.

    Of more than MOST_PAIRS the last ones count: the figure is for display, no verdict rests on it.
    """
    if len(outcomes) < LEAST_PAIRS:
        return None
    outcomes, differences = outcomes[-MOST_PAIRS:], differences[-MOST_PAIRS:]
    rows = [(1.0, *one) for one in differences]
    size = len(rows[0])
    weights = [0.0] * size
    for _ in range(ROUNDS):
        gradient = [-RIDGE * w if i else 0.0 for i, w in enumerate(weights)]
        hessian = [[RIDGE * (i == j and i > 0) for j in range(size)] for i in range(size)]
        for row, outcome in zip(rows, outcomes, strict=True):
            p = _sigmoid(sum(w * x for w, x in zip(weights, row, strict=True)))
            slope = p * (1 - p)
            for i, x in enumerate(row):
                gradient[i] += (outcome - p) * x
                for j in range(size):
                    hessian[i][j] += slope * x * row[j]
        hessian[0][0] += 1e-6  # where one arm always wins
        step = _solve(hessian, gradient)
        weights = [max(-30.0, min(30.0, w + s)) for w, s in zip(weights, step, strict=True)]
        if max(map(abs, step)) < 1e-9:
            break
    return _sigmoid(weights[0])


def may_explain(plain: float | None, controlled: float | None) -> bool:
    """Whether style may be what decided."""
    return plain is not None and controlled is not None and abs(plain - controlled) > TELLING


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, value))))


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Gauss with pivots."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        lead = rows[i][i] or 1e-12
        for k in range(size):
            if k != i:
                factor = rows[k][i] / lead
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [rows[i][size] / (rows[i][i] or 1e-12) for i in range(size)]
