"""What the tests of the Responses dialect share: requests, blocks as pieces, two strict readers.

The readers are OpenAI's own: the published schema (null allowed for optional fields) and the types
of the Python SDK.
"""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from billing.usage import Usage
from routing.conversation import (
    Block,
    Conversation,
    Finish,
    Finished,
    HiddenPiece,
    HiddenThinking,
    Piece,
    Refusal,
    RefusalPiece,
    SignaturePiece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
)
from routing.wire.responses import request as requests
from routing.wire.responses.stream import Writer
from routing.wire.sides import Envelope
from tests.routing.wire import official

Json = dict[str, Any]

USAGE = Usage(input_uncached=5, cache_read=3, cache_write_1h=2, output_visible=7, reasoning=4)
COST = Decimal("0.000012")
NUMBERED = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOLS: list[Json] = [
    {"type": "function", "name": "weather", "parameters": NUMBERED, "strict": False},
    {"type": "namespace", "name": "files", "description": "Files.", "tools": [
        {"type": "function", "name": "read", "parameters": NUMBERED},
        {"type": "custom", "name": "patch"},
    ]},
    {"type": "custom", "name": "apply_patch", "description": "Edits.", "format": {
        "type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
    {"type": "web_search", "external_web_access": True},
]  # fmt: skip
REQUEST: Json = {
    "model": "m",
    "input": "hi",
    "tools": TOOLS,
    "include": ["reasoning.encrypted_content"],
}

_read_response = TypeAdapter(Response).validate_python
_read_event = TypeAdapter[Any](ResponseStreamEvent).validate_python


def envelope(request: Json = REQUEST) -> Envelope:
    return Envelope(
        body_id="resp_0Abc", model="vendor-model", created=1_795_000_000, request=request
    )


def conversed(body: Json) -> Conversation:
    return requests.converse(requests.read(json.dumps(body).encode()))


def asked(**fields: Any) -> Conversation:
    return conversed({"model": "m", "input": "hi", **fields})


def said(*items: Json, **fields: Any) -> Conversation:
    return asked(input=list(items), **fields)


# Strict readers --------------------------------------------------------------------------------


@cache
def _schema_of_events() -> dict[str, str]:
    """The name of the schema of each type of event."""
    kinds = {}
    for option in official.definitions()["ResponseStreamEvent"]["anyOf"]:
        name = option["$ref"].rpartition("/")[2]
        properties = official.definitions()[name].get("properties", {})
        for kind in properties.get("type", {}).get("enum", []):
            kinds[kind] = name
    return kinds


def check_response(response: Json) -> None:
    """A whole answer must be one for the schema and for the SDK."""
    official.validate("Response", response)
    _read_response(response)


def check_event(event: Json) -> Any:
    """An event must be one for the schema and for the SDK; as the SDK reads it."""
    official.validate(_schema_of_events()[event["type"]], event)
    return _read_event(event)


# Streams ---------------------------------------------------------------------------------------


def events_of(stream: bytes) -> list[Json]:
    """An independent reader: each block has a name and data that agree."""
    events = []
    for block in stream.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def streamed(pieces: Iterable[Piece], request: Json = REQUEST) -> list[Json]:
    writer = Writer(envelope(request))
    written = b"".join(writer.write(piece) for piece in pieces)
    return events_of(written + writer.close(USAGE, COST))


def pieces_of(blocks: Iterable[Block], finish: Finish, size: int = 3) -> Iterator[Piece]:
    """The pieces in which a provider would stream these blocks."""
    calls = 0
    for block in blocks:
        if isinstance(block, Text):
            yield from (TextPiece(part) for part in _cut(block.text, size))
        elif isinstance(block, Refusal):
            yield from (RefusalPiece(part) for part in _cut(block.text, size))
        elif isinstance(block, HiddenThinking):
            yield HiddenPiece(block.data, block.signer)
        elif isinstance(block, Thinking):
            yield from (ThinkingPiece(part) for part in _cut(block.text, size))
            if block.signature:
                yield SignaturePiece(block.signature, block.signer)
        elif isinstance(block, ToolCall):
            yield begun(block, calls)
            yield from (ToolPiece(calls, part) for part in _cut(block.arguments, size))
            calls += 1
    yield Finished(finish)


def begun(call: ToolCall, index: int) -> ToolBegun:
    return ToolBegun(
        index=index, id=call.id, name=call.name, kind=call.kind, signature=call.signature
    )


def _cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def rebuilt(events: Iterable[Json]) -> dict[int, str]:
    """What the pieces of each item add up to, by the item's place."""
    found: dict[int, str] = {}
    for event in events:
        if event["type"].endswith(".delta"):
            place = event["output_index"]
            found[place] = found.get(place, "") + event["delta"]
    return found


def content_of(item: Json) -> str:
    """What an item says, whatever it is."""
    if item["type"] == "message":
        return "".join(part.get("text", part.get("refusal")) for part in item["content"])
    if item["type"] == "reasoning":
        return "".join(part["text"] for part in item["summary"])
    return str(item.get("arguments", item.get("input")))


# Answers ---------------------------------------------------------------------------------------

_said = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_ids = st.integers(0, 10**6).map(lambda number: f"call_{number}")
_signatures = st.sampled_from(["", "c2lnbmVk"])
_calls = st.one_of(
    st.builds(
        ToolCall,
        id=_ids,
        name=st.sampled_from(["weather", "files__read", "unknown"]),
        arguments=st.sampled_from(["", "{}", '{"n": 1}', '{"n":1,"ü":"%d"}']),
        signature=_signatures,
    ),
    st.builds(
        ToolCall,
        id=_ids,
        name=st.sampled_from(["apply_patch", "files__patch"]),
        arguments=_said.map(lambda text: json.dumps({"input": text})) | st.just('{"input": "cut'),
    ),
    st.builds(
        ToolCall,
        id=_ids,
        name=st.just("apply_patch"),
        arguments=_said,
        kind=st.just("custom"),
    ),
)
_blocks = st.one_of(
    st.builds(Text, _said),
    st.builds(Refusal, _said),
    st.builds(Thinking, text=_said, signature=st.just("c2ln"), signer=st.just("anthropic")),
    st.builds(HiddenThinking, data=_said, signer=st.just("anthropic")),
    _calls,
)
answers = st.builds(
    lambda first, rest: rest if rest and isinstance(rest[0], Thinking) else [*first, *rest],
    st.lists(st.builds(Thinking, text=_said), max_size=1),  # unsigned: no others may follow them
    st.lists(_blocks, max_size=6, unique_by=lambda block: getattr(block, "id", id(block))),
)
