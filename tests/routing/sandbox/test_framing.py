"""Streams are framed as each provider frames them."""

import json
import socket

import pytest

from tests.routing.sandbox import sse_reader
from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import BY_NAME, CHAT
from tests.routing.sandbox.speaking import BEARER, Json, Speaker


def stream(sandbox: Sandbox, name: str, *, model: str = "", **more: object) -> bytes:
    speaker = BY_NAME[name]
    model = model or speaker.model
    body = speaker.body("Say hello.", model=model, stream=True, **more)
    answer = sandbox.post(speaker.url(stream=True, model=model), body, speaker.headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return answer.content


def chunks(raw: bytes) -> list[Json]:
    return [json.loads(e.data) for e in sse_reader.read(raw) if e.data != "[DONE]"]


@pytest.mark.parametrize("speaker", CHAT, ids=str)
def test_chat_streams_end_in_done_and_repeat_one_id(sandbox: Sandbox, speaker: Speaker) -> None:
    raw = stream(sandbox, speaker.name)

    assert raw.endswith(b"data: [DONE]\n\n")
    assert len({chunk["id"] for chunk in chunks(raw)}) == 1
    assert chunks(raw)[0]["choices"][0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize(
    ("name", "asked", "places"),
    [
        ("cerebras", None, ["finish"]),
        ("cerebras", True, ["apart"]),
        ("openai", None, []),
        ("openai", True, ["apart"]),
        ("groq", None, ["finish"]),
        ("groq", True, ["finish"]),
        ("deepinfra", None, ["apart"]),
        ("deepinfra", False, []),
        ("mistral", None, ["finish"]),
        ("xai", None, ["apart"]),
        ("openrouter", None, ["apart"]),
        ("nvidia", None, []),
        ("nvidia", True, ["apart"]),
        ("gemini compat", None, []),
    ],
)
def test_usage_comes_where_the_provider_puts_it(
    sandbox: Sandbox, name: str, asked: bool | None, places: list[str]
) -> None:
    more: Json = {} if asked is None else {"stream_options": {"include_usage": asked}}
    found = [chunk for chunk in chunks(stream(sandbox, name, **more)) if chunk.get("usage")]

    assert ["finish" if chunk["choices"] else "apart" for chunk in found] == places
    assert all(c["choices"][0]["finish_reason"] for c in found if c["choices"])


def test_openai_says_null_until_the_usage_it_was_asked_for(sandbox: Sandbox) -> None:
    found = chunks(stream(sandbox, "openai", stream_options={"include_usage": True}))

    assert [chunk["usage"] for chunk in found[:-1]] == [None] * (len(found) - 1)
    assert "usage" not in chunks(stream(sandbox, "openai"))[0]


def test_gemini_compat_repeats_the_growing_usage_in_every_chunk(sandbox: Sandbox) -> None:
    found = chunks(stream(sandbox, "gemini compat", stream_options={"include_usage": True}))
    counts = [chunk["usage"]["completion_tokens"] for chunk in found]

    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] > 10


def test_groq_tells_the_usage_twice_and_its_seed_first(sandbox: Sandbox) -> None:
    found = chunks(stream(sandbox, "groq"))

    assert found[-1]["x_groq"]["usage"] == found[-1]["usage"]
    assert found[0]["x_groq"]["seed"]
    assert all("x_groq" not in chunk for chunk in found[1:-1])


def test_cerebras_sends_several_tokens_per_chunk_and_its_times_last(sandbox: Sandbox) -> None:
    found = chunks(stream(sandbox, "cerebras"))
    texts = [c["choices"][0]["delta"].get("content") or "" for c in found]

    assert max(len(text) for text in texts) > 8
    assert [("time_info" in chunk) for chunk in found] == [False] * (len(found) - 1) + [True]


def test_openrouter_and_deepinfra_send_comments(sandbox: Sandbox) -> None:
    processing = sse_reader.read(stream(sandbox, "openrouter")).comments

    assert processing == ["OPENROUTER PROCESSING"] * 3
    assert sse_reader.read(stream(sandbox, "deepinfra")).comments[0].startswith("ping - ")


def test_openrouter_names_the_provider_behind_it_in_every_chunk(sandbox: Sandbox) -> None:
    assert all(chunk["provider"] for chunk in chunks(stream(sandbox, "openrouter")))


def test_xai_sends_no_finish_reason_before_the_last(sandbox: Sandbox) -> None:
    choices = [c["choices"][0] for c in chunks(stream(sandbox, "xai")) if c["choices"]]

    assert all("finish_reason" not in choice for choice in choices[:-1])
    assert choices[-1]["finish_reason"] == "stop"


def test_mistral_thinks_in_chunks_of_content(sandbox: Sandbox) -> None:
    found = chunks(stream(sandbox, "mistral", model="magistral-medium-latest"))
    contents = [c["choices"][0]["delta"].get("content") for c in found]

    assert any(isinstance(one, list) and one[0]["type"] == "thinking" for one in contents)


def test_gemini_ends_lines_with_cr_lf_and_has_no_done(sandbox: Sandbox) -> None:
    raw = stream(sandbox, "gemini")

    assert raw.count(b"\r\n\r\n") == len(sse_reader.read(raw).events)
    assert b"[DONE]" not in raw
    assert all("usageMetadata" in json.loads(e.data) for e in sse_reader.read(raw))


def test_anthropic_names_its_events_in_their_order(sandbox: Sandbox) -> None:
    names = [e.name for e in sse_reader.read(stream(sandbox, "anthropic", model="claude-opus-4-8"))]
    thinned = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]

    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert thinned == ["message_start", "ping", *block, *block, "message_delta", "message_stop"]


def test_a_thinking_block_is_signed_before_it_stops(sandbox: Sandbox) -> None:
    events = [
        json.loads(e.data)
        for e in sse_reader.read(stream(sandbox, "anthropic", model="claude-opus-4-8"))
    ]
    deltas = [e["delta"]["type"] for e in events if e["type"] == "content_block_delta"]

    assert deltas.index("text_delta") - deltas.index("signature_delta") == 1


def test_omitted_thinking_is_signed_and_empty(sandbox: Sandbox) -> None:
    thinking = {"type": "adaptive", "display": "omitted"}
    raw = stream(sandbox, "anthropic", model="claude-opus-4-8", thinking=thinking)

    assert b"thinking_delta" not in raw
    assert b"signature_delta" in raw


def test_responses_number_their_events_and_end_without_done(sandbox: Sandbox) -> None:
    raw = stream(sandbox, "openai responses", model="gpt-5-mini")
    names = [e.name for e in sse_reader.read(raw)]

    assert names[:2] == ["response.created", "response.in_progress"]
    assert names[-1] == "response.completed"
    assert b"[DONE]" not in raw
    assert names.count("response.output_item.done") == 2


def _socket_reads(sandbox: Sandbox, name: str) -> list[bytes]:
    """A stream as it comes out of the socket, read by read."""
    speaker = BY_NAME[name]
    body = json.dumps(speaker.body("Grüße, 東京 🎉", model=speaker.model, stream=True)).encode()
    head = f"POST {speaker.url(stream=True)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    fields = "".join(f"{key}: {value}\r\n" for key, value in speaker.headers.items())
    length = f"Content-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as line:
        line.sendall((head + fields + length).encode() + body)
        reads = []
        while block := line.recv(65536):
            reads.append(block)
    return reads


def test_frames_and_characters_are_cut_across_writes_where_a_provider_does_that(
    sandbox: Sandbox,
) -> None:
    reads = _socket_reads(sandbox, "openrouter")

    assert any(
        not block.rstrip(b"\r\n").endswith((b"}", b"]", b"PROCESSING", b"0")) for block in reads
    )


def test_several_frames_come_in_one_write_where_a_provider_does_that(sandbox: Sandbox) -> None:
    reads = _socket_reads(sandbox, "cerebras")

    assert any(block.count(b"data: {") > 1 for block in reads)


def test_nothing_is_ever_compressed(sandbox: Sandbox) -> None:
    headers = {**BEARER, "accept-encoding": "gzip, br, zstd"}
    speaker = BY_NAME["openai"]

    answer = sandbox.post(speaker.url(), speaker.body(model=speaker.model), headers)

    assert "content-encoding" not in answer.headers
