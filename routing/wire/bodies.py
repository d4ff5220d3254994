"""Read a request body: strict JSON within limits, before anything else looks at it. Pure."""

from typing import Any

import msgspec

from accounts.errors import InvalidRequest

DEEPEST = 64
MOST_CONTAINERS = 100_000

ESCAPE = rb"\u"  # in a body, any letter may be written so: a search for words does not find them

_decode = msgspec.json.Decoder().decode
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")


def read(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises InvalidRequest.

    NaN, lone surrogates, duplicate roots, more than 64 levels and more than 100,000 containers
    are refused; what was decoded here is what is sent on.
    """
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        _check_containers(body)
    try:
        content = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"The body is not valid JSON: {_reason(error)}.") from None
    if type(content) is not dict:
        raise InvalidRequest("The body must be a JSON object.")
    return content


def read_storable(body: bytes) -> dict[str, Any]:
    """The same without a NUL, which no text in PostgreSQL can hold. Raises InvalidRequest."""
    if rb"\u0000" in body.replace(rb"\\", b""):
        raise InvalidRequest("The body holds a NUL character.")
    return read(body)


def _check_containers(body: bytes) -> None:
    """Count and depth of containers, without parsing: a parser's memory is what is protected."""
    unescaped = body.replace(rb"\\", b"").replace(rb"\"", b"")
    marks = unescaped.translate(_AS_ARRAYS, _ALL_BUT_BRACKETS)
    brackets = b"".join(marks.split(b'"')[::2])
    if brackets.count(b"[") > MOST_CONTAINERS:
        raise InvalidRequest(f"The body holds more than {MOST_CONTAINERS} arrays and objects.")
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise InvalidRequest(f"The body is nested deeper than {DEEPEST} levels.")


def _reason(error: Exception) -> str:
    text = str(error).removeprefix("JSON is malformed: ").rstrip(".")
    return text if isinstance(error, msgspec.DecodeError) else "it is not UTF-8 text"
