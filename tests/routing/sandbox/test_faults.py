"""Every fault at every provider: on the wire, and as the gateway's classifier reads it."""

import socket
import time
from typing import Any

import httpx
import pytest

from routing.upstream import failures
from routing.upstream.failures import FailureKind
from tests.routing.sandbox import server, sse_reader
from tests.routing.sandbox.server import HEADER, Sandbox
from tests.routing.sandbox.speakers import ALL, BY_NAME
from tests.routing.sandbox.speaking import Speaker

KINDS = {
    "400": FailureKind.CALLER,
    "400credit": FailureKind.BILLING,
    "401": FailureKind.AUTH,
    "402": FailureKind.BILLING,
    "403": FailureKind.PERMISSION,
    "404": FailureKind.MODEL_MISSING,
    "408": FailureKind.SERVER,
    "413": FailureKind.CONTEXT,
    "422": FailureKind.CALLER,
    "429": FailureKind.RATE_LIMIT,
    "429quota": FailureKind.BILLING,
    "498": FailureKind.RATE_LIMIT,
    "500": FailureKind.SERVER,
    "502": FailureKind.SERVER,
    "503": FailureKind.OVERLOADED,
    "529": FailureKind.OVERLOADED,
}

# Retry-After where the provider sends it; Gemini tells it in the body.
WAITS = {"openai", "openai responses", "anthropic", "groq", "mistral", "openrouter", "gemini",
         "gemini compat"}  # fmt: skip


def cells() -> list[Any]:
    return [
        pytest.param(speaker, fault, id=f"{speaker}-{fault}") for speaker in ALL for fault in KINDS
    ]


def post(
    sandbox: Sandbox, speaker: Speaker, fault: str, *, stream: bool = False, model: str = ""
) -> httpx.Response:
    model = model or speaker.model
    body = speaker.body("Say hello.", model=model, stream=stream)
    headers = {**speaker.headers, HEADER: fault}
    return sandbox.post(speaker.url(stream=stream, model=model), body, headers)


@pytest.mark.parametrize(("speaker", "fault"), cells())
def test_the_classifier_reads_each_providers_own_error(
    sandbox: Sandbox, speaker: Speaker, fault: str
) -> None:
    answer = post(sandbox, speaker, fault)

    failure = failures.classify(answer.status_code, answer.headers.raw, answer.content)
    assert answer.status_code == int(fault[:3])
    assert failure.kind is KINDS[fault]
    assert failure.message


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_a_throttled_request_is_told_to_wait_where_the_provider_tells(
    sandbox: Sandbox, speaker: Speaker
) -> None:
    answer = post(sandbox, speaker, "429")

    wait = failures.retry_after(
        [(name.lower(), value) for name, value in answer.headers.raw], answer.content
    )
    assert wait == (1.0 if speaker.name in WAITS else None)


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_an_error_is_the_same_for_a_stream(sandbox: Sandbox, speaker: Speaker) -> None:
    answer = post(sandbox, speaker, "503", stream=True)

    assert answer.status_code == 503
    assert "event-stream" not in answer.headers["content-type"]


@pytest.mark.parametrize(
    ("name", "envelope"),
    [
        ("cerebras", {"message", "type", "param", "code"}),
        ("openai", {"error"}),
        ("anthropic", {"type", "error", "request_id"}),
        ("groq", {"error"}),
        ("gemini", {"error"}),
        ("deepinfra", {"detail"}),
        ("mistral", {"object", "message", "type", "param", "code", "raw_status_code"}),
        ("xai", {"code", "error"}),
        ("openrouter", {"error", "user_id"}),
        ("nvidia", {"status", "title", "detail"}),
    ],
)
def test_errors_come_in_the_providers_own_envelope(
    sandbox: Sandbox, name: str, envelope: set[str]
) -> None:
    assert post(sandbox, BY_NAME[name], "500").json().keys() == envelope


def test_gemini_compat_puts_its_errors_into_a_list_of_one(sandbox: Sandbox) -> None:
    content = post(sandbox, BY_NAME["gemini compat"], "429").json()

    assert [one["error"]["status"] for one in content] == ["RESOURCE_EXHAUSTED"]


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_502_is_a_page_of_a_proxy(sandbox: Sandbox, speaker: Speaker) -> None:
    answer = post(sandbox, speaker, "502")

    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<html>")


@pytest.mark.parametrize("speaker", ALL, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_empty_is_a_well_formed_answer_without_content(
    sandbox: Sandbox, speaker: Speaker, stream: bool
) -> None:
    answer = post(sandbox, speaker, "empty", stream=stream, model=speaker.thinker)

    reply = speaker.read_stream(answer.content) if stream else speaker.read(answer.json())
    assert (reply.text, reply.thoughts, reply.calls) == ("", "", [])
    assert reply.terminated
    assert reply.finish == speaker.ends["stop"]


@pytest.mark.parametrize("speaker", ALL, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_garbage_is_a_200_that_nobody_can_read(
    sandbox: Sandbox, speaker: Speaker, stream: bool
) -> None:
    answer = post(sandbox, speaker, "garbage", stream=stream)

    assert answer.status_code == 200
    with pytest.raises(ValueError):  # noqa: PT011  JSON and UTF-8 both fail with it
        speaker.read_stream(answer.content) if stream else speaker.read(answer.json())


@pytest.mark.parametrize("speaker", ALL, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_reset_ends_the_connection_before_its_first_byte(
    sandbox: Sandbox, speaker: Speaker, stream: bool
) -> None:
    with pytest.raises(httpx.ReadError):
        post(sandbox, speaker, "reset", stream=stream)


def test_reset_is_an_error_of_the_socket_and_no_end_of_file(sandbox: Sandbox) -> None:
    head = f"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\n{HEADER}: reset\r\n"
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as line:
        line.sendall(head.encode() + b"Content-Length: 2\r\n\r\n{}")
        with pytest.raises(ConnectionResetError):
            line.recv(100)


def _read_until_broken(sandbox: Sandbox, speaker: Speaker, fault: str, *, stream: bool) -> bytes:
    body = speaker.body("Say hello.", model=speaker.model, stream=stream)
    headers = {**speaker.headers, HEADER: fault}
    url = speaker.url(stream=stream)
    raw = b""
    with (
        pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout)),
        httpx.Client(base_url=sandbox.url, trust_env=False, timeout=0.2) as client,
        client.stream("POST", url, json=body, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        for block in answer.iter_raw():
            raw += block
    return raw


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_a_cut_stream_breaks_off_after_so_many_chunks(sandbox: Sandbox, speaker: Speaker) -> None:
    raw = _read_until_broken(sandbox, speaker, "cut@2", stream=True)

    whole = raw if sse_reader.read(raw).is_whole else raw[: raw.rfind(b"\n\n") + 2]
    reply = speaker.read_stream(whole)
    assert not reply.terminated
    assert not reply.finish
    assert 4 <= len(reply.text) <= 40


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_a_stream_cut_late_still_lacks_its_end(sandbox: Sandbox, speaker: Speaker) -> None:
    raw = _read_until_broken(sandbox, speaker, "cut@9999", stream=True)

    reply = speaker.read_stream(raw)
    assert "You wrote" in reply.text
    assert not reply.terminated


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_a_cut_answer_is_shorter_than_it_says(sandbox: Sandbox, speaker: Speaker) -> None:
    raw = _read_until_broken(sandbox, speaker, "cut@1", stream=False)

    assert len(raw) > 20


@pytest.mark.parametrize("speaker", ALL, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stalled_answer_has_a_head_and_then_nothing(
    sandbox: Sandbox, speaker: Speaker, stream: bool
) -> None:
    raw = _read_until_broken(sandbox, speaker, "stall", stream=stream)

    if stream:
        events = sse_reader.read(raw)
        assert events.is_whole
        assert not any("sandbox]" in event.data for event in events)
    else:
        assert raw == b""


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_slow_answer_is_late_and_right(sandbox: Sandbox, stream: bool) -> None:
    speaker = BY_NAME["groq"]
    began = time.monotonic()

    answer = post(sandbox, speaker, "slow@300", stream=stream)

    assert time.monotonic() - began >= 0.3
    assert answer.status_code == 200


@pytest.mark.parametrize("fault", ["refused", "timeout", "nokey", "600", "cut@", "slow@x", "?"])
def test_what_is_no_fault_is_told_by_name(sandbox: Sandbox, fault: str) -> None:
    answer = post(sandbox, BY_NAME["openai"], fault)

    assert answer.status_code == 400
    assert fault in answer.text


def test_faults_work_without_the_control_api() -> None:
    with server.running() as bare:
        assert post(bare, BY_NAME["groq"], "429").status_code == 429
        assert bare.client.get("/_control/requests").status_code == 404
        assert bare.client.put("/_control/faults/groq", json={"fault": "500"}).status_code == 404
        assert post(bare, BY_NAME["groq"], "").status_code == 200
