"""What a client of any dialect has: a way to ask, and an answer once it is read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEY = "sandbox-key-1234"
BEARER = {"authorization": f"Bearer {KEY}"}
Json = dict[str, Any]

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
    "required": ["city"],
}


@dataclass
class Reply:
    """An answer, whichever dialect it came in."""

    text: str = ""
    thoughts: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)  # id, name, arguments
    finish: str = ""
    usage: Json | None = None
    terminated: bool = True  # a stream ended as it should
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """A provider's dialect, as a client uses it."""

    name: str
    slug: str
    path: str
    model: str
    thinker: str  # a model that reasons
    headers: Json
    body: Callable[..., Json]
    read: Callable[[Json], Reply]
    read_stream: Callable[[bytes], Reply]
    stream_path: str = ""
    list_path: str = ""
    ends: dict[str, str] = field(default_factory=dict)  # its words for stop, length, tools

    def url(self, *, stream: bool = False, model: str = "") -> str:
        path = (self.stream_path or self.path) if stream else self.path
        return f"/{self.slug}{path}".replace("{model}", model or self.model)

    def __str__(self) -> str:
        return self.name
