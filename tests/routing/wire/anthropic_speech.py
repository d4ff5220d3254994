"""Streams of Anthropic's dialect, as tests make them, cut them and read them."""

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from billing.usage import Usage
from routing.conversation import Piece
from routing.providers.spec import Quirks
from routing.wire.anthropic.stream import Reader
from tests.routing.sandbox import sse_reader

SAMPLE = (
    Path(__file__).parents[2] / "fixtures" / "providers" / "anthropic" / "stream.sse"
).read_bytes()
PLAIN = Quirks()
COST = Decimal("0.000012")
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
USED = Usage(input_uncached=12, output_visible=25, reasoning=20)


def parts(stream: bytes, cuts: list[int]) -> list[bytes]:
    """The stream in pieces cut at these places."""
    borders = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in pairwise(borders)]


def pieces(stream: bytes, cuts: list[int]) -> list[Piece]:
    reader = Reader(PLAIN)
    found = [piece for part in parts(stream, cuts) for piece in reader.feed(part)]
    return found + reader.end()


def events(stream: bytes) -> list[Any]:
    """An independent reader; every event's name is its type."""
    found = [(event.name, json.loads(event.data)) for event in sse_reader.read(stream)]
    assert all(name == data["type"] for name, data in found)
    return [data for _, data in found]


def message(stream: bytes) -> Message:
    """What the official client makes of a stream, each event parsed strictly."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in sse_reader.read(stream):
        if event.name != "ping":
            parsed = EVENT.validate_json(event.data, strict=True)
            snapshot = accumulate_event(event=parsed, current_snapshot=snapshot, json_bufs=buffers)
    return Message.model_validate_json(snapshot.model_dump_json())


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


START = event(
    "message_start",
    message={"id": "msg_theirs", "type": "message", "role": "assistant", "model": "claude-x",
             "content": [], "usage": {"input_tokens": 43, "output_tokens": 1}},
)  # fmt: skip
TEXT_START = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
STOP = event("message_stop")


def text(said: str) -> bytes:
    delta = {"type": "text_delta", "text": said}
    return event("content_block_delta", index=0, delta=delta)


def end(reason: str = "end_turn", **fields: Any) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None, **fields}
    return event("message_delta", delta=delta, usage={"output_tokens": 7})
