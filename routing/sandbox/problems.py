"""What goes wrong, before a provider puts it in its own words. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import msgspec

from routing.sandbox.answers import JSON, Headers, Whole

Place = tuple[str | int, ...]  # where in the body: ("messages", 0, "content")

_PAGE = "text/html; charset=UTF-8"

# What a proxy in front of a provider says when the provider itself is gone.
BAD_GATEWAY_PAGE = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>sandbox</center>\r\n"
    "</body>\r\n</html>\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error answer: the words, and which of a provider's fields they stand in.

    `body` replaces the provider's usual envelope, `page` replaces JSON.
    """

    status: int
    message: str = ""
    type: str | None = None
    code: str | int | None = None
    param: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Headers = ()
    body: Any = None
    page: str | None = None
    media: str = _PAGE  # of the page


BAD_GATEWAY = Problem(status=502, page=BAD_GATEWAY_PAGE)


class Refused(Exception):
    """The request is not answered, but with this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Cause(Enum):
    """What is the matter with a field of a request."""

    MISSING = "missing"
    INVALID = "invalid"  # of a wrong type, or out of its bounds
    UNSUPPORTED = "unsupported"  # a parameter that this provider or model does not take
    UNKNOWN = "unknown"  # not a parameter at all


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A field that cannot be accepted, and why."""

    cause: Cause
    place: Place
    reason: str = ""
    role: str = ""  # of the message that it stands in
    value: Any = None

    @property
    def dotted(self) -> str:
        """`messages.0.content`"""
        return ".".join(str(step) for step in self.place)

    @property
    def bracketed(self) -> str:
        """`messages[0].content`"""
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place)
        return text.removeprefix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a provider says what is wrong: its envelope, its words for flaws, its known errors."""

    envelope: Callable[[Problem, str], Any]  # the second is the id of the exchange
    flaw: Callable[[Flaw], Problem]
    named: Mapping[str, Problem]

    def problem(self, name: str, /, **words: str) -> Problem:
        """A known error, with the words that it quotes filled in."""
        found = self.named[name]
        return replace(
            found,
            message=filled(found.message, words),
            param=filled(found.param, words),
            more=filled(found.more, words),
            body=filled(found.body, words),
        )

    def answer(self, problem: Problem, exchange_id: str) -> Whole:
        """The error as it goes over the wire."""
        if problem.page is not None:
            page = problem.page.encode()
            return Whole(
                status=problem.status, body=page, media=problem.media, headers=problem.headers
            )
        body = self.envelope(problem, exchange_id) if problem.body is None else problem.body
        return Whole(
            status=problem.status,
            body=msgspec.json.encode(body),
            media=JSON,
            headers=problem.headers,
        )


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """The value with `{name}` replaced in every text of it."""
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"{{{name}}}", word)
        return value
    if isinstance(value, Mapping):
        return {key: filled(inner, words) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, words) for inner in value]
    return value
