"""The gateway on a loop of its own in this process: the real application, server and sockets."""

import socket
import threading
import time
from collections.abc import Callable

import httpx
import uvicorn

from gateway_project.limits import GuardedProtocol
from routing import runtime


class Gateway:
    """A running gateway; `url` is where clients point their base URL (plus /v1)."""

    def __init__(self) -> None:
        from gateway_project.asgi import application

        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(
            application,
            http=GuardedProtocol,
            loop="uvloop",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, "the gateway starts")

    def client(self, key: str = "") -> httpx.Client:
        """An HTTP client that sends this gateway key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def settle(self) -> None:
        """Wait until no call is open and all that is on the books is in the database."""
        ledger = runtime.current().ledger
        wait_for(lambda: not ledger.open_calls, "every call ends")
        asked = time.monotonic()
        ledger.shipper.nudge()
        wait_for(lambda: ledger.shipper.shipped_at > asked, "everything is shipped")

    def stop_connections(self) -> int:
        """Tell each connection that the server stops; how many there are."""
        connections = list(self._server.server_state.connections)
        for one in connections:
            if isinstance(one, GuardedProtocol):
                one.loop.call_soon_threadsafe(one.shutdown)
        return len(connections)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)

    def _run(self, listening: socket.socket) -> None:
        self._server.run(sockets=[listening])


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = 15.0) -> None:
    """Poll until something is so. Raises AssertionError that says what was waited for."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.01)
