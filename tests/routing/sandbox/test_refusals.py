"""Bad requests are refused as each provider refuses them, and the gateway understands why."""

from typing import Any

import pytest

from routing.upstream import failures
from routing.upstream.failures import FailureKind
from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import ALL, BY_NAME, CHAT
from tests.routing.sandbox.speaking import Json, Speaker

CALL = {"id": "call00001", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "Hi"}
THOUGHTFUL = [USER, {"role": "assistant", "content": "x", "reasoning_content": "y"}, USER]


def refused(sandbox: Sandbox, name: str, *, model: str = "", drop: str = "", **more: Any) -> Any:
    """The answer to a request with something wrong in it."""
    speaker = BY_NAME[name]
    model = model or speaker.model
    body = {**speaker.body("Hi", model=model), **more}
    body.pop(drop, None)
    return sandbox.post(speaker.url(model=model), body, speaker.headers)


def kind_of(answer: Any) -> FailureKind:
    return failures.classify(answer.status_code, answer.headers.raw, answer.content).kind


@pytest.mark.parametrize(
    ("name", "more", "status", "words"),
    [
        ("openai", {"model": "gpt-5-mini", "max_tokens": 5}, 400, "max_completion_tokens"),
        ("openai", {"model": "o3", "temperature": 0.5}, 400, "temperature"),
        ("openai", {"model": "gpt-5.1", "top_p": 0.5}, 400, "top_p"),
        ("openai", {"model": "gpt-6-sol", "logprobs": True}, 400, "logprobs"),
        ("openai", {"model": "gpt-5-nano", "presence_penalty": 1}, 400, "presence_penalty"),
        ("openai", {"model": "o4-mini", "stop": "x"}, 400, "stop"),
        ("openai", {"model": "gpt-4o-search-preview", "temperature": 1}, 400, "temperature"),
        ("groq", {"logprobs": True}, 400, "property 'logprobs' is unsupported"),
        ("groq", {"logit_bias": {"1": 1}}, 400, "property 'logit_bias' is unsupported"),
        ("groq", {"messages": THOUGHTFUL}, 400, "property 'reasoning_content' is unsupported"),
        ("groq", {"messages": [{**USER, "name": "me"}]}, 400, "property 'name' is unsupported"),
        ("groq", {"provider": {}}, 400, "property 'provider' is unsupported"),
        ("cerebras", {"messages": THOUGHTFUL}, 400, "messages.1.assistant.reasoning_content"),
        ("cerebras", {"store": True}, 400, "property 'body.store' is unsupported"),
        ("cerebras", {"logit_bias": {"1": 1}}, 400, "unsupported"),
        ("mistral", {"stream_options": {}}, 422, "extra_forbidden"),
        ("mistral", {"user": "me"}, 422, "extra_forbidden"),
        ("mistral", {"seed": 1}, 422, "extra_forbidden"),
        ("mistral", {"max_completion_tokens": 5}, 422, "extra_forbidden"),
        ("mistral", {"messages": THOUGHTFUL}, 422, "reasoning_content"),
        ("mistral", {"messages": [{**USER, "name": "me"}]}, 422, "extra_forbidden"),
        ("nvidia", {"prompt_cache_key": "x"}, 400, "extra_forbidden"),
        ("gemini compat", {"store": True}, 400, "Unknown name"),
        ("gemini", {"frobnicate": 1}, 400, "Unknown name"),
        ("gemini", {"generationConfig": {"foo": 1}}, 400, "Unknown name"),
        ("anthropic", {"frobnicate": 1}, 400, "Extra inputs are not permitted"),
        ("anthropic", {"temperature": 0.5}, 400, "deprecated for this model"),
        ("anthropic", {"model": "claude-opus-5-5", "top_k": 5}, 400, "deprecated for this model"),
    ],
)
def test_a_parameter_that_is_not_taken_is_refused_in_the_providers_words(
    sandbox: Sandbox, name: str, more: Json, status: int, words: str
) -> None:
    answer = refused(sandbox, name, **more)

    assert answer.status_code == status
    assert words in answer.text
    assert kind_of(answer) is FailureKind.PARAM


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("xai", {"model": "grok-4.3", "presence_penalty": 1}),
        ("xai", {"model": "grok-4.3", "stop": ["x"]}),
        ("openai", {"provider": {"sort": "price"}}),
    ],
)
def test_the_classifier_reads_these_refusals_of_parameters(
    sandbox: Sandbox, name: str, more: Json
) -> None:
    answer = refused(sandbox, name, **more)

    assert answer.status_code == 400
    assert kind_of(answer) is FailureKind.PARAM


def test_xai_names_parameters_in_its_own_way(sandbox: Sandbox) -> None:
    answer = refused(sandbox, "xai", model="grok-4.3", presence_penalty=1)

    assert answer.json()["error"] == "Argument not supported on this model: presencePenalty"
    assert refused(sandbox, "xai", presence_penalty=1).status_code == 200


@pytest.mark.parametrize(
    ("name", "more", "status"),
    [
        ("openai", {"temperature": 3}, 400),
        ("openai", {"messages": []}, 400),
        ("openai", {"messages": [{"role": "king", "content": "Hi"}]}, 400),
        ("openai", {"stop": ["a", "b", "c", "d", "e"]}, 400),
        ("openai", {"response_format": {"type": "json_object"}}, 400),
        ("openai", {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, USER]}, 400),
        ("openai", {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, 400),
        ("openai", {"reasoning_effort": "extreme"}, 400),
        ("openai responses", {"max_output_tokens": 5}, 400),
        ("openai responses", {"previous_response_id": "resp_1"}, 400),
        ("groq", {"n": 2}, 400),
        ("groq", {"response_format": {"type": "json_object"}}, 400),
        ("mistral", {"temperature": 1.8}, 422),
        ("mistral", {"messages": [{"role": "developer", "content": "Hi"}]}, 422),
        ("deepinfra", {"messages": [{"role": "developer", "content": "Hi"}]}, 422),
        ("deepinfra", {"tool_choice": "required"}, 422),
        ("deepinfra", {"n": 5}, 422),
        ("xai", {"messages": "Hi"}, 422),
        ("anthropic", {"messages": [{"role": "user", "content": ""}]}, 400),
        ("anthropic", {"messages": [USER, {"role": "assistant", "content": "A"}]}, 400),
        ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, 400),
        ("anthropic", {"max_tokens": 200000}, 400),
        ("anthropic", {"tools": [{"name": "no good", "input_schema": {"type": "object"}}]}, 400),
        ("gemini", {"contents": [{"role": "user", "parts": []}]}, 400),
        ("gemini", {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, 400),
    ],
)
def test_a_wrong_value_is_the_callers_fault(
    sandbox: Sandbox, name: str, more: Json, status: int
) -> None:
    answer = refused(sandbox, name, **more)

    assert answer.status_code == status, answer.text
    assert kind_of(answer) is FailureKind.CALLER


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_a_request_without_its_messages_is_refused(sandbox: Sandbox, speaker: Speaker) -> None:
    field = next(f for f in ("messages", "contents", "input") if f in speaker.body(model="m"))

    answer = refused(sandbox, speaker.name, drop=field)

    assert answer.status_code in {400, 422}
    assert kind_of(answer) is FailureKind.CALLER


@pytest.mark.parametrize("speaker", ALL, ids=str)
@pytest.mark.parametrize("body", [b"{", b"[1]", b'"text"', b"\xff\xfe", b"", b"[" * 5000])
def test_a_malformed_body_is_a_400_in_the_providers_envelope(
    sandbox: Sandbox, speaker: Speaker, body: bytes
) -> None:
    answer = sandbox.client.post(speaker.url(), content=body, headers=speaker.headers)

    assert answer.status_code == 400
    assert kind_of(answer) is FailureKind.CALLER


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_an_unknown_model_is_told_as_such(sandbox: Sandbox, speaker: Speaker) -> None:
    for model in ("unknown-1", "someone/unknown-model"):
        if "/" in model and "{model}" in speaker.path:
            continue
        answer = refused(sandbox, speaker.name, model=model)

        assert answer.status_code in {400, 404}
        assert kind_of(answer) is FailureKind.MODEL_MISSING


@pytest.mark.parametrize("speaker", CHAT, ids=str)
def test_an_unknown_path_is_a_404(sandbox: Sandbox, speaker: Speaker) -> None:
    answer = sandbox.get(f"/{speaker.slug}/v1/nothing", speaker.headers)

    assert answer.status_code == 404


def test_cerebras_answers_unknown_paths_with_an_empty_text(sandbox: Sandbox) -> None:
    answer = sandbox.get("/cerebras/v1/nothing", {})

    assert (answer.status_code, answer.content) == (404, b"")
    assert answer.headers["content-type"] == "text/plain"


# Mistral ---------------------------------------------------------------------------------------


def mistral_turns(**changes: Any) -> list[Json]:
    call = {"id": "abcDEF123", "function": {"name": "f", "arguments": "{}"}, **changes}
    return [
        USER,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "4", "name": "f"},
    ]


def test_mistral_takes_tool_ids_of_nine_letters_and_digits_only(sandbox: Sandbox) -> None:
    answer = refused(sandbox, "mistral", messages=mistral_turns(id="call_12345678"))

    assert answer.status_code == 400
    assert answer.json()["code"] == "3280"
    assert refused(sandbox, "mistral", messages=mistral_turns()).status_code == 200


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([*mistral_turns(), USER], "Unexpected role 'user' after role 'tool'"),
        ([USER, {"role": "system", "content": "x"}, USER], "Unexpected role 'system'"),
        ([USER, {"role": "assistant", "content": "x"}], "Expected last role User or Tool"),
        ([*mistral_turns()[:2], USER], "Not the same number"),
    ],
)
def test_mistral_wants_messages_in_order(
    sandbox: Sandbox, messages: list[Json], words: str
) -> None:
    answer = refused(sandbox, "mistral", messages=messages)

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_mistral_takes_a_prefix_as_the_last_message(sandbox: Sandbox) -> None:
    messages = [USER, {"role": "assistant", "content": "It is", "prefix": True}]

    assert refused(sandbox, "mistral", messages=messages).status_code == 200


def test_deepinfra_takes_only_text_as_a_tools_result(sandbox: Sandbox) -> None:
    parts = [{"type": "text", "text": "4"}]
    result = {"role": "tool", "tool_call_id": "call00001", "content": parts}
    turns = [USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}, result]

    answer = refused(sandbox, "deepinfra", messages=turns)

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "messages", 2, "content"]


# Anthropic -------------------------------------------------------------------------------------


def test_anthropic_wants_a_version_and_a_maximum(sandbox: Sandbox) -> None:
    speaker = BY_NAME["anthropic"]
    body = speaker.body("Hi", model=speaker.model)

    unversioned = sandbox.post(speaker.url(), body, {"x-api-key": "k"})
    unlimited = refused(sandbox, "anthropic", drop="max_tokens")

    assert "anthropic-version: header is required" in unversioned.text
    assert unlimited.json()["error"]["message"] == "max_tokens: Field required"
    assert unlimited.json()["request_id"].startswith("req_")


def test_anthropic_refuses_sampling_under_its_new_version(sandbox: Sandbox) -> None:
    speaker = BY_NAME["anthropic"]
    body = speaker.body("Hi", model="claude-sonnet-4-6", temperature=1)
    headers = {**speaker.headers, "anthropic-version": "2026-10-21"}

    assert sandbox.post(speaker.url(), body, speaker.headers).status_code == 200
    assert sandbox.post(speaker.url(), body, headers).status_code == 400


def use(identity: str) -> Json:
    return {"type": "tool_use", "id": identity, "name": "f", "input": {}}


def result(identity: str) -> Json:
    return {"type": "tool_result", "tool_use_id": identity, "content": "4"}


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([{"type": "text", "text": "no"}], "`tool_use` ids were found without `tool_result`"),
        ([{"type": "text", "text": "first"}, result("t1")], "`tool_use` ids were found without"),
        ([result("t1"), result("t2")], "unexpected `tool_use_id` found"),
        ([{"type": "text", "text": " "}], "text content blocks must be non-empty"),
    ],
)
def test_anthropic_wants_calls_answered_at_once_and_first(
    sandbox: Sandbox, blocks: list[Json], words: str
) -> None:
    turns = [
        USER,
        {"role": "assistant", "content": [use("t1")]},
        {"role": "user", "content": blocks},
    ]

    answer = refused(sandbox, "anthropic", messages=turns)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


def test_anthropic_refuses_thinking_that_was_changed(sandbox: Sandbox) -> None:
    speaker = BY_NAME["anthropic"]
    model = "claude-opus-4-8"
    first = sandbox.post(speaker.url(), speaker.body(model=model), speaker.headers).json()
    block = next(b for b in first["content"] if b["type"] == "thinking")

    def answered(thinking: Json) -> int:
        said = {"role": "assistant", "content": [thinking, {"type": "text", "text": "x"}]}
        turns = [USER, said, USER]
        return int(refused(sandbox, "anthropic", model=model, messages=turns).status_code)

    assert answered(block) == 200
    assert answered({**block, "thinking": "changed"}) == 400
    assert answered({**block, "signature": ""}) == 400


def test_anthropic_forces_no_tools_on_families_that_refuse_it(sandbox: Sandbox) -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    more: Json = {"tools": tools, "tool_choice": {"type": "any"}}

    assert refused(sandbox, "anthropic", model="claude-sonnet-5-5", **more).status_code == 400
    assert refused(sandbox, "anthropic", model="claude-sonnet-5", **more).status_code == 200


def test_anthropic_keeps_no_threads(sandbox: Sandbox) -> None:
    speaker = BY_NAME["anthropic"]
    body = speaker.body("Hi", model=speaker.model, thread={"type": "create"})
    headers = {**speaker.headers, "anthropic-beta": "message-threads-2026-08-12"}

    answer = sandbox.post(speaker.url(), body, headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["error_code"] == "thread_unsupported_request"


# Gemini ----------------------------------------------------------------------------------------


def gemini_turns(signature: str | None) -> list[Json]:
    call: Json = {"functionCall": {"name": "f", "args": {}}}
    if signature is not None:
        call["thoughtSignature"] = signature
    return [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
    ]


def test_gemini_3_wants_its_signatures_back(sandbox: Sandbox) -> None:
    def status(model: str, signature: str | None) -> int:
        turns = gemini_turns(signature)
        return int(refused(sandbox, "gemini", model=model, contents=turns).status_code)

    assert status("gemini-3.7-flash", None) == 400
    assert status("gemini-3.7-flash", "not a signature") == 400
    assert status("gemini-3.7-flash", "skip_thought_signature_validator") == 200
    assert status("gemini-2.0-flash", None) == 200


def test_gemini_compat_wants_its_signatures_in_the_calls_extra_content(sandbox: Sandbox) -> None:
    def status(extra: Json) -> int:
        said = {"role": "assistant", "content": "", "tool_calls": [{**CALL, **extra}]}
        turns = [USER, said, {"role": "tool", "tool_call_id": "call00001", "content": "4"}]
        answer = refused(sandbox, "gemini compat", model="gemini-3.7-flash", messages=turns)
        if answer.status_code != 200:
            assert isinstance(answer.json(), list)
        return int(answer.status_code)

    signed = {
        "extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}
    }
    assert (status({}), status(signed)) == (400, 200)


def test_gemini_wants_as_many_responses_as_calls(sandbox: Sandbox) -> None:
    turns = gemini_turns(None)
    turns[2]["parts"] *= 2

    answer = refused(sandbox, "gemini", contents=turns)

    assert answer.status_code == 400
    assert "number of function response parts" in answer.json()["error"]["message"]


def test_gemini_knows_names_in_snake_case_too(sandbox: Sandbox) -> None:
    more: Json = {
        "system_instruction": {"parts": [{"text": "x"}]},
        "generation_config": {"top_p": 0.5},
    }

    assert refused(sandbox, "gemini", drop="generationConfig", **more).status_code == 200
