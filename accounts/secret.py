"""A secret that never prints, and the filter that keeps secrets of any origin out of logs."""

import logging
import re
from typing import Any

# What keys look like: ours, the providers' own prefixes, bearer tokens, the masked echoes of keys
# in providers' error messages (providers.md 1.2), and runs of 32 and more digits and letters of
# both cases, since keys of DeepInfra and Mistral have no prefix. Short text after `sk-` counts only
# where a word begins, for there are disk-, task- and risk- too.
_SHAPES = re.compile(
    r"(?:flo2_(?:live|test|mgmt)_|gsk_|csk-|xai-|AIza|nvapi-|(?<![A-Za-z0-9])sk-)"
    r"[A-Za-z0-9_\-*.…]{3,}"
    r"|sk-[A-Za-z0-9_\-*.…]{20,}"
    r"|\bBearer\s+\S+"
    r"|\b[A-Za-z0-9]{2,8}\*{3,}[A-Za-z0-9]{0,8}"
    r"|\b(?=[A-Za-z]*[0-9])(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])[A-Za-z0-9]{32,}\b"
)


class Secret:
    """Holds a text; shows only its last four characters. `reveal()` at the moment of use."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    @property
    def last4(self) -> str:
        return self._text[-4:] if len(self._text) >= 12 else "…"

    def __repr__(self) -> str:
        return f"Secret(…{self.last4})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Any:
        raise TypeError("A secret is not to be pickled.")


def scrub(text: str) -> str:
    """The text with everything that looks like a key, or a fragment of one, taken out."""
    return _SHAPES.sub("[key removed]", text)


class ScrubbingFilter(logging.Filter):
    """Scrubs the finished message, so that arguments and exceptions are covered alike."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(_finished(record)), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:  # perhaps of a handler before us that does not scrub
            record.exc_text = scrub(record.exc_text)
        if record.stack_info:
            record.stack_info = scrub(record.stack_info)
        return True


def _finished(record: logging.LogRecord) -> str:
    """The message with its arguments; where they do not fit, both, for a log line never raises."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"
