"""Where a JSON object that comes in pieces ends: each character is looked at once. Pure."""

import re

_OUTSIDE, _INSIDE = re.compile(r'["{}\[\]]'), re.compile(r'["\\]')
_CLOSES = {"}": "{", "]": "["}


class Extent:
    """Follows brackets and texts of one object.

    What does not begin with a brace, closes what is not open, or goes on behind its end is no
    object, and never whole.
    """

    __slots__ = ("_has_begun", "_is_broken", "_is_escaped", "_is_text", "_open")

    def __init__(self) -> None:
        self._open: list[str] = []  # brackets
        self._is_text = self._is_escaped = False
        self._has_begun = self._is_broken = False

    @property
    def is_whole(self) -> bool:
        return self._has_begun and not self._open and not self._is_broken

    def feed(self, piece: str) -> None:
        place = 0
        if not self._open and not self._is_broken:
            place = self._between(piece)
        while place < len(piece) and not self._is_broken:
            place = self._within_text(piece, place) if self._is_text else self._on(piece, place)

    def _between(self, piece: str, place: int = 0) -> int:
        """Before the object or behind it there is only white space."""
        rest = piece[place:].lstrip()
        if rest and (self._has_begun or not rest.startswith("{")):
            self._is_broken = True
        self._has_begun = self._has_begun or bool(rest)
        return len(piece) - len(rest)

    def _within_text(self, piece: str, place: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            return place + 1
        found = _INSIDE.search(piece, place)
        if found is None:
            return len(piece)
        self._is_escaped = found[0] == "\\"
        self._is_text = self._is_escaped
        return found.end()

    def _on(self, piece: str, place: int) -> int:
        found = _OUTSIDE.search(piece, place)
        if found is None:
            return len(piece)
        mark = found[0]
        if mark == '"':
            self._is_text = True
        elif mark not in _CLOSES:
            self._open.append(mark)
        elif self._open.pop() != _CLOSES[mark]:
            self._is_broken = True
        elif not self._open:
            return self._between(piece, found.end())
        return found.end()
