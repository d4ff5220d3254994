"""Read a page as a person does: text, and tables as rows of cells."""

import re
from html.parser import HTMLParser
from typing import Any


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in {"td", "th"} and self.tables:
            self._cell = []
        elif self._cell is not None and (value := dict(attributes).get("value")):
            self._cell.append(f"[{value}]")  # the exact amount behind a rounded one

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self.tables[-1][-1].append(" ".join(" ".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def tables(answer: Any) -> list[list[list[str]]]:
    """Every table of a page."""
    reader = _Tables()
    reader.feed(answer.content.decode())
    return reader.tables


def exact(cell: str) -> str:
    """The exact amount that stands behind the rounded one of a cell."""
    found = re.search(r"\[([^]]+)\]", cell)
    assert found, cell
    return found[1]


def text(answer: Any) -> str:
    """What a page says, in one line."""
    plain = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", plain).split())
