"""Conversations of other dialects, written for Anthropic: turns, limits, the order of things."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import InvalidRequest
from routing.conversation import (
    Audio,
    Block,
    Conversation,
    Document,
    Format,
    HiddenThinking,
    Image,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from routing.wire.anthropic import request
from tests.routing.wire.anthropic_requests import (
    HI,
    NEW,
    NO_FORCE,
    NO_FORMAT,
    OFFERS,
    OLD,
    PNG,
    PROVIDER,
    SCHEMA,
    WEATHER,
    answered,
    called,
    kinds,
    talk,
    written,
)


def test_a_maximum_is_always_named_and_within_the_model() -> None:
    assert talk()[0]["max_tokens"] == 8192
    assert talk(model="claude-3-haiku-20240307")[0]["max_tokens"] == 4096
    assert talk(max_tokens=50) == ({**talk()[0], "max_tokens": 50}, ())
    out, adapted = talk(max_tokens=200_000, model=OLD)
    assert (out["max_tokens"], adapted) == (64_000, ("max_tokens",))


def test_what_claude_has_no_word_for_is_named() -> None:
    others = {
        "logprobs": True,
        "verbosity": "low",
        "presence_penalty": None,
        "service_tier": "flex",
    }
    out, adapted = talk(seed=7, others=others, untranslatable=("store",))
    assert set(adapted) == {"store", "seed", "logprobs", "verbosity", "service_tier"}
    assert out["service_tier"] == "auto"


@pytest.mark.parametrize("odd", [[], {}, 7])
def test_a_tier_that_is_no_word_is_named(odd: object) -> None:
    out, adapted = talk(others={"service_tier": odd})
    assert "service_tier" not in out
    assert adapted == ("service_tier",)


def test_sampling_is_what_the_model_takes() -> None:
    out, adapted = talk(temperature=1.5, top_p=0.9, top_k=4, model="claude-opus-4-6")
    assert (out["temperature"], out["top_p"], out["top_k"]) == (1, 0.9, 4)
    assert adapted == ("temperature",)
    out, adapted = talk(temperature=0.5, top_p=0.9, model=OLD)
    assert (out["temperature"], "top_p" in out, adapted) == (0.5, False, ("top_p",))
    out, adapted = talk(temperature=0.5, model=NEW)
    assert ("temperature" in out, adapted) == (False, ("temperature",))


def test_stop_sequences_of_white_space_are_left_out_and_named() -> None:
    assert talk(stop=("END", "\n"))[0]["stop_sequences"] == ["END"]
    assert talk(stop=("END", "\n"))[1] == ("stop",)


@pytest.mark.parametrize(
    ("user", "kept"), [("u-1", True), ("a@b.example", False), ("+44 20 7946 0958", False)]
)
def test_only_an_opaque_user_is_passed_on(user: str, kept: bool) -> None:
    out, adapted = talk(user=user)
    assert out.get("metadata") == ({"user_id": user} if kept else None)
    assert adapted == (() if kept else ("user",))


def test_several_answers_at_once_are_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        talk(n=2)
    assert refused.value.param == "n"


def test_results_of_tools_stand_first_in_one_turn() -> None:
    out, adapted = talk(
        HI,
        called("a", "b"),
        Turn("user", (Text("And?"),)),
        Turn("system", (Text("Be brief."),)),
        answered("b"),
        answered("a"),
        tools=(WEATHER,),
    )
    _, _, results, system = out["messages"]
    assert kinds(results) == ["tool_result", "tool_result", "text"]
    assert system == {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    assert adapted == ()


def test_a_missing_result_is_made_up_and_an_orphan_left_out() -> None:
    out, adapted = talk(HI, called("a", "b"), answered("b", "c"), tools=(WEATHER,))
    results = out["messages"][2]["content"]
    assert [(r["tool_use_id"], r.get("is_error")) for r in results] == [("b", None), ("a", True)]
    assert adapted == ("messages",)


def test_a_last_call_without_results_is_answered() -> None:
    out, _ = talk(HI, called("a"), tools=(WEATHER,))
    assert kinds(out["messages"][-1]) == ["tool_result"]


def test_turns_of_calls_in_a_row_are_one() -> None:
    out, adapted = talk(HI, called("a"), called("b"), answered("a", "b"), tools=(WEATHER,))
    assert [kinds(message) for message in out["messages"][1:]] == [
        ["tool_use", "tool_use"], ["tool_result", "tool_result"],
    ]  # fmt: skip
    assert adapted == ()


def test_ids_are_made_fit_and_unique_with_their_results() -> None:
    out, _ = talk(
        HI, called("functions.f:0"), answered("functions.f:0"),
        called("functions.f:0"), answered("functions.f:0"), tools=(WEATHER,),
    )  # fmt: skip
    calls = [m["content"][0]["id"] for m in out["messages"] if m["role"] == "assistant"]
    results = [m["content"][0]["tool_use_id"] for m in out["messages"][2::2]]
    assert calls == results == ["functions_f_0", "functions_f_0_2"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1.0,  "b": "\\u00e9"}', '{"a": 1.0,  "b": "\\u00e9"}'),
        ("", "{}"),
        ("[1]", '{"value":[1]}'),
        ("{broken", '{"_raw":"{broken"}'),
    ],
)
def test_arguments_pass_byte_identical_where_they_are_an_object(
    arguments: str, expected: str
) -> None:
    call = Turn("assistant", (ToolCall(id="a", name="f", arguments=arguments),))
    conversation = Conversation(turns=(HI, call, answered("a")), tools=(WEATHER,))
    found = request.write_conversation(
        conversation, model=NEW, offer=None, quirks=PROVIDER.quirks, stream=False
    )
    assert b'"input":' + expected.encode() in found.body


def test_an_error_of_a_tool_is_told_even_without_words() -> None:
    failed = Turn("user", (ToolResult(id="a", content=(), is_error=True),))
    out, _ = talk(HI, called("a"), failed, tools=(WEATHER,))
    result = out["messages"][2]["content"][0]
    assert result["is_error"] is True
    assert result["content"]


def test_only_what_anthropic_signed_goes_back() -> None:
    thoughts: tuple[Block, ...] = (
        Thinking(text="a", signature="s", signer="anthropic"),
        Thinking(text="b", signature="s", signer="gemini"),
        Thinking(text="c"),
        HiddenThinking(data="d", signer="anthropic"),
        HiddenThinking(data="e", signer="openai"),
        Text("answer"),
    )
    out, _ = talk(HI, Turn("assistant", thoughts), HI)
    assert out["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "answer"},
    ]


def test_images_are_declared_as_what_they_are() -> None:
    image = Image(media_type="image/jpeg", data=PNG)
    out, _ = talk(Turn("user", (image, Image(url="https://a.example/x"))))
    sources = [block["source"] for block in out["messages"][0]["content"]]
    assert sources == [
        {"type": "base64", "media_type": "image/png", "data": PNG},
        {"type": "url", "url": "https://a.example/x"},
    ]


def test_documents_are_sent_as_pdf_or_text() -> None:
    documents = (
        Document(data="JVBE", title="T"),
        Document(media_type="text/plain", data="aGk="),
        Document(text="words"),
        Document(url="https://a.example/x.pdf"),
    )
    out, _ = talk(Turn("user", documents))
    content = out["messages"][0]["content"]
    assert content[0]["title"] == "T"
    assert [block["source"]["type"] for block in content] == ["base64", "text", "text", "url"]
    assert content[1]["source"]["data"] == "hi"


@pytest.mark.parametrize(
    "block",
    [
        Audio(format="wav", data="x"),
        Image(media_type="image/tiff", data="SUkq"),
        Image(url="http://a.example/x.png"),
        Document(media_type="application/msword", data="0M8R"),
    ],
)
def test_what_claude_cannot_read_is_refused(block: Block) -> None:
    with pytest.raises(InvalidRequest) as refused:
        talk(Turn("user", (block,)))
    assert refused.value.param == "messages"


def test_a_conversation_begins_and_ends_with_the_user() -> None:
    beginning = Turn("assistant", (Text("It is  "),))
    out, adapted = talk(beginning)
    assert [message["role"] for message in out["messages"]] == ["user", "assistant", "user"]
    assert adapted == ("messages",)
    out, adapted = talk(HI, beginning, model=OLD)
    assert out["messages"][-1] == {
        "role": "assistant", "content": [{"type": "text", "text": "It is"}],
    }  # fmt: skip
    assert adapted == ()


def test_system_messages_in_between_are_the_users_words_to_older_models() -> None:
    turns = (HI, Turn("system", (Text("Be brief."),)))
    assert [m["role"] for m in talk(*turns)[0]["messages"]] == ["user", "system"]
    assert [m["role"] for m in talk(*turns, model=OLD)[0]["messages"]] == ["user"]


def test_cache_marks_are_kept_and_at_most_four() -> None:
    marked = tuple(Text(str(number), "1h") for number in range(6))
    out, _ = talk(Turn("user", marked), system=(Text("s", "5m"),))
    marks = [block.get("cache_control") for block in out["messages"][0]["content"]]
    assert marks == [None, None, *[{"type": "ephemeral", "ttl": "1h"}] * 4]
    assert "cache_control" not in out["system"][0]


def turns_of(draw: Any) -> tuple[Turn, ...]:
    """Any turns at all, also such as no API would take."""
    text = st.sampled_from(["a", "", " ", "b c"])
    ids = st.sampled_from(["x", "y.z", "call_1"])
    blocks: dict[str, st.SearchStrategy[Any]] = {
        "user": st.one_of(
            st.builds(Text, text),
            st.builds(ToolResult, id=ids, content=st.tuples(st.builds(Text, text)),
                      is_error=st.booleans()),
        ),
        "assistant": st.one_of(
            st.builds(Text, text),
            st.builds(Thinking, text=text, signature=st.just("s"), signer=st.just("gemini")),
            st.builds(ToolCall, id=ids, name=st.sampled_from(["f", "ns.f", "g"]),
                      arguments=st.sampled_from(["", "{}", '{"a":1}', "[", "3"])),
        ),
        "system": st.builds(Text, text),
    }  # fmt: skip
    roles = draw(st.lists(st.sampled_from(list(blocks)), max_size=7))
    return tuple(Turn(role, tuple(draw(st.lists(blocks[role], max_size=4)))) for role in roles)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    tools = draw(st.sampled_from([(), (Tool(name="f"), Tool(name="ns.f", kind="custom"))]))
    return Conversation(
        turns=turns_of(draw),
        system=draw(st.sampled_from([(), (Text("s", "5m"),), (Text(" "),)])),
        tools=tools,
        tool_choice=draw(st.sampled_from([None, ToolChoice(mode="required")])) if tools else None,
        format=draw(st.sampled_from([None, Format(kind="json_schema", schema=SCHEMA)])),
        reasoning=draw(st.sampled_from([None, Reasoning(effort="high"), Reasoning(is_off=True)])),
        temperature=draw(st.sampled_from([None, 0.0, 2.0])),
        top_p=draw(st.sampled_from([None, 0.5])),
        top_k=draw(st.sampled_from([None, 5])),
        max_tokens=draw(st.sampled_from([None, 1, 3000, 10**6])),
        stop=draw(st.sampled_from([(), ("END", " ")])),
    )


MODELS = [NEW, OLD, NO_FORCE, NO_FORMAT, "claude-3-haiku-20240307", "claude-opus-4-6"]


@given(conversation=conversations(), model=st.sampled_from(MODELS))
def test_whatever_is_said_makes_a_request_of_anthropics_grammar(
    conversation: Conversation, model: str
) -> None:
    body, _ = written(conversation, model)
    messages = body["messages"]
    assert messages[0]["role"] == "user"
    called_ids: set[str] = set()
    for message in messages:
        assert message["content"]
        results = {b["tool_use_id"] for b in message["content"] if b["type"] == "tool_result"}
        if message["role"] == "user":
            assert results == called_ids
            leading = kinds(message)[: len(results)]
            assert leading == ["tool_result"] * len(results)
        if message["role"] != "system":
            called_ids = {b["id"] for b in message["content"] if b["type"] == "tool_use"}
        assert all(b["text"].strip() for b in message["content"] if b["type"] == "text")
    assert not called_ids
    budget = body.get("thinking", {}).get("budget_tokens")
    assert budget is None or 1024 <= budget < body["max_tokens"]
    assert body["max_tokens"] <= (OFFERS[model].output or 0)
