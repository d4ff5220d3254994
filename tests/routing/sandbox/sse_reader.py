"""Reads server-sent events as the standard says, independently of the gateway's own reader."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Event:
    name: str = ""
    data: str = ""


@dataclass
class Events:
    events: list[Event] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    is_whole: bool = True  # the last event ended in a blank line

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)


def read(raw: bytes) -> Events:
    """All events and comments of a stream (https://html.spec.whatwg.org, 9.2.6)."""
    found = Events()
    data: list[str] = []
    name, has_data = "", False
    lines = raw.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in lines:
        if line == "":
            if has_data:
                found.events.append(Event(name, "\n".join(data)))
            name, data, has_data = "", [], False
        elif line.startswith(":"):
            found.comments.append(line[1:].strip())
        else:
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "event":
                name = value
            elif key == "data":
                data.append(value)
                has_data = True
    found.is_whole = not has_data
    return found
