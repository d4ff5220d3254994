"""Items of a stream while they are open: what each writes at its start, for a piece, at its end.

A piece is the hot path: what stays the same in its event is put together once.
"""

from typing import Any

import msgspec

from routing.conversation import Json, Thinking, ToolKind
from routing.wire.responses import items, thoughts
from routing.wire.responses.items import PartKind, Status
from routing.wire.responses.tools import Origin

_encode = msgspec.json.Encoder().encode

FIRST = 2  # number of the first event of an item: two others come before


class Events:
    """Numbers the events of a stream and keeps its items as they are finished."""

    def __init__(self) -> None:
        self.number = FIRST
        self._finished: dict[int, Json] = {}

    def write(self, kind: str, **fields: Any) -> bytes:
        number = self.number
        self.number = number + 1
        data = _encode({"type": kind, "sequence_number": number, **fields})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def added(self, index: int, item: Json) -> bytes:
        return self.write("response.output_item.added", output_index=index, item=item)

    def done(self, index: int, item: Json) -> bytes:
        self._finished[index] = item
        return self.write("response.output_item.done", output_index=index, item=item)

    def output(self) -> list[Json]:
        """The items in the order of their places."""
        return [self._finished[index] for index in sorted(self._finished)]

    def first(self, kind: str, number: int, response: bytes) -> bytes:
        form = b'event: %b\ndata: {"type":"%b","sequence_number":%d,"response":%b}\n\n'
        return form % (kind.encode(), kind.encode(), number, response)

    def of_response(self, kind: str, response: bytes) -> bytes:
        return self.first(kind, self.number, response)

    @staticmethod
    def delta_form(kind: str, **fields: Any) -> bytes:
        """The event of a piece, in which its number and its text as JSON are to be filled in."""
        fixed = _encode(fields).replace(b"%", b"%%")[1:]
        form = b'event: %b\ndata: {"type":"%b","sequence_number":%%d,"delta":%%b,%b\n\n'
        return form % (kind.encode(), kind.encode(), fixed)


class Message:
    """A message, its parts one after the other."""

    def __init__(self, events: Events, own_id: str, index: int) -> None:
        self.index = index
        self._events, self._id = events, own_id
        self._parts: list[Json] = []
        self._kind: PartKind | None = None
        self._texts: list[str] = []
        self._form = b""

    def begin(self) -> bytes:
        return self._events.added(self.index, items.message(self._id, [], "in_progress"))

    def add(self, kind: PartKind, text: str) -> bytes:
        opened = b"" if kind == self._kind else self._next_part(kind)
        self._texts.append(text)
        events = self._events
        number = events.number
        events.number = number + 1
        return opened + self._form % (number, _encode(text))

    def close(self, status: Status) -> bytes:
        closed = self._close_part()
        return closed + self._events.done(self.index, items.message(self._id, self._parts, status))

    def _next_part(self, kind: PartKind) -> bytes:
        closed = self._close_part()
        self._kind, self._texts = kind, []
        logprobs: Json = {"logprobs": []} if kind == "output_text" else {}
        self._form = Events.delta_form(f"response.{kind}.delta", **self._place, **logprobs)
        empty = items.part(kind, "")
        return closed + self._events.write("response.content_part.added", **self._place, part=empty)

    def _close_part(self) -> bytes:
        if self._kind is None:
            return b""
        text, place = "".join(self._texts), self._place
        part = items.part(self._kind, text)
        said: Json = {"refusal": text}
        if self._kind == "output_text":
            said = {"text": text, "logprobs": []}
        done = self._events.write(f"response.{self._kind}.done", **place, **said)
        done += self._events.write("response.content_part.done", **place, part=part)
        self._parts.append(part)
        self._kind = None
        return done

    @property
    def _place(self) -> Json:
        return {
            "item_id": self._id,
            "output_index": self.index,
            "content_index": len(self._parts),
        }


class Thoughts:
    """Thoughts, shown as the one part of a summary."""

    def __init__(self, events: Events, own_id: str, index: int, *, wants_token: bool) -> None:
        self.index = index
        self._events, self._id, self._wants_token = events, own_id, wants_token
        self._place: Json = {"item_id": own_id, "output_index": index, "summary_index": 0}
        self._form = Events.delta_form("response.reasoning_summary_text.delta", **self._place)
        self._texts: list[str] = []
        self._signature = self._signer = ""

    def begin(self) -> bytes:
        opened = self._events.added(self.index, items.reasoning(self._id, "", None))
        part = {"type": "summary_text", "text": ""}
        return opened + self._events.write(
            "response.reasoning_summary_part.added", **self._place, part=part
        )

    def add(self, text: str) -> bytes:
        self._texts.append(text)
        events = self._events
        number = events.number
        events.number = number + 1
        return self._form % (number, _encode(text))

    def sign(self, signature: str, signer: str) -> None:
        self._signature, self._signer = signature, signer

    def close(self, status: Status) -> bytes:
        """Thoughts have no status: those that were cut off look like others."""
        del status
        text = "".join(self._texts)
        block = Thinking(text=text, signature=self._signature, signer=self._signer)
        token = thoughts.token_of(block, is_wanted=self._wants_token)
        write = self._events.write
        part = {"type": "summary_text", "text": text}
        return b"".join((
            write("response.reasoning_summary_text.done", **self._place, text=text),
            write("response.reasoning_summary_part.done", **self._place, part=part),
            self._events.done(self.index, items.reasoning(self._id, text, token)),
        ))  # fmt: skip


class Call:
    """A call of a function or of a custom tool.

    What a provider that knows no custom tools writes for one is JSON: it is decoded at the end.
    """

    def __init__(
        self,
        events: Events,
        own_id: str,
        index: int,
        *,
        call_id: str,
        origin: Origin,
        kind: ToolKind,
    ) -> None:
        self.index = index
        self._events, self._id, self._call_id = events, own_id, call_id
        self._origin, self._kind = origin, kind
        self._waits = origin.kind == "custom" and kind == "function"
        self._event = (
            "custom_tool_call_input" if origin.kind == "custom" else ("function_call_arguments")
        )
        self._place: Json = {"item_id": own_id, "output_index": index}
        self._form = Events.delta_form(f"response.{self._event}.delta", **self._place)
        self._texts: list[str] = []

    def begin(self) -> bytes:
        return self._events.added(self.index, self._item("", "in_progress"))

    def add(self, text: str) -> bytes:
        if not text:
            return b""
        self._texts.append(text)
        return b"" if self._waits else self._delta(text)

    def close(self, status: Status) -> bytes:
        written = "".join(self._texts)
        content = items.content_of_call(self._origin, written, self._kind)
        left = content if self._waits or not written else ""
        said: Json = {"input": content}
        if self._origin.kind == "function":
            said = {"name": self._origin.name, "arguments": content}
        return b"".join((
            self._delta(left) if left else b"",
            self._events.write(f"response.{self._event}.done", **self._place, **said),
            self._events.done(self.index, self._item(content, status)),
        ))  # fmt: skip

    def _delta(self, text: str) -> bytes:
        events = self._events
        number = events.number
        events.number = number + 1
        return self._form % (number, _encode(text))

    def _item(self, content: str, status: Status) -> Json:
        return items.call(self._id, self._origin, self._call_id, content, status)
