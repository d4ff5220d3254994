"""Tool calls: when they are made, how each provider writes them, and what follows a result."""

import json

import jsonschema
import pytest

from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import ALL, BY_NAME, CHAT
from tests.routing.sandbox.speaking import WEATHER, Json, Reply, Speaker
from tests.routing.sandbox.test_answers import ask
from tests.routing.sandbox.test_framing import chunks, stream

# DeepInfra takes only `auto` and `none`.
FORCING = [speaker for speaker in ALL if speaker.name != "deepinfra"]
every_speaker = pytest.mark.parametrize("speaker", ALL, ids=str)
streamed_or_not = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


def assert_calls(reply: Reply, speaker: Speaker, count: int = 1) -> None:
    assert [name for _, name, _ in reply.calls] == ["get_weather"] * count
    for _, _, arguments in reply.calls:
        jsonschema.validate(json.loads(arguments), WEATHER)
    assert len({identity for identity, _, _ in reply.calls}) == count
    assert reply.finish == speaker.ends["tools"]


@pytest.mark.parametrize("speaker", FORCING, ids=str)
@streamed_or_not
def test_a_required_tool_is_called_with_valid_arguments(
    sandbox: Sandbox, speaker: Speaker, is_stream: bool
) -> None:
    reply = ask(sandbox, speaker, "Hi", tool=True, force=True, stream=is_stream)

    assert_calls(reply, speaker)
    assert not reply.text


@every_speaker
@pytest.mark.parametrize(
    "text", ["What says get_weather?", "Please use the tool.", "Call the tool"]
)
def test_a_tool_is_called_when_the_user_speaks_of_it(
    sandbox: Sandbox, speaker: Speaker, text: str
) -> None:
    assert_calls(ask(sandbox, speaker, text, tool=True), speaker)


@every_speaker
def test_a_tool_is_left_alone_when_nobody_speaks_of_it(sandbox: Sandbox, speaker: Speaker) -> None:
    reply = ask(sandbox, speaker, "Say hello.", tool=True)

    assert not reply.calls
    assert reply.text


@every_speaker
@streamed_or_not
def test_a_user_who_says_parallel_gets_two_calls(
    sandbox: Sandbox, speaker: Speaker, is_stream: bool
) -> None:
    reply = ask(sandbox, speaker, "Use the tool in parallel.", tool=True, stream=is_stream)

    assert_calls(reply, speaker, count=2)
    assert reply.calls[0][2] != reply.calls[1][2]


def test_openai_writes_arguments_in_pieces_and_others_whole(sandbox: Sandbox) -> None:
    def pieces(name: str) -> int:
        found = chunks(stream(sandbox, name, tool=True, force=True))
        return sum("tool_calls" in c["choices"][0]["delta"] for c in found if c["choices"])

    assert pieces("openai") > 2
    assert [pieces(name) for name in ("groq", "xai", "mistral", "cerebras")] == [1, 1, 1, 1]


def test_mistral_calls_by_ids_of_nine_characters_and_no_type(sandbox: Sandbox) -> None:
    speaker = BY_NAME["mistral"]
    body = speaker.body("Hi", model=speaker.model, tool=True, tool_choice="any")

    content = sandbox.post(speaker.url(), body, speaker.headers).json()

    call = content["choices"][0]["message"]["tool_calls"][0]
    assert len(call["id"]) == 9
    assert "type" not in call
    assert call["index"] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [("openai", None), ("groq", "absent"), ("mistral", ""), ("cerebras", "absent"), ("xai", "")],
)
def test_content_beside_calls_is_what_the_provider_writes_there(
    sandbox: Sandbox, name: str, content: str | None
) -> None:
    speaker = BY_NAME[name]
    body = speaker.body("Hi", model=speaker.model, tool=True, force=True)

    message = sandbox.post(speaker.url(), body, speaker.headers).json()["choices"][0]["message"]

    assert message.get("content", "absent") == content


def _after_a_result(sandbox: Sandbox, speaker: Speaker) -> Json:
    """The answer to a conversation that ends with a tool's result."""
    body = speaker.body("Use the tool.", model=speaker.model, tool=True)
    first = sandbox.post(speaker.url(), body, speaker.headers).json()
    if speaker in CHAT:
        message = first["choices"][0]["message"]
        call = {**message["tool_calls"][0]}
        call.pop("index", None)
        said = {"role": "assistant", "content": "", "tool_calls": [call]}
        result = {"role": "tool", "tool_call_id": call["id"], "content": "4 degrees"}
        body["messages"] += [said, result]
    elif speaker.name == "anthropic":
        block = {
            "type": "tool_result",
            "tool_use_id": first["content"][0]["id"],
            "content": "4 degrees",
        }
        body["messages"] += [
            {"role": "assistant", "content": first["content"]},
            {"role": "user", "content": [block]},
        ]
    elif speaker.name == "gemini":
        told = {"name": "get_weather", "response": {"result": "4 degrees"}}
        body["contents"] += [
            first["candidates"][0]["content"],
            {"role": "user", "parts": [{"functionResponse": told}]},
        ]
    else:
        call = first["output"][-1]
        told = {"type": "function_call_output", "call_id": call["call_id"], "output": "4 degrees"}
        body["input"] = [{"role": "user", "content": body["input"]}, call, told]
    answer = sandbox.post(speaker.url(), body, speaker.headers)
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


@every_speaker
def test_a_tools_result_is_answered_with_a_text_that_quotes_it(
    sandbox: Sandbox, speaker: Speaker
) -> None:
    reply = speaker.read(_after_a_result(sandbox, speaker))

    assert "The tool said: “4 degrees”" in reply.text
    assert not reply.calls


def test_a_named_tool_is_the_one_that_is_called(sandbox: Sandbox) -> None:
    speaker = BY_NAME["openai"]
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in ("one", "two")
    ]
    choice = {"type": "function", "function": {"name": "two"}}
    body = speaker.body("Hi", model=speaker.model, tools=tools, tool_choice=choice)

    reply = speaker.read(sandbox.post(speaker.url(), body, speaker.headers).json())

    assert [(name, arguments) for _, name, arguments in reply.calls] == [("two", "{}")]


def test_a_custom_tool_gets_a_text(sandbox: Sandbox) -> None:
    speaker = BY_NAME["openai responses"]
    tools = [{"type": "custom", "name": "shell"}]
    body = speaker.body("Hi", model=speaker.model, tools=tools, tool_choice="required")

    content = sandbox.post(speaker.url(), body, speaker.headers).json()

    assert content["output"][0]["type"] == "custom_tool_call"
    assert content["output"][0]["input"] == "sandbox input 1"
