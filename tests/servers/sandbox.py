"""The sandbox as a process of its own, with its switches for tests."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]


class Sandbox:
    """A running sandbox: where it is, what it was asked, and what it shall do wrong."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "routing.sandbox", "--port", "0", "--faults"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = f"http://127.0.0.1:{int(line.rsplit(maxsplit=1)[-1])}"
        self._http = httpx.Client(base_url=f"{self.url}/_control", trust_env=False)

    def fail(self, slug: str, fault: str, *, times: int | None = None) -> None:
        """Make a provider misbehave, for so many exchanges or until `heal`."""
        self._put(f"/faults/{slug}", {"fault": fault, "times": times})

    def heal(self) -> None:
        self._http.delete("/faults").raise_for_status()
        self._http.delete("/requests").raise_for_status()

    def requests(self, slug: str) -> list[dict[str, Any]]:
        """What a provider was asked since `heal`, oldest first; credentials masked."""
        return self._get("requests", slug=slug)

    def billed(self) -> list[dict[str, Any]]:
        """The exchanges that a provider would have billed."""
        return self._get("billed")

    def open(self) -> dict[str, Any]:
        """How many exchanges are open, and when aborted ones were noticed."""
        answer: dict[str, Any] = self._http.get("/open").json()
        return answer

    def stop(self) -> None:
        self._http.close()
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout:
            self._process.stdout.close()

    def _get(self, what: str, **query: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._http.get(f"/{what}", params=query).json()[what]
        return listed

    def _put(self, path: str, content: dict[str, Any]) -> None:
        self._http.put(path, json=content).raise_for_status()
