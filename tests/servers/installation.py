"""A whole installation as an operator starts it: `manage.py up` with its own data directory."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.servers.gateway import wait_for

ROOT = Path(__file__).resolve().parents[2]


class Installation:
    """A running installation and the keys of its first tenant."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="flo2-up-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        self.environment = {**inherited, **self._settings(), **(environment or {})}
        self.manage("migrate", "--noinput")
        told = self.manage(
            "bootstrap", "--email", "owner@example.org", "--password", "a good long password",
            "--tenant", "Acme", "--json",
        )  # fmt: skip
        self.keys: dict[str, str] = json.loads(told)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.data / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_for(self.is_ready, "the installation is ready", seconds=30)

    def ask_to_stop(self) -> None:
        assert self._process
        self._process.terminate()

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(number)
            self._process.wait(timeout=40)
            self._process = None

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=1, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, module: str) -> int:
        """kill -9 the child processes that run a module; how many there were."""
        assert self._process
        killed = 0
        for pid in children(self._process.pid):
            if module in command_line(pid):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        return killed

    def add_provider_key(self, provider: str, secret: str) -> None:
        answer = httpx.post(
            f"{self.url}/api/v1/provider-keys",
            headers={"Authorization": f"Bearer {self.keys['management_key']}"},
            json={"provider": provider, "secret": secret},
            timeout=20,
            trust_env=False,
        )
        assert answer.status_code == 201, answer.text

    def _settings(self) -> dict[str, str]:
        key = base64.b64encode(os.urandom(32)).decode()
        return {
            "DJANGO_SETTINGS_MODULE": "gateway_project.settings",
            "FLO2_DATA_DIR": str(self.data),
            "FLO2_PORT": str(self.port),
            "FLO2_WORKERS": "1",
            "SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
            "FLO2_MASTER_KEYS": f"t:{key}",
            "FLO2_KEY_PEPPERS": f"t:{key}",
            "FLO2_DRAIN_SECONDS": "5",
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "FLO2_DEMO": "",
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def children(parent: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False
    )
    return [int(pid) for pid in listed.stdout.split()]


def command_line(pid: int) -> str:
    shown = subprocess.run(
        ["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout
