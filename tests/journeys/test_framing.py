"""Requests on bare sockets: what HTTP allows and libraries seldom do."""

import json
import socket

import pytest

from tests.journeys.conftest import Caller

BODY = json.dumps(
    {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
).encode()
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
