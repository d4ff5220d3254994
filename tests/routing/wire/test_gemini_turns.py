"""Turns, calls and results as Gemini's contents."""

import json
from typing import Any

import pytest

from accounts.errors import InvalidRequest
from routing.conversation import (
    Audio,
    Conversation,
    Document,
    HiddenThinking,
    Image,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    Turn,
)
from routing.providers.spec import Quirks
from routing.wire.gemini import request, turns
from tests.routing.wire.test_gemini_request import (
    BUDGETS,
    HELLO,
    LEVELS,
    NEWEST,
    call,
    exchange,
    result,
    sent,
    signatures,
)


def test_system_goes_first_and_a_later_system_turn_is_the_users() -> None:
    body, _ = sent(
        HELLO,
        Turn("assistant", (Text("Hi"),)),
        Turn("system", (Text("Be brief."),)),
        Turn("user", (Text("Go"),)),
        system=(Text("Be kind."), Text("Be quick.")),
    )
    assert body["systemInstruction"] == {"parts": [{"text": "Be kind."}, {"text": "Be quick."}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "Hello"}]},
        {"role": "model", "parts": [{"text": "Hi"}]},
        {"role": "user", "parts": [{"text": "Be brief."}, {"text": "Go"}]},
    ]


def test_a_lone_instruction_is_asked_as_a_user() -> None:
    written = request.write_conversation(
        Conversation(turns=(), system=(Text("Say hello."),)),
        model="m",
        offer=None,
        quirks=Quirks(),
        stream=False,
    )
    body = json.loads(written.body)
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}


def test_a_conversation_without_a_word_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(Turn("user", (Text(""),)))
    assert refused.value.param == "messages"


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            Image(media_type="image/png", data="iVBO"),
            {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
        ),
        (
            Image(url="https://a.example/cat.webp?size=2"),
            {
                "fileData": {
                    "mimeType": "image/webp",
                    "fileUri": "https://a.example/cat.webp?size=2",
                }
            },
        ),
        (
            Image(url="https://a.example/cat"),
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://a.example/cat"}},
        ),
        (
            Document(data="JVBE"),
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBE"}},
        ),
        (
            Document(url="https://a.example/paper"),
            {"fileData": {"mimeType": "application/pdf", "fileUri": "https://a.example/paper"}},
        ),
        (Document(text="words", title="A title"), {"text": "A title\n\nwords"}),
        (
            Audio(format="wav", data="UklG"),
            {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}},
        ),
        (Refusal("No."), {"text": "No."}),
    ],
)
def test_every_kind_of_content_has_its_part(block: Any, part: dict[str, Any]) -> None:
    body, _ = sent(Turn("user", (block,)))
    assert body["contents"][0]["parts"] == [part]


def test_a_last_turn_of_the_models_is_continued_where_it_would_be_refused() -> None:
    said = (HELLO, Turn("assistant", (Text("One, two,"),)))
    body, adapted = sent(*said, model=NEWEST)
    assert body["contents"][-1] == {"role": "user", "parts": [{"text": turns.GO_ON}]}
    assert adapted == ("messages",)

    body, adapted = sent(*said, model=LEVELS)
    assert body["contents"][-1]["role"] == "model"
    assert adapted == ()


# Calls and results ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        '{"city":"Oslo"}',
        '{ "city" : "Osl\\u00f6",\n"n": 12345678901234567890123}',
        '{"n":0.10000000000000000001}',
    ],
)
def test_arguments_that_are_an_object_pass_byte_for_byte(arguments: str) -> None:
    conversation = Conversation(turns=exchange(call(arguments=arguments)))
    written = request.write_conversation(
        conversation, model="m", offer=None, quirks=Quirks(), stream=False
    )
    assert b'"args":' + arguments.encode() + b"}" in written.body


@pytest.mark.parametrize(
    ("arguments", "args"),
    [
        ("", {}),
        ("  ", {}),
        ("[1,2]", {"input": [1, 2]}),
        ('"word"', {"input": "word"}),
        ("{broken", {"input": "{broken"}),
    ],
)
def test_other_arguments_are_put_into_an_object(arguments: str, args: dict[str, Any]) -> None:
    body, _ = sent(*exchange(call(arguments=arguments)))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == args


def test_a_custom_call_is_a_function_of_one_text() -> None:
    body, _ = sent(*exchange(call(arguments='{"a": 1}', kind="custom")))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": '{"a": 1}'}


def test_results_are_named_after_their_calls_and_stand_together() -> None:
    body, _ = sent(
        HELLO,
        Turn("assistant", (Text("Two calls."), call("a"))),
        Turn("assistant", (ToolCall(id="b", name="get_time", arguments="{}"),)),
        Turn("user", (result("a"),)),
        Turn("user", (Text("And now?"),)),
        Turn("user", (result("b", Text("no"), Text("clock"), is_error=True),)),
    )
    _, model, results, rest = body["contents"]
    assert [part.get("functionCall", {}).get("id") for part in model["parts"]] == [None, "a", "b"]
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"id": "a", "name": "get_weather", "response": {"result": "4 C"}},
        {"id": "b", "name": "get_time", "response": {"error": "no\nclock"}},
    ]
    assert rest == {"role": "user", "parts": [{"text": "And now?"}]}


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(HELLO, Turn("user", (result("lost"),)))
    assert "lost" in str(refused.value)
    assert refused.value.param == "messages"


def test_an_image_in_a_result_goes_inside_where_the_model_takes_it_and_else_beside() -> None:
    image = Image(media_type="image/png", data="iVBO")
    said = (HELLO, Turn("assistant", (call(),)), Turn("user", (result("c1", Text("see"), image),)))
    inline = {"inlineData": {"mimeType": "image/png", "data": "iVBO"}}

    body, _ = sent(*said, model=LEVELS)
    assert body["contents"][2]["parts"][0]["functionResponse"]["parts"] == [inline]
    assert len(body["contents"]) == 3

    body, _ = sent(*said, model=BUDGETS)
    assert "parts" not in body["contents"][2]["parts"][0]["functionResponse"]
    assert body["contents"][3]["parts"][1] == inline
    assert "c1" in body["contents"][3]["parts"][0]["text"]


def test_the_first_call_of_a_turn_is_always_signed_for_models_that_want_it() -> None:
    said = (*exchange(call("a"), call("b")), *exchange(call("c", signature="SIGN"), call("d")))
    body, _ = sent(*said, model=LEVELS)
    assert signatures(body) == [turns.UNSIGNED, None, "SIGN", None]
    body, _ = sent(*said, model=BUDGETS)
    assert signatures(body) == [None, None, "SIGN", None]


def test_without_calls_the_signature_stands_at_the_last_text() -> None:
    own = Thinking(text="hm", signature="SIGN", signer="gemini")
    body, _ = sent(HELLO, Turn("assistant", (own, Text("a"), Text("b"))), HELLO)
    assert body["contents"][1]["parts"] == [
        {"text": "a"},
        {"text": "b", "thoughtSignature": "SIGN"},
    ]


def test_thoughts_of_others_are_never_sent() -> None:
    foreign = (
        Thinking(text="secret", signature="THEIRS", signer="anthropic"),
        HiddenThinking(data="OPAQUE", signer="anthropic"),
    )
    body, _ = sent(HELLO, Turn("assistant", (*foreign, Text("a"))), HELLO)
    assert body["contents"][1]["parts"] == [{"text": "a"}]
