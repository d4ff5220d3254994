"""A request as it came in."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from routing.sandbox.line import Scope

MALFORMED: Final = object()  # a body that is not JSON
TOO_LARGE: Final = object()  # a body that nobody reads to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Head and body. `id` is the sandbox's own, and stands in all answers to it."""

    id: str
    began_at: float  # seconds since 1970
    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: Any

    @classmethod
    def read(cls, scope: Scope, raw: bytes | None) -> "Incoming":
        """`raw` is None for a body that was too large to read."""
        return cls(
            id=secrets.token_hex(12),
            began_at=time.time(),
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"].decode("latin-1"),
            headers=_headers(scope["headers"]),
            body=TOO_LARGE if raw is None else _decoded(raw),
        )

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def json(self) -> Any:
        """The body, None if there is none that can be read."""
        return None if self.body in (MALFORMED, TOO_LARGE) else self.body

    @property
    def model(self) -> str:
        """The model that the body names, or empty."""
        named = self.json.get("model") if isinstance(self.json, dict) else None
        return named if isinstance(named, str) else ""


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """By lower-case name; what is sent twice is joined as HTTP has it."""
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


def _decoded(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return MALFORMED
