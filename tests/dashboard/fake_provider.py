"""A provider on this machine: it lists models for one key and refuses all others."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODELS = ("llama-3.3-70b-versatile", "openai/gpt-oss-120b")


class FakeProvider:
    def __init__(self, good_key: str) -> None:
        self.good_key = good_key
        self.seen_keys: list[str] = []
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/openai/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    provider: FakeProvider

    def do_GET(self) -> None:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.provider.seen_keys.append(key)
        if key == self.provider.good_key:
            self._answer(200, {"object": "list", "data": [{"id": name} for name in MODELS]})
        else:
            error = {"message": "Invalid API Key", "type": "invalid_request_error",
                     "code": "invalid_api_key"}  # fmt: skip
            self._answer(401, {"error": error})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Say nothing."""


@contextmanager
def running(good_key: str) -> Iterator[FakeProvider]:
    provider = FakeProvider(good_key)
    try:
        yield provider
    finally:
        provider.stop()
