"""`python -m tests.e2e.stopwatch [FOLDER]`: a newcomer by stop-watch, in a fresh clone.

From `make run` to the first costed call through a provider key of one's own; the provider is a
server on this machine that its base URL was overridden to. Reads and types as people do. Prints
each step with its time, and leaves a screenshot of each page in the folder.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e import prepare
from tests.e2e.demo import NOT_OURS, ROOT, free_port
from tests.e2e.provider import GOOD_KEY, Provider
from tests.e2e.steps import NEW_PASSWORD

MOST_SECONDS = 180
READS_SECONDS = 6.0  # what a page or the terminal says, before the next step
TYPES_MS = 150  # a key
READY = "flo2 is running."
ANSWERED = "Hello from Groq."


class Newcomer:
    """Somebody with a terminal and a browser, and a watch."""

    def __init__(self, shots: Path | None) -> None:
        self._last = time.monotonic()
        self._shots = shots
        self.steps: list[tuple[str, float]] = []

    def did(self, step: str, page: Page | None = None) -> None:
        took = time.monotonic() - self._last
        self.steps.append((step, took))
        print(f"{self.seconds:6.1f} s  (+{took:5.1f})  {step}", flush=True)
        if page and self._shots:
            name = re.sub(r"\W+", "-", step.lower()).strip("-")[:50]
            page.screenshot(path=self._shots / f"{len(self.steps):02} {name}.png", full_page=True)
        self._last = time.monotonic()  # pictures are not on the watch
        time.sleep(READS_SECONDS)

    @property
    def seconds(self) -> float:
        return sum(took for _, took in self.steps)


class Clone:
    """A fresh clone, and `make run` in it."""

    def __init__(self, provider: Provider) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="flo2-newcomer-"))
        source = self._folder / "flo2"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
        port = free_port()
        self.url = f"http://localhost:{port}"
        kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
        self._log = self._folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["make", "run"],
                cwd=source,
                env={**kept, "FLO2_PORT": str(port), "FLO2_PROVIDER_GROQ_BASE_URL": provider.url},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_it_runs(self) -> None:
        while READY not in self._log.read_text():
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text())
            time.sleep(0.1)

    def stop(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)  # as Ctrl-C does
        self._process.wait(timeout=40)
        shutil.rmtree(self._folder, ignore_errors=True)


def run(shots: Path | None = None) -> Newcomer:
    """The whole way. Raises where a step does not lead to the next one."""
    provider = Provider()
    somebody = Newcomer(shots)
    clone = Clone(provider)
    try:
        clone.wait_until_it_runs()
        somebody.did("make run: the greeting is on the terminal")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=prepare.browser(), args=["--no-sandbox"]
            )
            page = browser.new_page(base_url=clone.url, viewport={"width": 1280, "height": 800})
            context = page.context
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            context.set_default_timeout(10_000)
            _go(page, somebody)
            browser.close()
    finally:
        clone.stop()
        provider.stop()
    return somebody


def _go(page: Page, somebody: Newcomer) -> None:
    page.goto("/")
    somebody.did("Open the printed address: the landing page", page)
    page.get_by_role("link", name="Get your key").click()
    somebody.did("Get your key: the sign-up form", page)
    page.get_by_label("Email").press_sequentially("newcomer@example.org", delay=TYPES_MS)
    page.get_by_label("Password").press_sequentially(NEW_PASSWORD, delay=TYPES_MS)
    page.get_by_label("I accept").check()
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Your keys")).to_be_visible()
    somebody.did("Email, password, consent: both keys are shown", page)
    export = _copied(page, "export")
    page.get_by_role("link", name="I stored both keys").click()
    somebody.did("Copy the line with the live key, I stored both keys: first steps", page)
    page.get_by_role("link", name="Paste a provider key").click()
    somebody.did("Paste a provider key: the providers", page)
    groq = page.locator("#groq")
    groq.get_by_label("Key").fill(GOOD_KEY)
    groq.get_by_role("button", name="Save and verify").click()
    expect(groq.get_by_text("Groq accepts the key")).to_be_visible()
    somebody.did("Paste it, Save and verify: Groq accepts it", page)
    pasted = f"{export}\n{_copied(page, 'groq-try')}"
    command = ["bash", "-c", pasted]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ANSWERED in said.stdout, said.stdout
    somebody.did("Paste that line and the snippet into a terminal: Groq's answer")
    groq.get_by_role("link", name="Calls").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody data.money")).not_to_have_text("$0.00")
    somebody.did("Calls: the call with its cost", page)


def _copied(page: Page, code: str) -> str:
    """What the copy button beside it puts into the clipboard."""
    page.locator(f"button[data-copy='{code}']").click()
    copied: str = page.evaluate("navigator.clipboard.readText()")
    return copied


def main() -> int:
    shots = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    somebody = run(shots)
    print(f"{somebody.seconds:.1f} s in all, at most {MOST_SECONDS}")
    return int(somebody.seconds > MOST_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
