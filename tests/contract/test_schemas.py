"""What callers get, held against the official schemas and the official clients' own types.

Passed-through answers as well as translated ones: each is what a strict client takes.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from routing.providers import loader
from tests.contract.ends import CHAT, Dialect, End
from tests.contract.test_matrix import every_dialect, every_provider, with_usage
from tests.journeys.conftest import Caller
from tests.routing.sandbox import sse_reader
from tests.routing.wire import official, responses_speech

ANTHROPIC_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
TRANSLATED = {slug for slug, its in loader.load_all().items() if its.wire != "openai"}
KINDS: dict[str, dict[str, Any]] = {
    "text": {},
    "tool": {"text": "Use the tool in parallel.", "tool": True},
    "thoughts": {"thinks": True},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def asked(caller: Caller, dialect: Dialect, end: End, kind: str, **more: Any) -> Any:
    options: dict[str, Any] = {**KINDS[kind], **more}
    if options.pop("thinks", False):
        options |= {"model": end.thinker, **dialect.think}
    return dialect.ask(caller, end, options.pop("text", "Say hello."), **options).raw


@every_dialect
@every_provider
@every_kind
def test_a_whole_answer_is_one_for_schema_and_client(
    caller: Caller, dialect: Dialect, end: End, kind: str
) -> None:
    body = asked(caller, dialect, end, kind).content

    if dialect.name == "messages":
        Message.model_validate_json(body, strict=True)
    elif dialect.name == "responses":
        responses_speech.check_response(json.loads(body))
    else:
        ChatCompletion.model_validate_json(body, strict=True)
        official.validate("CreateChatCompletionResponse", json.loads(body))


def events(stream: bytes) -> Iterator[tuple[str, Any]]:
    for event in sse_reader.read(stream):
        if event.data != "[DONE]":
            yield event.name, json.loads(event.data)


@every_dialect
@every_provider
@every_kind
def test_every_event_of_a_stream_is_one_for_schema_and_client(
    caller: Caller, dialect: Dialect, end: End, kind: str
) -> None:
    more = with_usage(dialect, stream=True)
    stream = asked(caller, dialect, end, kind, **more).content

    found = list(events(stream))
    assert len(found) > 3
    for name, event in found:
        if dialect.name == "messages":
            assert name == event["type"]
            if name != "ping":
                ANTHROPIC_EVENT.validate_python(event, strict=False)
        elif dialect.name == "responses":
            responses_speech.check_event(event)
        else:
            ChatCompletionChunk.model_validate(event, strict=True)
            if end.slug in TRANSLATED:  # what is passed on is the provider's own, and parses
                official.validate("CreateChatCompletionStreamResponse", event)
    if dialect is CHAT:
        assert stream.endswith(b"data: [DONE]\n\n")
    if dialect.name == "messages":
        first = found[0][1]["message"]["usage"]
        assert first["input_tokens"] > 0
