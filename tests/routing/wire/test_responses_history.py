"""The history in a Responses request: what was said comes back as it was said."""

import json
from typing import Any

import pytest
from hypothesis import given

from accounts.errors import InvalidRequest
from routing.conversation import (
    Audio,
    Block,
    Document,
    HiddenThinking,
    Image,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from tests.routing.wire.responses_speech import (
    TOOLS,
    answers,
    pieces_of,
    said,
    streamed,
)

Json = dict[str, Any]


def test_a_developer_who_speaks_later_keeps_the_place() -> None:
    talk = said(
        {"role": "user", "content": "a"},
        {"role": "developer", "content": "b"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    )

    assert talk.turns == (
        Turn("user", (Text("a"),)),
        Turn("system", (Text("b"),)),
        Turn("assistant", (Refusal("no"),)),
    )


PICTURE = "data:image/png;base64,aGk="
PARTS: list[tuple[Json, Block]] = [
    ({"type": "input_image", "image_url": PICTURE, "detail": "low"},
     Image(media_type="image/png", data="aGk=", detail="low")),
    ({"type": "input_image", "image_url": "https://a.example/b.png"},
     Image(url="https://a.example/b.png")),
    ({"type": "input_file", "file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"},
     Document(media_type="text/plain", data="aGk=", title="a.txt")),
    ({"type": "input_file", "file_data": "aGk=", "filename": "a.pdf"},
     Document(data="aGk=", title="a.pdf")),
    ({"type": "input_file", "file_url": "https://a.example/a.pdf"},
     Document(url="https://a.example/a.pdf")),
    ({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
     Text("a", "5m")),
    ({"type": "input_audio", "input_audio": {"format": "wav", "data": "aGk="}},
     Audio(format="wav", data="aGk=")),
]  # fmt: skip


@pytest.mark.parametrize(("part", "block"), PARTS)
def test_parts_become_blocks(part: Json, block: Block) -> None:
    talk = said({"role": "user", "content": [{"type": "input_text", "text": ""}, part]})

    assert talk.turns[0].blocks == (block,)


def test_a_picture_may_be_the_result_of_a_tool() -> None:
    talk = said(
        {"type": "function_call_output", "call_id": "c",
         "output": [{"type": "input_image", "image_url": PICTURE}]},
    )  # fmt: skip

    (result,) = talk.turns[0].blocks
    assert result == ToolResult(id="c", content=(Image(media_type="image/png", data="aGk="),))


@given(blocks=answers)
def test_a_client_who_sends_an_answer_back_says_what_the_model_said(blocks: list[Block]) -> None:
    output = streamed(pieces_of(blocks, "stop"))[-1]["response"]["output"]
    talk = said({"role": "user", "content": "hi"}, *output, tools=TOOLS)

    returned = [block for turn in talk.turns[1:] for block in turn.blocks]
    assert [_plain(block) for block in returned] == [_plain(block) for block in _merged(blocks)]
    assert len(talk.turns) == (2 if blocks else 1)


def _merged(blocks: list[Block]) -> list[Block]:
    """Texts that follow each other are one in a stream."""
    merged: list[Block] = []
    for block in blocks:
        last = merged[-1] if merged else None
        if isinstance(block, Text | Refusal) and type(last) is type(block):
            merged[-1] = type(block)(last.text + block.text)
        else:
            merged.append(block)
    return merged


def _plain(block: Block) -> Block:
    """Calls as the caller knows them: the input of a custom tool is its text."""
    if not isinstance(block, ToolCall):
        return block
    if block.kind == "custom" or not block.name.endswith("patch"):
        written = block.arguments or "{}"
    else:
        try:
            written = json.loads(block.arguments)["input"]
        except ValueError:
            written = block.arguments
    return ToolCall(id=block.id, name=block.name, arguments=written, signature=block.signature)


def reasoned(**fields: Any) -> tuple[Block, ...]:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], **fields}
    talk = said({"role": "user", "content": "hi"}, item)
    return talk.turns[1].blocks if len(talk.turns) > 1 else ()


@pytest.mark.parametrize(
    "signed",
    [
        HiddenThinking(data="d", signer="anthropic"),
        Thinking(text="hm", signature="c2ln", signer="anthropic"),
        Thinking(text="hm"),
    ],
)
def test_thoughts_come_back_with_what_their_provider_signed(signed: Block) -> None:
    (item,) = streamed(pieces_of([signed], "stop"))[-1]["response"]["output"]

    assert reasoned(**item) == (signed,)


def test_a_signature_does_not_come_back_under_another_text() -> None:
    signed = Thinking(text="hm", signature="c2ln", signer="anthropic")
    (item,) = streamed(pieces_of([signed], "stop"))[-1]["response"]["output"]
    changed = {**item, "summary": [{"type": "summary_text", "text": "changed"}]}

    assert reasoned(**changed) == (Thinking(text="changed"),)


@pytest.mark.parametrize(
    "sealed", ["gAAAAAB", "flo2.1.!!", "flo2.1.W10=", "flo2.1.e30", "flo2.2.x"]
)
def test_what_others_have_sealed_is_dropped_in_silence(sealed: str) -> None:
    summary = [{"type": "summary_text", "text": "theirs"}]

    assert reasoned(summary=summary, encrypted_content=sealed) == ()


def test_thoughts_that_nobody_sealed_are_kept() -> None:
    content = [{"type": "reasoning_text", "text": "hm"}]

    assert reasoned(content=content, encrypted_content=None) == (Thinking(text="hm"),)


QUESTION: Json = {"role": "user", "content": "a"}
CALL: Json = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
RESULT: Json = {"type": "function_call_output", "call_id": "c", "output": "3"}


def reference(item_id: str) -> Json:
    return {"type": "item_reference", "id": item_id}


def test_thoughts_and_what_was_said_before_a_call_may_be_missing_and_that_is_told() -> None:
    talk = said(QUESTION, reference("rs_1"), reference("msg_1"), CALL, RESULT)

    assert [type(block) for turn in talk.turns for block in turn.blocks] == [
        Text, ToolCall, ToolResult,
    ]  # fmt: skip
    assert talk.untranslatable == ("input",)


@pytest.mark.parametrize(
    "items",
    [
        [QUESTION, reference("msg_1"), QUESTION],
        [QUESTION, reference("ctc_1"), RESULT],
        [QUESTION, {"type": "item_reference"}],
    ],
)
def test_an_answer_or_a_call_may_not_be_missing(items: list[Json]) -> None:
    with pytest.raises(InvalidRequest, match="store"):
        said(*items)
