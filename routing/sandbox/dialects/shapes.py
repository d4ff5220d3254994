"""Which values a field of a request may have, whatever the dialect."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json


@dataclass(frozen=True, slots=True)
class Shape:
    """A test, and the words for what passes it."""

    words: str
    fits: Callable[[Any], bool]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number(low: float, high: float) -> Shape:
    return Shape(
        f"a number from {low:g} to {high:g}",
        lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        ),
    )


def whole(low: int, high: float = float("inf")) -> Shape:
    words = f"an integer of at least {low}" if high == float("inf") else f"an integer {low}-{high}"
    return Shape(words, lambda value: _is_whole(value) and low <= value <= high)


def one_of(*allowed: str) -> Shape:
    listed = ", ".join(f"'{one}'" for one in allowed)
    return Shape(f"one of {listed}", lambda value: value in allowed)


def either(words: str, *types: type) -> Shape:
    return Shape(words, lambda value: isinstance(value, types) and not isinstance(value, bool))


TEXT = either("a string", str)
FLAG = Shape("a boolean", lambda value: isinstance(value, bool))
INTEGER = Shape("an integer", _is_whole)
LIST = either("an array", list)
OBJECT = either("an object", dict)
TEXT_OR_LIST = either("a string or an array", str, list)
TEXT_OR_OBJECT = either("a string or an object", str, dict)
TEXTS = Shape(
    "a string or an array of strings",
    lambda value: (
        isinstance(value, str)
        or (isinstance(value, list) and all(isinstance(one, str) for one in value))
    ),
)


def check(exchange: Exchange, body: Json, shapes: Mapping[str, Shape], *place: str | int) -> None:
    """Refuse the first field that has a wrong value; null is as good as absent."""
    for name, shape in shapes.items():
        value = body.get(name)
        if value is not None and not shape.fits(value):
            raise exchange.refuse(
                Cause.INVALID, *place, name, reason=f"expected {shape.words}", value=value
            )


def require(exchange: Exchange, body: Json, *names: str) -> None:
    """Refuse a body that lacks a field."""
    for name in names:
        if body.get(name) is None:
            raise exchange.refuse(Cause.MISSING, name)


def only(exchange: Exchange, body: Json, known: frozenset[str], *place: str | int) -> None:
    """Refuse a field that is not one of the dialect's."""
    for name in body:
        if name not in known:
            raise exchange.refuse(Cause.UNKNOWN, *place, name, value=body[name])


def body_of(exchange: Exchange) -> Json:
    """The body as an object."""
    if not isinstance(exchange.body, dict):
        raise exchange.problem("malformed")
    return exchange.body


def known_model(exchange: Exchange, model: str) -> str:
    """The model's name, unless it begins with `unknown-`: the sandbox knows all others."""
    if model.startswith("unknown-") or "/unknown-" in model:
        raise exchange.problem("model_missing", model=model)
    return model
