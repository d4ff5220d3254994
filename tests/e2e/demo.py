"""The real thing: `manage.py up --demo` in a data directory of its own, on a free port."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
OWNER, PASSWORD = "demo@flo2.example", "flo2-demo-password"  # as the greeting says
OPERATOR = "operator@flo2.example"
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "FLO2_DEMO", "FLO2_PUBLIC_URL", "EMAIL_URL", "DEBUG")


class Demo:
    """A running demo. `test_key` is the one that it printed."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="flo2-e2e-"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        self.environment = {
            **inherited,
            "FLO2_DATA_DIR": str(self.data / "data"),
            "FLO2_PORT": str(port),
            **(environment or {}),
        }
        self._log = self.data / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--demo"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.test_key = self._wait_for_greeting()

    def seed(self) -> None:
        """A month of calls for the demo tenant."""
        subprocess.run(
            [sys.executable, "-m", "tests.e2e.seed"],
            cwd=ROOT,
            env={**self.environment, "FLO2_DEMO": "1"},
            check=True,
        )

    def call(
        self, key: str, model: str = "auto", *, text: str = "Say hi", **headers: str
    ) -> httpx.Response:
        """A chat call with a gateway key; when this returns, its record can be read."""
        with httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=20,
            trust_env=False,
        ) as client:  # fmt: skip
            answer = client.post(
                "/v1/chat/completions",
                headers=headers,
                json={"model": model, "messages": [{"role": "user", "content": text}]},
            )
            if answer.status_code == 200:
                call = answer.headers["x-flo2-call-id"]
                client.get("/v1/generation", params={"id": call}).raise_for_status()
            return answer

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.data, ignore_errors=True)

    def _wait_for_greeting(self) -> str:
        give_up = time.monotonic() + SECONDS
        while time.monotonic() < give_up:
            if found := re.search(r"flo2_test_[0-9A-Za-z]{42}", self._log.read_text()):
                return found[0]
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError(f"the demo did not start:\n{self._log.read_text()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
