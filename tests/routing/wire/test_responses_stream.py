"""Streams of the Responses dialect: OpenAI's own readers take every event, and nothing is lost."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState

from billing.usage import Usage
from routing.conversation import (
    Answer,
    Block,
    Counted,
    Finish,
    Finished,
    HiddenPiece,
    Piece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
)
from routing.wire.responses import reply
from routing.wire.responses.stream import Writer
from tests.routing.wire.responses_speech import (
    COST,
    USAGE,
    answers,
    begun,
    check_event,
    content_of,
    envelope,
    pieces_of,
    rebuilt,
    streamed,
)

FINISHES: list[Finish] = ["stop", "length", "tool_calls", "content_filter"]


def whole(blocks: list[Block], finish: Finish) -> Any:
    answer = Answer(blocks=tuple(blocks), finish=finish)
    return json.loads(reply.write_answer(answer, envelope=envelope(), usage=USAGE, cost=COST))


def kinds(events: list[Any]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


@given(blocks=answers, finish=st.sampled_from(FINISHES), size=st.integers(1, 9))
def test_a_stream_ends_in_the_answer_that_a_call_without_stream_gets(
    blocks: list[Block], finish: Finish, size: int
) -> None:
    events = streamed(pieces_of(blocks, finish, size))

    assert events[-1]["response"] == whole(blocks, finish)


@given(blocks=answers, finish=st.sampled_from(FINISHES))
def test_every_event_satisfies_the_schema_and_the_sdk_and_numbers_rise(
    blocks: list[Block], finish: Finish
) -> None:
    events = streamed(pieces_of(blocks, finish))

    for event in events:
        check_event(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@given(blocks=answers)
def test_the_sdk_gathers_the_answer_from_the_events(blocks: list[Block]) -> None:
    events = streamed(pieces_of(blocks, "stop"))
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for event in events:
        state.handle_event(check_event(event))

    gathered = state._completed_response
    assert gathered is not None
    ids = [item["id"] for item in gathered.model_dump()["output"]]
    assert ids == [item["id"] for item in whole(blocks, "stop")["output"]]


@given(blocks=answers, size=st.integers(1, 9))
def test_pieces_and_finished_items_add_up_to_the_answer(blocks: list[Block], size: int) -> None:
    events = streamed(pieces_of(blocks, "stop", size))
    output = whole(blocks, "stop")["output"]

    done = {e["output_index"]: e["item"] for e in events if kinds([e]) == ["output_item.done"]}
    assert [done[place] for place in sorted(done)] == output
    said = {place: content_of(item) for place, item in enumerate(output) if content_of(item)}
    assert rebuilt(events) == said


CALLS = [
    ToolCall(id="call_1", name="weather", arguments='{"n": 1, "city": "Oslo"}'),
    ToolCall(id="call_2", name="files__read", arguments='{"n":2}'),
    ToolCall(id="call_3", name="apply_patch", arguments='{"input": "*** Begin Patch\\n"}'),
]


@given(order=st.permutations([index for index, call in enumerate(CALLS) for _ in call.arguments]))
def test_calls_whose_pieces_are_shuffled_into_each_other_come_out_apart(order: list[int]) -> None:
    letters = [iter(call.arguments) for call in CALLS]
    pieces: list[Piece] = [begun(call, index) for index, call in enumerate(CALLS)]
    pieces += [ToolPiece(index, next(letters[index])) for index in order]

    assert streamed([*pieces, Finished("tool_calls")])[-1]["response"] == whole(
        list(CALLS), "tool_calls"
    )


def test_events_come_in_the_documented_order() -> None:
    events = streamed(
        [
            ThinkingPiece("Hm."),
            TextPiece("Hi"),
            ToolBegun(index=0, id="call_1", name="weather"),
            ToolPiece(0, '{"n":1}'),
            Finished("tool_calls"),
            Counted(Usage()),
        ]
    )

    assert kinds(events) == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip


def test_a_text_and_a_refusal_are_parts_of_one_message() -> None:
    events = streamed([TextPiece("Well, "), RefusalPiece("no"), Finished("stop")])

    (message,) = events[-1]["response"]["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert [e["content_index"] for e in events if kinds([e])[0].endswith("delta")] == [0, 1]


@pytest.mark.parametrize(
    ("pieces", "last"),
    [
        ([TextPiece("half"), Finished("length")], "incomplete"),
        ([TextPiece("all"), Finished("stop")], "completed"),
        ([TextPiece("all")], "completed"),
        ([], "completed"),
    ],
)
def test_a_stream_ends_with_its_state(pieces: list[Piece], last: str) -> None:
    events = streamed(pieces)

    assert kinds(events)[:2] == ["created", "in_progress"]
    assert kinds(events)[-1] == last
    assert events[-1]["response"]["status"] == last
    assert {item["status"] for item in events[-1]["response"]["output"]} <= {last}


def test_nothing_is_written_before_something_was_said() -> None:
    writer = Writer(envelope())

    assert writer.write(TextPiece("")) == b""
    assert writer.write(Counted(USAGE)) == b""
    assert writer.write(TextPiece("a")).startswith(b"event: response.created\n")
    assert b"response.created" not in writer.write(TextPiece("b"))


def test_the_input_of_a_custom_tool_is_told_at_once_and_decoded() -> None:
    patch = '*** Begin Patch\n+ "ü"'
    call = ToolCall(id="c", name="files__patch", arguments=json.dumps({"input": patch}))
    events = streamed(pieces_of([call], "tool_calls", size=2))

    deltas = [e["delta"] for e in events if kinds([e]) == ["custom_tool_call_input.delta"]]
    assert deltas == [patch]
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["namespace"], item["name"], item["input"]) == (
        "custom_tool_call", "files", "patch", patch,
    )  # fmt: skip


def test_the_free_text_of_a_custom_tool_flows_as_it_comes() -> None:
    call = ToolCall(id="c", name="apply_patch", arguments='{"input": 1}', kind="custom")
    events = streamed(pieces_of([call], "tool_calls", size=5))

    deltas = [e["delta"] for e in events if kinds([e]) == ["custom_tool_call_input.delta"]]
    assert len(deltas) > 1
    assert "".join(deltas) == events[-1]["response"]["output"][0]["input"] == '{"input": 1}'


def test_a_signature_without_thoughts_and_hidden_thoughts_have_items_without_a_text() -> None:
    pieces: list[Piece] = [
        TextPiece("a"), SignaturePiece("sig", "gemini"), HiddenPiece("data", "anthropic"),
    ]  # fmt: skip
    output = streamed(pieces)[-1]["response"]["output"]

    assert [item["type"] for item in output] == ["message", "reasoning", "reasoning"]
    assert all(item["summary"] == [] and item["encrypted_content"] for item in output[1:])
