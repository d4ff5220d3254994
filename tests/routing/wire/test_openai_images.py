"""Images of answers, as OpenRouter gives them to callers of OpenAI's dialect."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from routing import dialects
from routing.chat import ChatRequest
from routing.conversation import MediaPiece, Piece
from routing.providers import catalog_index
from routing.providers.spec import Quirks
from routing.wire.gemini import reply as gemini
from routing.wire.openai import pieces, translated_reply
from tests.routing.wire.test_openai_translated import ENVELOPE, USAGE

PAINTED = json.dumps({
    "candidates": [{"content": {"parts": [
        {"inlineData": {"mimeType": "image/png", "data": "ZHJhZnQ="}, "thought": True},
        {"inlineData": {"mimeType": "image/png", "data": "iVBO"}, "thoughtSignature": "S"},
        {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/"}},
    ]}, "finishReason": "STOP"}],
}).encode()  # fmt: skip
IMAGES = [
    {"type": "image_url", "index": 0, "image_url": {"url": "data:image/png;base64,iVBO"}},
    {"type": "image_url", "index": 1, "image_url": {"url": "data:image/jpeg;base64,/9j/"}},
]


def test_images_that_gemini_paints_come_as_openrouter_gives_them() -> None:
    answer = gemini.read_answer(PAINTED, Quirks())
    body = translated_reply.write_answer(answer, envelope=ENVELOPE, usage=USAGE, cost=None)
    ChatCompletion.model_validate_json(body, strict=True)
    message = json.loads(body)["choices"][0]["message"]
    assert (message["images"], message["content"]) == (IMAGES, "")


def test_images_are_streamed_whole() -> None:
    told: list[Piece] = [
        MediaPiece("image/png", "iVBO"),
        MediaPiece("audio/wav", "UklG"),
        MediaPiece("image/jpeg", "/9j/"),
    ]
    writer = pieces.Writer(ENVELOPE)
    stream = b"".join((*map(writer.write, told), writer.close(USAGE, None)))
    events = [event.removeprefix(b"data: ") for event in stream.split(b"\n\n")[:-2]]
    for event in events:
        ChatCompletionChunk.model_validate_json(event, strict=True)
    deltas = [choice["delta"] for event in events for choice in json.loads(event)["choices"]]
    assert [image for delta in deltas for image in delta.get("images", ())] == IMAGES


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "responses"])
@pytest.mark.parametrize("kind", ["image/png", "audio/wav"])
def test_an_answer_of_media_alone_is_not_empty(dialect: str, kind: str) -> None:
    offer = catalog_index.current().find("gemini", "gemini-2.5-flash")
    assert offer is not None
    chat = ChatRequest(
        dialect=dialect, body={}, model="m", stream=True, wants_usage=False, max_tokens=None,
        needs=frozenset(), input_tokens=1, size=1,
    )  # fmt: skip
    reply = dialects.read_reply(chat, offer, PAINTED.replace(b"image/png", kind.encode()))
    assert not reply.is_empty
    whole: Any = dialects.write_reply(
        chat, reply, body_id="chatcmpl-1", model="m", usage=USAGE, cost=None
    )
    assert json.loads(whole)["id"]

    relay = dialects.relay(chat, offer, "msg_1")
    relay.feed(b"data: " + PAINTED + b"\n\n")
    relay.end()
    assert relay.has_content
