"""A streamed message: named events, blocks one after the other, no `[DONE]`."""

from collections.abc import Iterator
from typing import Any

import msgspec

from routing.sandbox.answers import Frame, Kind
from routing.sandbox.dialects.messages import signatures
from routing.sandbox.dialects.messages.reply import REASONS, head, tool_use, usage
from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.counting import pieces
from routing.sandbox.writing.draft import Call

_STATIC = ("service_tier", "inference_geo")  # told once, at the start
_CALL_PIECE = 12  # characters of arguments per event


def frames(told: Told) -> Iterator[Frame]:
    """The events in their order."""
    yield _event("message_start", Kind.OPENING, message=_opening(told))
    yield _event("ping", Kind.OPENING)
    for number, events in enumerate(_blocks(told)):
        yield from events(number)
    choice = told.choice
    delta = {"stop_reason": REASONS[choice.finish], "stop_sequence": choice.stop}
    final = {key: value for key, value in usage(told).items() if key not in _STATIC}
    yield _event("message_delta", Kind.CLOSING, delta=delta, usage=final)
    yield _event("message_stop", Kind.CLOSING)


def _opening(told: Told) -> Json:
    """The message before anything is written: its input is counted, its output is about to be."""
    figures = usage(told)
    del figures["output_tokens_details"]
    return {
        **head(told),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**figures, "output_tokens": 1},
    }


def _blocks(told: Told) -> Iterator[Any]:
    """One function per block, which writes its events under a number."""
    choice = told.choice
    if choice.thoughts:
        yield lambda number: _thinking(told, number)
    if choice.text:
        yield lambda number: _text(choice.text, number)
    for call in choice.calls:
        yield lambda number, call=call: _call(told, call, number)


def _thinking(told: Told, number: int) -> Iterator[Frame]:
    choice = told.choice
    hidden = 0 if told.shown_thoughts else choice.thought_tokens
    block = {"type": "thinking", "thinking": "", "signature": ""}
    yield _start(number, block)._replace(tokens=hidden)
    for piece in pieces(told.shown_thoughts):
        yield _delta(number, {"type": "thinking_delta", "thinking": piece}, tokens=1)
    signature = signatures.of(choice.thoughts)
    yield _delta(number, {"type": "signature_delta", "signature": signature}, Kind.OPENING)
    yield _stop(number)


def _text(text: str, number: int) -> Iterator[Frame]:
    yield _start(number, {"type": "text", "text": ""})
    for piece in pieces(text):
        yield _delta(number, {"type": "text_delta", "text": piece}, tokens=1)
    yield _stop(number)


def _call(told: Told, call: Call, number: int) -> Iterator[Frame]:
    """Arguments come in pieces, the first of them empty; for no arguments at all only that one."""
    yield _start(number, {**tool_use(told, call), "input": {}})
    arguments = "" if call.arguments == "{}" else call.arguments
    parts = [arguments[at : at + _CALL_PIECE] for at in range(0, len(arguments), _CALL_PIECE)]
    tokens = [call.tokens, *([0] * len(parts))]
    for part, count in zip(["", *parts], tokens, strict=True):
        yield _delta(number, {"type": "input_json_delta", "partial_json": part}, tokens=count)
    yield _stop(number)


def _start(number: int, block: Json) -> Frame:
    return _event("content_block_start", Kind.OPENING, index=number, content_block=block)


def _delta(number: int, delta: Json, kind: Kind = Kind.CONTENT, tokens: int = 0) -> Frame:
    frame = _event("content_block_delta", kind, index=number, delta=delta)
    return frame._replace(tokens=tokens)


def _stop(number: int) -> Frame:
    return _event("content_block_stop", Kind.OPENING, index=number)


def _event(name: str, kind: Kind, /, **fields: Any) -> Frame:
    data = msgspec.json.encode({"type": name, **fields})
    return Frame(b"event: %b\ndata: %b\n\n" % (name.encode(), data), kind)
