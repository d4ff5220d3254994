"""The shape of a provider's data, and of one exchange with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routing.sandbox.answers import Answer, Headers
from routing.sandbox.memory import Memory, Meter
from routing.sandbox.problems import Cause, Flaw, Refused, Wording

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An entry of a provider's list of models."""

    id: str
    label: str = ""
    context: int = 131_072
    output: int = 32_768
    created: int = 1_760_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A function that answers, and what a credential means to it."""

    answer: "Callable[[Exchange], Answer]"
    lists_models: bool = False  # a key without that permission gets 403
    needs_key: bool = True
    checks_key: bool = True  # a bad one is refused even where none is needed
    shows_credit: bool = False  # a key without credit gets an answer that says so, no error


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider is like on the wire. One slug may have several, for its several dialects."""

    slug: str
    label: str
    auth: tuple[str, ...]  # the headers that may carry its key, the usual one first
    needed_headers: tuple[str, ...] = ()
    wording: Wording
    routes: Mapping[str, Endpoint]  # "POST /v1/chat/completions"; {name} stands for the rest
    models: tuple[Model, ...]
    headers: "Callable[[Exchange, Meter], Headers]"  # of every answer: limits, ids
    first_token_ms: int = 30
    group: tuple[int, ...] = (1,)  # tokens per chunk of a stream, in turn
    writes: tuple[int, ...] = ()  # sizes of the pieces that frames are written in; else whole
    joins: int = 1  # frames per write


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request to a provider, read and not yet answered."""

    id: str
    profile: Profile
    name: str = ""  # what stands in the path for {name}
    path: str = ""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    began_at: float  # seconds since 1970
    owner: bytes  # whose credential it is, as a digest
    credential: str = ""  # only its masked form
    has_credit: bool = True
    is_empty: bool = False  # by a fault: answer well-formed, and say nothing
    memory: Memory

    @property
    def created(self) -> int:
        return int(self.began_at)

    def number(self, name: str, usual: int) -> int:
        """A number in the query, or the usual one."""
        text = self.query.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 10 else usual

    def refuse(
        self,
        cause: Cause,
        *place: str | int,
        reason: str = "",
        role: str = "",
        value: Any = None,
    ) -> Refused:
        """The exception that refuses a field in the provider's own words."""
        flaw = Flaw(cause=cause, place=place, reason=reason, role=role, value=value)
        return Refused(self.profile.wording.flaw(flaw))

    def problem(self, name: str, /, **words: str) -> Refused:
        """The exception that answers one of the provider's known errors."""
        return Refused(self.profile.wording.problem(name, **words))
