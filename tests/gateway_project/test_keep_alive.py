"""When a connection is closed for being idle, and when it is not."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from gateway_project import limits
from gateway_project.limits import GuardedProtocol
from tests.servers.gateway import wait_for

IDLE_S = 1  # uvicorn takes whole seconds
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Server:
    """A page of two bytes behind our protocol; answers wait while `release` is not set."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.release.set()
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(16)
        self.address: tuple[str, int] = listening.getsockname()
        config = uvicorn.Config(
            self._answer,
            http=GuardedProtocol,
            loop="uvloop",
            ws="websockets-sansio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            timeout_keep_alive=IDLE_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, "the server starts")

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await asyncio.to_thread(self.release.wait)
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=10 * IDLE_S)

    def stop(self) -> None:
        self.release.set()
        self._server.should_exit = True
        self._thread.join(timeout=10)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


def ask(connection: socket.socket) -> bytes:
    connection.sendall(REQUEST)
    return connection.recv(4096)


def test_an_idle_connection_is_closed(server: Server) -> None:
    with server.connect() as connection:
        assert ask(connection).endswith(b"ok")

        assert connection.recv(1) == b""


def test_a_connection_on_which_nothing_is_asked_is_closed(server: Server) -> None:
    with server.connect() as connection:
        assert connection.recv(1) == b""


def test_a_connection_in_use_stays(server: Server) -> None:
    """Asked again and again, for longer than it may be idle."""
    with server.connect() as connection:
        idle = threading.Event()
        answers = []
        for _ in range(8):
            answers.append(ask(connection)[-2:])
            idle.wait(IDLE_S / 4)

        assert answers == [b"ok"] * 8


def test_an_answer_may_take_longer_than_a_connection_may_be_idle(server: Server) -> None:
    with server.connect() as connection:
        assert ask(connection).endswith(b"ok")
        server.release.clear()
        connection.sendall(REQUEST)
        threading.Timer(2.5 * IDLE_S, server.release.set).start()

        assert connection.recv(4096).endswith(b"ok")


def test_a_request_that_has_begun_is_not_cut_for_the_time_before_it(server: Server) -> None:
    with server.connect() as connection:
        assert ask(connection).endswith(b"ok")
        threading.Event().wait(0.8 * IDLE_S)
        connection.sendall(REQUEST[:20])
        threading.Event().wait(0.5 * IDLE_S)
        connection.sendall(REQUEST[20:])

        assert connection.recv(4096).endswith(b"ok")


def test_a_web_socket_may_be_silent(server: Server) -> None:
    with server.connect() as connection:
        assert ask(connection).endswith(b"ok")
        connection.sendall(UPGRADE)
        assert connection.recv(4096).startswith(b"HTTP/1.1 101 ")

        connection.settimeout(2 * IDLE_S)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_some_requests_may_be_sent_at_once(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(REQUEST * 20)
        said = b""
        while said.count(b"ok") < 20:
            said += connection.recv(4096)


def test_requests_do_not_pile_up_behind_a_slow_answer(server: Server) -> None:
    with server.connect() as connection:
        server.release.clear()
        connection.sendall(REQUEST * (limits.MOST_PIPELINED + 2))

        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"GET /", b"GET /?" + 9000 * b"x"),
        (b"\r\n\r\n", b"\r\nCookie: " + 9000 * b"x" + b"\r\n\r\n"),
        (b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello"),
        (b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ],
    ids=["long line", "long cookie", "body", "chunked body"],
)
def test_a_handshake_that_cannot_be_read_is_answered_and_closed(
    before: bytes, after: bytes, server: Server
) -> None:
    with server.connect() as connection:
        connection.sendall(UPGRADE.replace(before, after, 1))

        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert connection.recv(1) == b""
