"""What providers' rate-limit headers say is left. Pure.

Providers name them alike: a header with `ratelimit` and `remaining` in its name, another one with
`reset` in its place (OpenAI, Groq, Cerebras, Mistral, Anthropic: documentation read 2026-11-20).
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

MANY_REQUESTS = 3  # left; with more there is nothing to remember
MANY_TOKENS = 200_000
USUAL_RESET_SECONDS = 60.0
LONGEST_RESET_SECONDS = 600.0  # a day's allowance is not waited for, but looked at again

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:([\d.]+)ms)?")
_UNITS = (86_400.0, 3600.0, 60.0, 1.0, 0.001)


class Headroom(msgspec.Struct, frozen=True, gc=False):
    """What was left of a key's allowance, and for how many seconds that holds."""

    requests: float
    tokens: float
    reset_s: float

    def holds(self, tokens: float) -> bool:
        return self.requests >= 1 and self.tokens >= tokens


def read(headers: Iterable[tuple[bytes, bytes]]) -> Headroom | None:
    """The scarcest allowance that headers tell of; None where there is plenty."""
    named = {name: value for name, value in headers if b"ratelimit" in name}
    if not named:
        return None
    left = {b"request": float("inf"), b"token": float("inf")}
    resets = []
    for name, value in named.items():
        kind = b"token" if b"token" in name else b"request"
        if b"remaining" not in name or not value.isdigit():
            continue
        count = float(value)
        if count > (MANY_TOKENS if kind == b"token" else MANY_REQUESTS):
            continue
        left[kind] = min(left[kind], count)
        resets.append(_seconds(named.get(name.replace(b"remaining", b"reset"), b"")))
    if not resets:
        return None
    return Headroom(left[b"request"], left[b"token"], min(max(resets), LONGEST_RESET_SECONDS))


def _seconds(value: bytes) -> float:
    """Seconds from now: `6m0s`, `1.5`, `120ms`, or a moment in RFC 3339."""
    text = value.decode("latin-1").strip()
    if not text:
        return USUAL_RESET_SECONDS
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    found = _DURATION.fullmatch(text)
    try:
        if found:
            parts = zip(found.groups(), _UNITS, strict=True)
            return sum(float(number) * unit for number, unit in parts if number)
        moment = datetime.fromisoformat(text)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return USUAL_RESET_SECONDS
