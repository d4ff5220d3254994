"""A sandbox process of the tests' own, and a client for it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]
HEADER = "x-sandbox-fault"


class Sandbox:
    """What a test may do with a running sandbox."""

    def __init__(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port, self.process = port, process
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def post(self, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        return self.client.post(path, json=body, headers=headers)

    def get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"/_control/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None


@contextmanager
def running(*options: str) -> Iterator[Sandbox]:
    """A sandbox on a free port, until the block ends."""
    command = [sys.executable, "-m", "routing.sandbox", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().split()[-1])
        sandbox = Sandbox(port, process)
        yield sandbox
        sandbox.client.close()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
