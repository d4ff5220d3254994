"""Fields of a caller's body, read by type: a wrong one is refused by name."""

from typing import Any

from accounts.errors import InvalidRequest

Json = dict[str, Any]

_WORDS = {
    bool: "true or false",
    dict: "an object",
    list: "a list",
    int: "a whole number",
    str: "a text",
}


def typed(body: Json, name: str, kind: type, *, param: str = "") -> Any:
    """A field if it has this type, None if it is absent or null. Raises InvalidRequest."""
    value = body.get(name)
    if value is not None and type(value) is not kind:
        raise refused(param or name, f"must be {_WORDS[kind]}")
    return value


def number(body: Json, name: str) -> float | None:
    """A number, None if it is absent or null. Raises InvalidRequest."""
    value = body.get(name)
    if value is not None and type(value) not in {int, float}:
        raise refused(name, "must be a number")
    return value


def count(body: Json, name: str, *, least: int = 0) -> int | None:
    """A whole number from `least` up, None if it is absent or null. Raises InvalidRequest."""
    value = typed(body, name, int)
    if value is not None and value < least:
        raise refused(name, f"must be a whole number from {least} up")
    return value  # type: ignore[no-any-return]


def texts(body: Json, name: str) -> tuple[str, ...]:
    """A list of texts; empty if it is absent or null. Raises InvalidRequest."""
    values = typed(body, name, list) or ()
    if not all(type(value) is str for value in values):
        raise refused(name, "must be a list of texts")
    return tuple(values)


def refused(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {reason}.", param=param)
