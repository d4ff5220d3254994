"""Whole conversations with the sandbox's Gemini: what we write it takes, what it says we read."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from routing.conversation import (
    Answer,
    Block,
    Conversation,
    Counted,
    Finished,
    Format,
    Image,
    Piece,
    Reasoning,
    SignaturePiece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    Tool,
    ToolBegun,
    ToolCall,
    ToolPiece,
    ToolResult,
    Turn,
)
from routing.providers import loader
from routing.thoughts import Thoughts
from routing.wire.gemini import reply, request, stream
from tests.routing.sandbox import server
from tests.routing.sandbox.server import Sandbox

TENANT = UUID(int=1)
GEMINI = loader.load_all()["gemini"]
OFFERS = {offer.id: offer for offer in GEMINI.models}
MODEL = "gemini-3.7-flash"
KEY = {"x-goog-api-key": "AIza-sandbox"}
WEATHER = Tool(
    name="get_weather",
    schema={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    },
)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with server.running() as running:
        yield running


def post(sandbox: Sandbox, said: Conversation, model: str, *, is_stream: bool) -> httpx.Response:
    offer = OFFERS[model]
    written = request.write_conversation(
        said, model=model, offer=offer, quirks=GEMINI.quirks_of(offer), stream=is_stream
    )
    headers = {**KEY, "content-type": "application/json"}
    path = f"/gemini/v1beta{written.path.decode()}"
    return sandbox.client.post(path, content=written.body, headers=headers)


def whole(sandbox: Sandbox, said: Conversation, model: str = MODEL) -> Answer:
    answer = post(sandbox, said, model, is_stream=False)
    assert answer.status_code == 200, answer.text
    return reply.read_answer(answer.content, GEMINI.quirks)


def streamed(sandbox: Sandbox, said: Conversation, model: str = MODEL) -> Iterator[Piece]:
    answer = post(sandbox, said, model, is_stream=True)
    assert answer.status_code == 200, answer.text
    reader = stream.Reader(GEMINI.quirks)
    for start in range(0, len(answer.content), 61):
        yield from reader.feed(answer.content[start : start + 61])
    yield from reader.end()
    assert reader.model == model


def joined(pieces: Iterator[Piece]) -> Answer:
    """What a stream says in all: an independent way to put pieces together."""
    found = list(pieces)
    text = "".join(piece.text for piece in found if isinstance(piece, TextPiece))
    thoughts = "".join(piece.text for piece in found if isinstance(piece, ThinkingPiece))
    signed = [piece.signature for piece in found if isinstance(piece, SignaturePiece)]
    begun = [piece for piece in found if isinstance(piece, ToolBegun)]
    assert [piece.index for piece in begun] == list(range(len(begun)))
    blocks: list[Block] = []
    if thoughts or signed:
        last = signed[-1] if signed else ""
        blocks.append(Thinking(text=thoughts, signature=last, signer="gemini"))
    if text:
        blocks.append(Text(text))
    for call in begun:
        more = (p.text for p in found if isinstance(p, ToolPiece) and p.index == call.index)
        blocks.append(
            ToolCall(id=call.id, name=call.name, arguments="".join(more), signature=call.signature)
        )
    (end,) = (piece for piece in found if isinstance(piece, Finished))
    usage = [piece.usage for piece in found if isinstance(piece, Counted)][-1]
    return Answer(blocks=tuple(blocks), finish=end.finish, model=MODEL, usage=usage)


def without_chance(answer: Answer) -> Any:
    """An answer but for what each new answer has of its own: ids, signatures, the cache."""
    blocks = [
        msgspec.structs.replace(block, signature="signed" if block.signature else "")
        if isinstance(block, Thinking | ToolCall)
        else block
        for block in answer.blocks
    ]
    named = [
        msgspec.structs.replace(block, id="id") if isinstance(block, ToolCall) else block
        for block in blocks
    ]
    usage = answer.usage
    assert usage is not None
    figures = (usage.input_tokens, usage.output_visible, usage.reasoning)
    return named, answer.finish, answer.model, figures


def asked(text: str, *more: Block, **fields: Any) -> Conversation:
    return Conversation(turns=(Turn("user", (Text(text), *more)),), **fields)


ASKED = {
    "text": asked("Say hello.", system=(Text("Be kind."),)),
    "thoughts": asked("Say hello.", reasoning=Reasoning(effort="high")),
    "tool": asked("Call the tool", tools=(WEATHER,)),
    "parallel": asked("Call the tool in parallel", tools=(WEATHER,)),
    "json": asked("Say hello.", format=Format(kind="json_schema", schema=WEATHER.schema)),
    "image": asked("What is this?", Image(media_type="image/png", data=PIXEL)),
    "length": asked("Say hello.", max_tokens=5000, stop=("never",), seed=3),
}


@pytest.mark.parametrize("name", ASKED)
def test_streamed_and_whole_answers_agree(sandbox: Sandbox, name: str) -> None:
    first = whole(sandbox, ASKED[name])
    second = joined(streamed(sandbox, ASKED[name]))
    assert first.blocks
    assert without_chance(first) == without_chance(second)


def test_what_was_asked_for_is_what_comes(sandbox: Sandbox) -> None:
    thoughtful = whole(sandbox, ASKED["thoughts"])
    assert isinstance(thoughtful.blocks[0], Thinking)
    assert thoughtful.blocks[0].text
    parallel = whole(sandbox, ASKED["parallel"])
    assert parallel.finish == "tool_calls"
    assert sum(isinstance(block, ToolCall) for block in parallel.blocks) == 2
    (text,) = (block for block in whole(sandbox, ASKED["json"]).blocks if isinstance(block, Text))
    assert "city" in json.loads(text.text)
    seen = whole(sandbox, ASKED["image"]).usage
    assert seen is not None
    assert seen.image_in > 0


def test_a_small_maximum_still_gets_a_word(sandbox: Sandbox) -> None:
    for model in (MODEL, "gemini-2.5-flash", "gemini-2.5-pro"):
        answer = whole(sandbox, asked("Say hello.", max_tokens=3), model)
        assert any(isinstance(block, Text) for block in answer.blocks)


def next_turn(calls: list[ToolCall]) -> Conversation:
    """What a client of another dialect sends next: the calls as it knows them, and results."""
    known = tuple(msgspec.structs.replace(call, signature="") for call in calls)
    results = tuple(ToolResult(id=call.id, content=(Text("4 C"),)) for call in calls)
    question = ASKED["parallel"].turns[0]
    turns = (question, Turn("assistant", known), Turn("user", results))
    return Conversation(turns=turns, tools=(WEATHER,))


@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_signatures_that_the_client_dropped_come_back(sandbox: Sandbox, is_stream: bool) -> None:
    thoughts = Thoughts()
    if is_stream:
        collector = thoughts.collector(TENANT, "gemini")
        pieces = list(streamed(sandbox, ASKED["parallel"]))
        for piece in pieces:
            collector.see(piece)
        answer = joined(iter(pieces))
    else:
        answer = whole(sandbox, ASKED["parallel"])
        thoughts.remember(TENANT, answer.blocks, signer="gemini")
    calls = [block for block in answer.blocks if isinstance(block, ToolCall)]
    assert calls[0].signature

    restored = thoughts.restore(next_turn(calls), tenant=TENANT, signer="gemini")

    assert restored.turns[1].blocks == tuple(calls)
    after = whole(sandbox, restored)
    assert after.finish == "stop"
    assert any(isinstance(block, Text) and "4 C" in block.text for block in after.blocks)


def test_calls_that_nobody_signed_are_taken_too(sandbox: Sandbox) -> None:
    said = next_turn([ToolCall(id="toolu_1", name="get_weather", arguments='{"city": "Oslo"}')])
    assert whole(sandbox, said).finish == "stop"


def test_the_sandbox_would_refuse_a_call_without_any_signature(sandbox: Sandbox) -> None:
    said = next_turn([ToolCall(id="toolu_1", name="get_weather", arguments='{"city": "Oslo"}')])
    offer = OFFERS["gemini-2.5-flash"]  # whose quirks ask for no signature
    written = request.write_conversation(
        said, model=MODEL, offer=offer, quirks=GEMINI.quirks_of(offer), stream=False
    )
    path = f"/gemini/v1beta{written.path.decode()}"
    answer = sandbox.client.post(path, content=written.body, headers=KEY)
    assert answer.status_code == 400
    assert "thought_signature" in answer.text
