"""A provider's accent of the chat dialect: what it adds, leaves out and spells differently."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.ask import Ask
from routing.sandbox.writing.draft import Call

Fields = Mapping[str, Any]


class Where(Enum):
    """A chunk's place in a stream."""

    FIRST = "first"
    MIDDLE = "middle"
    FINISH = "finish"  # says why it ended
    USAGE = "usage"  # has no choices


Asked = Callable[[Ask], bool]


def always(_: Ask) -> bool:
    return True


def never(_: Ask) -> bool:
    return False


def if_asked(ask: Ask) -> bool:
    return ask.wants_usage is True


def if_not_asked(ask: Ask) -> bool:
    return ask.wants_usage is not True


def unless_declined(ask: Ask) -> bool:
    return ask.wants_usage is not False


def unseen(_: str) -> Json:
    """Thoughts are counted and not shown."""
    return {}


def shown_as(field: str) -> Callable[[str], Json]:
    """Thoughts stand in a field of the message, and of the delta."""
    return lambda thoughts: {field: thoughts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """The accent. What is constant is a mapping, what depends on the answer a function."""

    answer_id: Callable[[str], str]
    call_id: Callable[[str], str]
    usage: Callable[[Told], Json]
    thoughts: Callable[[str], Json] = unseen
    top: Callable[[Told], Json] = lambda _: {}  # more fields of a whole answer
    chunk: Callable[[Told, Where], Json] = lambda _told, _where: {}  # and of a chunk
    message: Fields = field(default_factory=dict)  # more fields of a message
    delta: Fields = field(default_factory=dict)  # of a stream's first delta
    choice: Fields = field(default_factory=dict)  # of a choice
    # Of a chunk's choice, until the end.
    pending: Fields = field(default_factory=lambda: {"finish_reason": None})
    finished: Callable[[str], Json] = lambda reason: {"finish_reason": reason}
    call: Fields = field(default_factory=lambda: {"type": "function"})  # of a tool call
    calls_have_index: bool = False
    call_extra: Callable[[str, int], Json] = lambda _seed, _index: {}
    content_beside_calls: Fields = field(default_factory=lambda: {"content": None})
    whole_calls: bool = True  # a stream holds each tool call in one chunk
    calls_with_finish: bool = False  # in the chunk that says why it ended
    null_usage: Asked = never  # a chunk without usage says so
    usage_in_finish: Asked = never
    usage_in_all: Asked = never
    usage_apart: Asked = if_asked  # in a last chunk without choices
    has_logprobs: bool = False
    comments: tuple[bytes, ...] = ()  # before the first chunk
    comment_between: bytes = b""

    def call_fields(self, exchange_id: str, call: Call) -> Json:
        """A tool call but for its arguments."""
        seed = f"{exchange_id}{call.index:x}"
        fields: Json = {"id": self.call_id(seed), **self.call, **self.call_extra(seed, call.index)}
        if call.is_custom:
            fields["type"] = "custom"
        if self.calls_have_index:
            fields["index"] = call.index
        return fields


def called(call: Call, arguments: str, *, named: bool = True) -> Json:
    """The function of a tool call, or the input of a custom one."""
    name = {"name": call.name} if named else {}
    if call.is_custom:
        return {"custom": {**name, "input": arguments}}
    return {"function": {**name, "arguments": arguments}}
