"""Fields of a request, with the type they must have. Errors name the field."""

from typing import TypeVar

from accounts.errors import InvalidRequest
from routing.conversation import Json

T = TypeVar("T")

_KINDS: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    list: "a list",
    int: "a whole number",
    str: "a text",
}


def refused(place: str, must: str) -> InvalidRequest:
    """The error to raise: `place` must …"""
    return InvalidRequest(f"{place} must {must}.", param=place)


def typed(owner: Json, name: str, kind: type[T], place: str = "") -> T | None:
    """A field if it has this type, None if it is absent or null. Raises InvalidRequest."""
    value = owner.get(name)
    if value is None or type(value) is kind:
        return value
    raise refused(f"{place}.{name}" if place else name, f"be {_KINDS[kind]}")


def text(owner: Json, name: str, place: str = "") -> str:
    """A text, empty if it is absent or null. Raises InvalidRequest."""
    return typed(owner, name, str, place) or ""


def named(owner: Json, name: str, place: str) -> str:
    """A text that must be there and not be empty. Raises InvalidRequest."""
    value = owner.get(name)
    if type(value) is str and value:
        return value
    raise refused(f"{place}.{name}", "be a text that is not empty")


def number(owner: Json, name: str) -> float | None:
    value = owner.get(name)
    if value is None or type(value) in {int, float}:
        return value
    raise refused(name, "be a number")


def objects(owner: Json, name: str, place: str = "") -> list[tuple[str, Json]]:
    """The objects of a list, each with its place; none if it is absent. Raises InvalidRequest."""
    listed = typed(owner, name, list, place) or []
    where = f"{place}.{name}" if place else name
    placed = [(f"{where}[{number}]", item) for number, item in enumerate(listed)]
    for here, item in placed:
        if type(item) is not dict:
            raise refused(here, "be an object")
    return placed
