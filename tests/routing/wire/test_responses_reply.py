"""Answers and errors of the Responses dialect: whole, strict, and with what the request said."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids
from accounts.errors import GatewayError, InvalidApiKey, InvalidRequest, Unavailable
from routing.conversation import Answer, Block, Finish, Refusal, Text, Thinking, ToolCall
from routing.wire.responses import errors, reply
from tests.routing.wire.responses_speech import (
    COST,
    REQUEST,
    TOOLS,
    USAGE,
    answers,
    check_event,
    check_response,
    envelope,
    events_of,
)

Json = dict[str, Any]


def written(blocks: list[Block], finish: Finish = "stop", request: Json = REQUEST) -> Any:
    answer = Answer(blocks=tuple(blocks), finish=finish)
    sent = reply.write_answer(answer, envelope=envelope(request), usage=USAGE, cost=COST)
    return json.loads(sent)


@given(blocks=answers, finish=st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
def test_every_answer_satisfies_the_schema_and_the_sdk(blocks: list[Block], finish: Finish) -> None:
    check_response(written(blocks, finish))


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_why_it_ended_is_told_by_status(finish: Finish, status: str, details: Any) -> None:
    answer = written([Text("a"), Refusal("no")], finish)

    assert (answer["status"], answer["incomplete_details"]) == (status, details)
    (message,) = answer["output"]
    assert message["status"] == status
    assert message["content"][1] == {"type": "refusal", "refusal": "no"}


def test_usage_has_both_details_and_our_cost() -> None:
    assert written([])["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "output_tokens": 11,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 21,
        "cost": 0.000012,
    }


def test_an_unknown_cost_is_null() -> None:
    answer = Answer(blocks=(), finish="stop")
    sent = reply.write_answer(answer, envelope=envelope(), usage=USAGE, cost=None)

    assert json.loads(sent)["usage"]["cost"] is None


def test_calls_come_back_under_the_callers_names_and_kinds() -> None:
    output = written(
        [
            ToolCall(id="1", name="files__read", arguments='{"n": 1}'),
            ToolCall(id="2", name="files__patch", arguments='{"input":"x"}'),
            ToolCall(id="3", name="apply_patch", arguments='{"input":"y"}', kind="custom"),
            ToolCall(id="4", name="weather", arguments=""),
        ]
    )["output"]

    named = [(call["type"], call.get("namespace"), call["name"]) for call in output]
    assert named == [
        ("function_call", "files", "read"),
        ("custom_tool_call", "files", "patch"),
        ("custom_tool_call", None, "apply_patch"),
        ("function_call", None, "weather"),
    ]
    said = [call.get("arguments", call.get("input")) for call in output]
    assert said == ['{"n": 1}', "x", '{"input":"y"}', "{}"]


def test_ids_are_those_of_their_kind_and_each_its_own() -> None:
    output = written(
        [
            Thinking(text="hm"),
            Text("a"),
            ToolCall(id="1", name="weather", arguments="{}"),
            ToolCall(id="2", name="apply_patch", arguments="x", kind="custom"),
        ]
    )["output"]

    assert [item["id"].partition("_")[0] for item in output] == ["rs", "msg", "fc", "ctc"]
    assert len({item["id"].partition("_")[2] for item in output}) == 4


def test_thoughts_without_a_signature_carry_a_token_only_where_it_is_asked_for() -> None:
    silent = {**REQUEST, "include": []}
    blocks: list[Block] = [Thinking(text="hm")]

    assert written(blocks)["output"][0]["encrypted_content"]
    assert written(blocks, request=silent)["output"][0]["encrypted_content"] is None


def test_thoughts_that_their_provider_signed_always_carry_a_token() -> None:
    signed = Thinking(text="hm", signature="c2ln", signer="anthropic")
    (item,) = written([signed], request={"include": []})["output"]

    assert item["encrypted_content"].startswith("flo2.1.")


def test_the_request_is_repeated_as_far_as_it_was_in_force() -> None:
    request = {
        **REQUEST, "instructions": "Be brief.", "max_output_tokens": 64, "temperature": 0.5,
        "top_p": 0.9, "metadata": {"a": "b"}, "parallel_tool_calls": False, "store": True,
        "reasoning": {"effort": "low", "summary": "auto"}, "user": "u", "prompt_cache_key": "k",
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {"format": {"type": "json_schema", "schema": {"type": "object"}, "name": "x"},
                 "verbosity": "low"},
    }  # fmt: skip
    answer = written([], request=request)

    check_response(answer)
    assert answer["store"] is False
    kept = {name: answer[name] for name in request.keys() & answer.keys()}
    different = {name for name, value in kept.items() if value != request[name]}
    assert different == {"model", "store", "tools", "text"}
    assert [tool["type"] for tool in answer["tools"]] == ["function", "namespace", "custom"]
    assert answer["tools"][0]["parameters"] == TOOLS[0]["parameters"]
    assert answer["text"]["format"]["schema"] == {"type": "object"}


_odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
)
_REPEATED = (
    "instructions", "max_output_tokens", "parallel_tool_calls", "prompt_cache_key", "reasoning",
    "safety_identifier", "text", "tool_choice", "metadata", "include", "user", "service_tier",
)  # fmt: skip


@given(request=st.dictionaries(st.sampled_from(_REPEATED), _odd))
def test_whatever_a_request_holds_the_answer_is_strict(request: Json) -> None:
    check_response(written([Text("a")], request=request))


class Limited(GatewayError):
    status = 429
    code = "rate_limit_exceeded"


CALL_ID = ids.show("call", ids.new())


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InvalidRequest("No.", param="input"), "invalid_request_error", "invalid_prompt"),
        (InvalidApiKey(), "authentication_error", "server_error"),
        (Limited("Slow down."), "rate_limit_error", "rate_limit_exceeded"),
        (Unavailable(), "api_error", "server_error"),
    ],
)
def test_an_error_ends_a_stream_with_two_events(error: GatewayError, kind: str, code: str) -> None:
    told, failed = events_of(errors.write_event(error, call_id=CALL_ID))

    check_event(told)
    assert told["message"] == told["error"]["message"] == str(error)
    assert (told["error"]["type"], told["code"]) == (kind, error.error_code)
    assert check_event(failed).response.error.code == code
    assert failed["response"]["id"] == f"resp_{CALL_ID.removeprefix('call_')}"
    assert told["sequence_number"] < failed["sequence_number"]


def test_a_failed_response_knows_when_its_call_began() -> None:
    call_id = ids.show("call", ids.first_after(1_795_000_000_000))
    _, failed = events_of(errors.write_event(Unavailable(), call_id=call_id))

    assert failed["response"]["created_at"] == 1_795_000_000


def test_an_error_answer_has_openais_shape() -> None:
    told = json.loads(errors.write(InvalidRequest("No.", param="input"), call_id="call_x"))

    assert told == {"error": {
        "message": "No.", "type": "invalid_request_error", "param": "input",
        "code": "invalid_request", "source": "gateway", "call_id": "call_x",
    }}  # fmt: skip
