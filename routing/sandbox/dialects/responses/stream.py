"""A streamed response: named and numbered events, item after item, no `[DONE]`."""

from collections.abc import Iterator
from typing import Any

import msgspec

from routing.sandbox.answers import Frame, Kind
from routing.sandbox.dialects.responses.reply import (
    call_item,
    message_item,
    reasoning_item,
    text_part,
    under_way,
    write,
)
from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.counting import pieces
from routing.sandbox.writing.draft import Call

_ARGUMENTS = {False: "function_call_arguments", True: "custom_tool_call_input"}
_CALL_PIECE = 12  # characters of arguments per event


def frames(told: Told) -> Iterator[Frame]:
    """The events in their order."""
    return _Writer(told).all()


class _Writer:
    """Numbers the events of one response, and counts its items."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._number = 0
        self._item = 0

    def all(self) -> Iterator[Frame]:
        told = self._told
        for name in ("response.created", "response.in_progress"):
            yield self._event(name, Kind.OPENING, response=under_way(told))
        if told.choice.thoughts:
            yield from self._reasoning()
        if told.choice.text:
            yield from self._message()
        for call in told.choice.calls:
            yield from self._call(call)
        final = write(told)
        yield self._event(f"response.{final['status']}", Kind.CLOSING, response=final)

    def _reasoning(self) -> Iterator[Frame]:
        told, shown = self._told, self._told.shown_thoughts
        hidden = 0 if shown else told.choice.thought_tokens
        opened = reasoning_item(told, is_done=False)
        yield self._added(opened)._replace(tokens=hidden)
        if shown:
            place = {"item_id": opened["id"], "output_index": self._item, "summary_index": 0}
            part = "response.reasoning_summary_part"
            text = "response.reasoning_summary_text"
            empty, full = _summary(""), _summary(shown)
            yield self._event(f"{part}.added", Kind.OPENING, **place, part=empty)
            for piece in pieces(shown):
                frame = self._event(f"{text}.delta", **place, delta=piece)
                yield frame._replace(tokens=1)
            yield self._event(f"{text}.done", Kind.OPENING, **place, text=shown)
            yield self._event(f"{part}.done", Kind.OPENING, **place, part=full)
        yield self._done(reasoning_item(told))

    def _message(self) -> Iterator[Frame]:
        told, text = self._told, self._told.choice.text
        opened = message_item(told, status="in_progress")
        yield self._added(opened)
        place = {"item_id": opened["id"], "output_index": self._item, "content_index": 0}
        yield self._event("response.content_part.added", Kind.OPENING, **place, part=text_part(""))
        for piece in pieces(text):
            frame = self._event("response.output_text.delta", **place, delta=piece, logprobs=[])
            yield frame._replace(tokens=1)
        done = "response.output_text.done"
        yield self._event(done, Kind.OPENING, **place, text=text, logprobs=[])
        yield self._event("response.content_part.done", Kind.OPENING, **place, part=text_part(text))
        yield self._done(message_item(told, status="completed", text=text))

    def _call(self, call: Call) -> Iterator[Frame]:
        told, written = self._told, call.arguments
        opened = call_item(told, call, "", "in_progress")
        yield self._added(opened)._replace(tokens=call.tokens)
        place = {"item_id": opened["id"], "output_index": self._item}
        name = f"response.{_ARGUMENTS[call.is_custom]}"
        for at in range(0, len(written), _CALL_PIECE):
            yield self._event(f"{name}.delta", **place, delta=written[at : at + _CALL_PIECE])
        whole: Json = (
            {"input": written} if call.is_custom else {"name": call.name, "arguments": written}
        )
        yield self._event(f"{name}.done", Kind.OPENING, **place, **whole)
        yield self._done(call_item(told, call, written, "completed"))

    def _added(self, item: Json) -> Frame:
        name = "response.output_item.added"
        return self._event(name, Kind.OPENING, output_index=self._item, item=item)

    def _done(self, item: Json) -> Frame:
        name = "response.output_item.done"
        frame = self._event(name, Kind.OPENING, output_index=self._item, item=item)
        self._item += 1
        return frame

    def _event(self, name: str, kind: Kind = Kind.CONTENT, /, **fields: Any) -> Frame:
        data = msgspec.json.encode({"type": name, "sequence_number": self._number, **fields})
        self._number += 1
        return Frame(b"event: %b\ndata: %b\n\n" % (name.encode(), data), kind)


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}
