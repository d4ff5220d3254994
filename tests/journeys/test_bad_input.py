"""Wrong requests: each gets the contract's error in the OpenAI shape, and says what to do."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller

PATH = "/v1/chat/completions"


def error_of(answer: httpx.Response) -> Any:
    """The error object; every answer has our headers and the shape."""
    assert answer.headers["x-flo2-call-id"].startswith("call_")
    assert answer.headers["request-id"] == answer.headers["x-flo2-call-id"]
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert {"message", "type", "code", "param", "source", "call_id"} <= error.keys()
    assert "Traceback" not in error["message"]
    return error


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'{"model": "auto"}', "messages"),
        (b'{"model": 1, "messages": [{}]}', "model"),
        (b'{"model": "auto", "messages": [{}], "stream": "yes"}', "stream"),
        (b'{"model": "auto", "messages": [{}], "max_tokens": NaN}', None),
        (b'{"model": "a b", "messages": [{}]}', "model"),
        (b'{"model": "auto", "messages": ["\\ud800"]}', None),
        (b'{"model": "auto", "messages": [{}], "provider": {"zdr": true}}', "provider.zdr"),
    ],
)
def test_a_body_that_cannot_be_understood_is_a_400(
    caller: Caller, body: bytes, param: str | None
) -> None:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(PATH, content=body)
    assert answer.status_code == 400
    assert answer.headers["x-should-retry"] == "false"
    error = error_of(answer)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "key",
    ["", "nonsense", "flo2_live_", "sk-abc", "flo2_test_" + "0" * 42, "Bearer", "ü" * 20],
)
def test_a_wrong_key_is_a_401_in_the_openai_shape(caller: Caller, key: str) -> None:
    with caller.gateway.client() as http:
        sent = {b"authorization": f"Bearer {key}".encode()} if key else {}
        answer = http.post(PATH, json={}, headers=sent)
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "invalid_api_key"


def test_an_unknown_model_is_a_404_with_near_names_and_on_the_books(caller: Caller) -> None:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(PATH, json={"model": "gpt-oss-121b", "messages": MESSAGES})
    assert answer.status_code == 404
    error = error_of(answer)
    assert error["code"] == "model_not_found"
    assert "gpt-oss-120b" in error["message"]
    call, attempts = books.last(caller)
    assert (call.status, call.error_code, attempts) == ("refused", "model_not_found", [])


def test_a_live_key_without_provider_keys_says_where_to_paste_one(caller: Caller) -> None:
    with caller.gateway.client(caller.live_key) as http:
        answer = http.post(PATH, json={"model": "llama-3.3-70b", "messages": MESSAGES})
    assert answer.status_code == 424
    error = error_of(answer)
    assert error["code"] == "no_provider_key"
    assert "Groq" in error["message"]
    assert "/dashboard/providers/" in error["message"]


def test_a_body_of_300_mb_is_refused_at_once(caller: Caller) -> None:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {caller.test_key}\r\n"
        "Content-Length: 314572800\r\n\r\n"
    ).encode()
    answer = bare(caller, head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["code"] == "payload_too_large"


def test_a_chunked_body_without_end_is_refused_when_it_is_too_large(caller: Caller) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(400):
            yield b"x" * 65_536

    with caller.gateway.client(caller.test_key) as http:
        try:
            answer = http.post(PATH, content=endless())
        except httpx.WriteError:
            return  # the connection was closed under the flood: as good
    assert answer.status_code == 413


LENGTHS = b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\n"
ENCODED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", 431),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost/x?\r\n\r\n", 400),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (LENGTHS + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (LENGTHS + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (ENCODED + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415),
    ],
)  # fmt: skip
def test_a_head_beyond_the_limits_is_refused(caller: Caller, head: bytes, status: int) -> None:
    assert bare(caller, head).startswith(b"HTTP/1.1 %d " % status)


def bare(caller: Caller, data: bytes) -> bytes:
    """Send bytes as they are; what comes back until the connection ends or is silent."""
    url = httpx.URL(caller.gateway.url)
    with socket.create_connection((url.host, url.port or 80), timeout=3) as connection:
        connection.sendall(data)
        connection.settimeout(2)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except TimeoutError:
            pass
        return answer


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/nothing", 404),
        ("POST", "/v1/v1/chat/completions", 404),
        ("POST", "/chat/completions", 404),
        ("POST", "/v1/images/generations", 404),
        ("GET", "/v1/models/nobody-knows-this", 404),
        ("GET", "/v1/generation", 404),
        ("GET", "/v1/generation?id=call_0000000000000000000000", 404),
    ],
)
def test_a_wrong_path_or_method_is_a_json_error(
    caller: Caller, method: str, path: str, status: int
) -> None:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.request(method, path)
    assert answer.status_code == status
    error = error_of(answer)
    if path.endswith("completions") and status == 404:
        assert "/v1" in error["message"]


@pytest.mark.parametrize("header", ["x-flo2-nope", "x-flo2-timeout-ms", "x-flo2-simulate"])
def test_an_option_that_is_unknown_or_malformed_is_named(caller: Caller, header: str) -> None:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(
            PATH, json={"model": "auto", "messages": MESSAGES}, headers={header: "x"}
        )
    assert answer.status_code == 400
    assert header in error_of(answer)["message"]


def test_another_tenants_call_looks_unknown(caller: Caller) -> None:
    from accounts import audit, gateway_keys, signup
    from accounts.gateway_keys import KeyTerms
    from accounts.models import User
    from accounts.tenancy import tenant_scope

    answer = caller.openai().chat.completions.create(model="auto", messages=MESSAGES)
    stranger = User.objects.create_user("stranger@example.org", "a good long password")
    tenant = signup.create_tenant(stranger)
    with tenant_scope(tenant.pk):
        terms = KeyTerms(name="k", mode="test")
        key = gateway_keys.issue(tenant, terms, actor=audit.person(stranger)).text.reveal()
    with caller.gateway.client(key) as http:
        theirs = http.get("/v1/generation", params={"id": answer.id})
        unknown = http.get("/v1/generation", params={"id": "chatcmpl-" + "0" * 22})
    assert theirs.status_code == unknown.status_code == 404
    assert error_of(theirs)["message"] == error_of(unknown)["message"]
