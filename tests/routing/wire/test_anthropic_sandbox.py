"""What is written for Anthropic is taken by its sandbox, and what that answers is understood."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from routing.conversation import (
    Answer,
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
    ToolChoice,
    ToolPiece,
    ToolResult,
    Turn,
)  # fmt: skip
from routing.providers import loader
from routing.wire.anthropic import reply, request
from routing.wire.anthropic.stream import Reader
from tests.routing.sandbox import server
from tests.routing.sandbox.server import Sandbox

PROVIDER = loader.load_all()["anthropic"]
OFFERS = {model.id: model for model in PROVIDER.models}
KEY = {"x-api-key": "sandbox-key-1234", **PROVIDER.headers}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "minLength": 2}},
          "required": ["city"]}  # fmt: skip
WEATHER = Tool(name="get_weather", schema=SCHEMA)
DOTTED = Tool(name="weather.get", schema=SCHEMA)
SCRIPT = Tool(name="run_script", kind="custom", description="Runs a script.")
HI = Turn("user", (Text("Use the tool in parallel."),))
PAST = (
    HI,
    Turn("assistant", (Text("Wait."), ToolCall(id="f.0", name="get_weather", arguments="{}"),
                       ToolCall(id="f.1", name="get_weather", arguments=""))),
    Turn("user", (ToolResult(id="f.1", content=(Text("4 C"),)),)),
    Turn("system", (Text("Be brief."),)),
)  # fmt: skip
CONVERSATIONS = {
    "plain": Conversation(turns=(HI,), temperature=0.3, top_p=0.9, top_k=3, stop=("END", " ")),
    "tools": Conversation(turns=PAST, tools=(WEATHER,), system=(Text("s", "5m"),)),
    "forced": Conversation(
        turns=(HI,), tools=(WEATHER,), tool_choice=ToolChoice(mode="named", name="get_weather"),
        reasoning=Reasoning(effort="high"),
    ),
    "dotted": Conversation(
        turns=(HI,), tools=(DOTTED,), tool_choice=ToolChoice(mode="required", parallel=False)
    ),
    "custom": Conversation(turns=(HI,), tools=(SCRIPT,), tool_choice=ToolChoice(mode="required")),
    "history without tools": Conversation(turns=PAST),
    "thinking": Conversation(turns=(HI,), reasoning=Reasoning(effort="high"), temperature=0.2),
    "budget": Conversation(turns=PAST, tools=(WEATHER,), reasoning=Reasoning(budget=3000)),
    "not thinking": Conversation(turns=(HI,), reasoning=Reasoning(is_off=True)),
    "schema": Conversation(turns=(HI,), format=Format(kind="json_schema", schema=SCHEMA)),
    "schema and tools": Conversation(
        turns=PAST, tools=(WEATHER,), format=Format(kind="json_schema", schema=SCHEMA)
    ),
    "json": Conversation(turns=(HI,), format=Format(kind="json")),
    "image": Conversation(turns=(Turn("user", (Image(data="iVBORw0KGgo="), Text("?"))),)),
    "beginning": Conversation(turns=(HI, Turn("assistant", (Text("It is "),)))),
    "system alone": Conversation(turns=(), system=(Text("s"),)),
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with server.running() as running:
        yield running


def ask(sandbox: Sandbox, conversation: Conversation, model: str, *, stream: bool) -> bytes:
    offer = OFFERS[model]
    quirks = PROVIDER.quirks_of(offer)
    written = request.write_conversation(
        conversation, model=model, offer=offer, quirks=quirks, stream=stream
    )
    path = f"/anthropic/v1{written.path.decode()}"
    answer = sandbox.client.post(path, content=written.body, headers=KEY)
    assert answer.status_code == 200, answer.text
    return answer.content


def answer_to(sandbox: Sandbox, name: str, model: str) -> Answer:
    raw = ask(sandbox, CONVERSATIONS[name], model, stream=False)
    return reply.read_answer(raw, PROVIDER.quirks)


def gathered(raw: bytes) -> tuple[str, str, list[Any], list[Piece]]:
    """Text, thoughts, calls (name, arguments) and all pieces of a stream."""
    reader = Reader(PROVIDER.quirks)
    pieces = reader.feed(raw) + reader.end()
    assert reader.is_done
    text = "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))
    thoughts = "".join(piece.text for piece in pieces if isinstance(piece, ThinkingPiece))
    calls = [[piece.name, ""] for piece in pieces if isinstance(piece, ToolBegun)]
    for piece in pieces:
        if isinstance(piece, ToolPiece):
            calls[piece.index][1] += piece.text
    return text, thoughts, calls, pieces


@pytest.mark.parametrize("model", OFFERS)
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_model_takes_every_conversation(sandbox: Sandbox, name: str, model: str) -> None:
    found = answer_to(sandbox, name, model)
    assert found.blocks
    assert found.usage


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-haiku-4-5", "claude-sonnet-4-0"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_stream_says_what_the_whole_answer_says(sandbox: Sandbox, name: str, model: str) -> None:
    whole = answer_to(sandbox, name, model)
    raw = ask(sandbox, CONVERSATIONS[name], model, stream=True)
    text, thoughts, calls, pieces = gathered(raw)
    assert text == "".join(block.text for block in whole.blocks if isinstance(block, Text))
    assert thoughts == "".join(b.text for b in whole.blocks if isinstance(b, Thinking))
    assert [(name, json.loads(given) if given.startswith("{") else given)
            for name, given in calls] == [
        (block.name, json.loads(block.arguments) if block.arguments.startswith("{")
         else block.arguments)
        for block in whole.blocks if isinstance(block, ToolCall)
    ]  # fmt: skip
    ends = [piece for piece in pieces if isinstance(piece, Finished)]
    assert [end.finish for end in ends] == [whole.finish]
    counted = [piece.usage for piece in pieces if isinstance(piece, Counted)]
    assert counted[-1] is not None
    assert whole.usage is not None
    assert counted[-1].output_tokens == whole.usage.output_tokens
    assert counted[-1].input_tokens == whole.usage.input_tokens


def test_a_tools_own_name_comes_back(sandbox: Sandbox) -> None:
    calls = [b for b in answer_to(sandbox, "dotted", "claude-sonnet-5").blocks
             if isinstance(b, ToolCall)]  # fmt: skip
    assert [(call.name, call.kind) for call in calls] == [("weather.get", "function")]


def test_the_input_of_a_custom_tool_comes_back_as_free_text(sandbox: Sandbox) -> None:
    calls = [b for b in answer_to(sandbox, "custom", "claude-sonnet-5").blocks
             if isinstance(b, ToolCall)]  # fmt: skip
    assert {(call.name, call.kind) for call in calls} == {("run_script", "custom")}
    assert not calls[0].arguments.startswith("{")


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-sonnet-4-0"])
def test_a_json_answer_is_a_text_natively_and_by_a_tool(sandbox: Sandbox, model: str) -> None:
    found = answer_to(sandbox, "schema", model)
    (text,) = (block.text for block in found.blocks if isinstance(block, Text))
    assert set(json.loads(text)) == {"city"}
    assert found.finish == "stop"


def test_thoughts_come_signed_and_are_taken_back(sandbox: Sandbox) -> None:
    found = answer_to(sandbox, "thinking", "claude-sonnet-5")
    thoughts = [block for block in found.blocks if isinstance(block, Thinking)]
    assert thoughts[0].signer == "anthropic"
    assert thoughts[0].signature
    again = Conversation(turns=(HI, Turn("assistant", found.blocks), HI),
                         reasoning=Reasoning(effort="low"))  # fmt: skip
    raw = ask(sandbox, again, "claude-sonnet-5", stream=True)
    assert any(isinstance(piece, SignaturePiece) for piece in gathered(raw)[3])
