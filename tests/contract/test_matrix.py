"""Every dialect of callers × every provider: the same requests, the same meaning in the answers."""

import json
from typing import Any

import jsonschema
import pytest

from tests.contract.ends import DIALECTS, PROVIDERS, Asked, Dialect, End
from tests.journeys.conftest import Caller
from tests.routing.sandbox.speaking import WEATHER

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)
every_provider = pytest.mark.parametrize("end", PROVIDERS, ids=str)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}


def with_usage(dialect: Dialect, *, stream: bool) -> dict[str, Any]:
    """Chat clients have to ask for the figures of a stream."""
    if stream and dialect.name == "chat":
        return {"stream": True, "stream_options": {"include_usage": True}}
    return {"stream": True} if stream else {}


def figures(asked: Asked) -> tuple[int, int]:
    """Tokens in and out, in whichever words."""
    usage = asked.reply.usage
    assert usage is not None
    if "prompt_tokens" in usage:
        return usage["prompt_tokens"], usage["completion_tokens"]
    cached = (usage.get("cache_read_input_tokens") or 0) + (
        usage.get("cache_creation_input_tokens") or 0
    )
    return usage["input_tokens"] + cached, usage["output_tokens"]


@every_dialect
@every_provider
@whole_and_streamed
def test_text_and_its_figures(caller: Caller, dialect: Dialect, end: End, *, stream: bool) -> None:
    text = "Grüße aus Köln, 東京 und 🎉"

    asked = dialect.ask(caller, end, text, **with_usage(dialect, stream=stream))

    reply = asked.reply
    assert reply.text.startswith("[sandbox] ")
    assert f"“{text}”" in reply.text
    assert reply.finish == dialect.speaker.ends["stop"]
    assert reply.terminated
    assert asked.raw.headers["x-flo2-provider"] == end.slug
    tokens_in, tokens_out = figures(asked)
    assert tokens_in > 0
    assert tokens_out > 0
    assert reply.usage is not None
    assert "cost" in reply.usage


@every_dialect
@every_provider
def test_a_stream_tells_what_the_whole_answer_tells(
    caller: Caller, dialect: Dialect, end: End
) -> None:
    whole = dialect.ask(caller, end, "Tell me 40 words about the sea.")
    streamed = dialect.ask(
        caller, end, "Tell me 40 words about the sea.", **with_usage(dialect, stream=True)
    )

    assert streamed.reply.text == whole.reply.text
    assert streamed.reply.finish == whole.reply.finish
    assert figures(streamed) == figures(whole)
    cost = {asked.reply.usage["cost"] for asked in (whole, streamed) if asked.reply.usage}
    assert len(cost) == 1


@every_dialect
@every_provider
@whole_and_streamed
def test_a_tool_is_called_and_its_result_answered(
    caller: Caller, dialect: Dialect, end: End, *, stream: bool
) -> None:
    more = with_usage(dialect, stream=stream)
    asked = dialect.ask(caller, end, "Use the tool.", tool=True, **more)

    ((_, name, arguments),) = asked.reply.calls
    assert name == "get_weather"
    jsonschema.validate(json.loads(arguments), WEATHER)
    assert asked.reply.finish == dialect.speaker.ends["tools"]
    if stream:
        return
    model = f"{end.slug}/{end.model}"
    body = dialect.speaker.body("Use the tool.", model=model, tool=True)
    after = dialect.send(caller, dialect.result(body, asked.raw.json(), "4 degrees"))
    assert not after.reply.calls
    assert "4 degrees" in after.reply.text


@every_dialect
@every_provider
def test_parallel_calls_stream_as_they_stand_in_the_whole_answer(
    caller: Caller, dialect: Dialect, end: End
) -> None:
    whole, streamed = (
        dialect.ask(caller, end, "Use the tool in parallel.", tool=True, **more).reply.calls
        for more in ({}, {"stream": True})
    )

    assert len(whole) == len(streamed) == 2
    assert len({call[0] for call in streamed}) == 2
    assert [json.loads(call[2]) for call in whole] == [json.loads(call[2]) for call in streamed]


@every_dialect
@every_provider
def test_a_forced_tool_is_called_where_a_provider_can_force(
    caller: Caller, dialect: Dialect, end: End
) -> None:
    asked = dialect.ask(caller, end, "Hi", tool=True, force=True)

    if end.forces:
        assert [name for _, name, _ in asked.reply.calls] == ["get_weather"]
    else:
        assert "tool_choice" in asked.adapted


@every_dialect
@every_provider
def test_a_picture_reaches_those_who_can_see(caller: Caller, dialect: Dialect, end: End) -> None:
    body = dialect.image(f"{end.slug}/{end.sees or end.thinker}", "What is this?")
    if end.sees is None:
        with caller.gateway.client(caller.test_key) as http:
            refused = http.post(dialect.path, json=body)
        assert refused.status_code == 400
        assert "image" in refused.text
        return
    plain = dialect.ask(caller, end, "What is this?", model=end.sees)
    asked = dialect.send(caller, body)
    assert "What is this?" in asked.reply.text
    assert figures(asked)[0] > figures(plain)[0]


@every_dialect
@every_provider
def test_an_answer_of_a_given_shape(caller: Caller, dialect: Dialect, end: End) -> None:
    asked = dialect.ask(caller, end, "The weather as JSON.", schema=SCHEMA)

    jsonschema.validate(json.loads(asked.reply.text), SCHEMA)
    assert asked.reply.finish == dialect.speaker.ends["stop"]
    assert not asked.reply.calls


@pytest.mark.parametrize("dialect", DIALECTS[:2], ids=str)  # Responses has no stop sequences
@every_provider
def test_a_stop_sequence_ends_the_text_or_is_told_as_adapted(
    caller: Caller, dialect: Dialect, end: End
) -> None:
    asked = dialect.ask(caller, end, "Say hello.", stop="would")

    if "would" in asked.reply.text:
        assert {"stop", "stop_sequences"} & set(asked.adapted)
    else:
        assert asked.reply.text


@every_dialect
@every_provider
def test_a_maximum_of_tokens_cuts_the_text(caller: Caller, dialect: Dialect, end: End) -> None:
    asked = dialect.ask(caller, end, "Tell me 200 words.", limit=16)

    assert asked.reply.finish == dialect.speaker.ends["length"]
    assert asked.reply.text
    assert figures(asked)[1] <= 16


@every_dialect
@every_provider
@whole_and_streamed
def test_thoughts_are_shown_where_the_provider_shows_them(
    caller: Caller, dialect: Dialect, end: End, *, stream: bool
) -> None:
    more = with_usage(dialect, stream=stream) | dialect.think

    asked = dialect.ask(caller, end, model=end.thinker, **more)

    assert asked.reply.text.startswith("[sandbox] ")
    if end.shows_thoughts:
        assert asked.reply.thoughts


@every_dialect
@every_provider
def test_a_model_that_thinks_calls_a_tool_and_goes_on(
    caller: Caller, dialect: Dialect, end: End
) -> None:
    """With what it signed: kept by the client, or by us for clients that keep nothing."""
    options = {"tool": True, **dialect.think}
    asked = dialect.ask(caller, end, "Use the tool.", model=end.thinker, **options)
    assert len(asked.reply.calls) == 1

    body = dialect.speaker.body("Use the tool.", model=f"{end.slug}/{end.thinker}", **options)
    after = dialect.send(caller, dialect.result(body, asked.raw.json(), "4 degrees"))
    assert "4 degrees" in after.reply.text
