"""A process that is told to stop answers what is on its way, and takes leave of each client."""

import socket
import time

import pytest

from gateway_project import limits
from gateway_project.limits import GuardedProtocol
from tests.servers.gateway import Gateway, wait_for

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LEAN = b"GET /v1/key HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def client(gateway: Gateway) -> socket.socket:
    port = int(gateway.url.rsplit(":", 1)[-1])
    return socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.parametrize("request_", [ASK, LEAN], ids=["probe", "api"])
def test_while_it_drains_each_answer_is_the_last_on_its_connection(
    client: socket.socket, monkeypatch: pytest.MonkeyPatch, request_: bytes
) -> None:
    with client:
        client.sendall(request_)
        assert b"connection: close" not in client.recv(4096)

        monkeypatch.setattr(GuardedProtocol, "is_draining", True)
        client.sendall(request_)

        assert b"connection: close" in client.recv(4096)
        assert client.recv(1) == b""


@pytest.mark.parametrize("is_new", [True, False])
def test_a_request_on_its_way_when_the_process_stops_is_answered(
    client: socket.socket, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    monkeypatch.setattr(limits, "LAST_CALL_SECONDS", 5)
    with client:
        if not is_new:
            client.sendall(ASK)
            client.recv(4096)
        wait_for(lambda: gateway.stop_connections() > 0, "it is connected")

        client.sendall(ASK)

        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert client.recv(1) == b""


def test_an_idle_connection_is_closed_when_nothing_more_comes(
    client: socket.socket, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LAST_CALL_SECONDS", 0.01)
    with client:
        wait_for(lambda: gateway.stop_connections() > 0, "it is connected")

        assert client.recv(1) == b""


def test_a_head_that_is_half_sent_when_the_process_stops_may_come_in_whole(
    client: socket.socket, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LAST_CALL_SECONDS", 0.1)
    with client:
        client.sendall(ASK[:20])
        wait_for(lambda: gateway.stop_connections() > 0, "it is connected")
        time.sleep(0.3)  # longer than an idle connection would be kept

        client.sendall(ASK[20:])

        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert client.recv(1) == b""
