"""Requests on bare sockets: what HTTP allows and libraries seldom do."""

import json
import socket
import time

import pytest

from routing import runtime
from tests.journeys.conftest import Caller
from tests.servers.gateway import wait_for

BODY = json.dumps(
    {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
).encode()
STREAMED = json.dumps({**json.loads(BODY), "stream": True}).encode()
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


def connected(caller: Caller) -> socket.socket:
    port = int(caller.gateway.url.rsplit(":", 1)[-1])
    return socket.create_connection(("127.0.0.1", port), timeout=10)


@pytest.mark.parametrize(("place", "status"), [("header", b"200"), ("trailer", b"401")])
def test_a_trailer_is_no_header(caller: Caller, place: str, status: bytes) -> None:
    key = f"Authorization: Bearer {caller.test_key}\r\n"
    header, trailer = (key, "") if place == "header" else ("", key)
    with connected(caller) as connection:
        connection.sendall(f"{HEAD}{header}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(BODY), BODY, trailer.encode()))

        assert connection.recv(4096).startswith(b"HTTP/1.1 %b " % status)


@pytest.mark.parametrize(("who", "answered"), [("stranger", True), ("caller", False)])
def test_the_body_of_a_stranger_is_not_waited_for(
    caller: Caller, who: str, *, answered: bool
) -> None:
    """20 of them filled 360 MB before the first one was refused."""
    key = caller.test_key if who == "caller" else "flo2_test_nobody"
    with connected(caller) as connection:
        connection.settimeout(10 if answered else 0.3)
        head = f"{HEAD}Authorization: Bearer {key}\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head.encode() + b"{")
        try:
            told = connection.recv(4096)
        except TimeoutError:
            told = b""

    assert (b"401 Unauthorized" in told and b"connection: close" in told) is answered
    assert bool(told) is answered


@pytest.mark.parametrize("has_come", [True, False], ids=["at once", "in two parts"])
def test_a_wish_for_another_protocol_is_passed_over(caller: Caller, *, has_come: bool) -> None:
    """As Java's HTTP client has it on a plain connection."""
    wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n"
    key = f"Authorization: Bearer {caller.test_key}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    with connected(caller) as connection:
        for head in (HEAD + wish + key, HEAD + key):  # and the connection goes on
            whole = head.encode() + BODY
            cut = len(whole) if has_come else len(whole) - 5
            connection.sendall(whole[:cut])
            time.sleep(0 if has_come else 0.05)
            connection.sendall(whole[cut:])

            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_the_gateway_is_no_proxy(caller: Caller) -> None:
    with connected(caller) as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")

        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_with_a_request_in_the_queue_ends_its_call(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    key = f"Authorization: Bearer {caller.test_key}\r\nx-flo2-simulate: openai=slow@5000\r\n"
    length = f"Content-Length: {len(STREAMED)}\r\n\r\n"
    calls = runtime.current().ledger.open_calls
    with connected(caller) as connection:
        connection.sendall(((HEAD + key + length).encode() + STREAMED) * 2)
        wait_for(lambda: bool(calls), "the first call is open")

    wait_for(lambda: not calls, "the call ends")
    caller.gateway.settle()

    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
