"""Open pages while calls come: one appears soon, and a thousand a second do not harm the page.

The short form runs on SQLite alone; FLO2_TEST_FULL=1 adds Redis, twenty seconds, and memory.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.demo import ROOT, Demo, free_port
from tests.e2e.steps import log_in
from tests.e2e.test_live_pages import SOON, wait_until_live
from tests.e2e.watching import Watch, memory
from tests.scale.measuring import load
from tests.servers.redis import Redis

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
RATE, SECONDS, CALLS = 1000, 20 if FULL else 5, 20 if FULL else 5
STARTED_SECONDS = 30
ROWS = 50  # that the page of calls shows
# From a click to the next picture: 200 ms is good, 500 ms poor (web.dev/articles/inp, 2026-11-20)
MOST_INPUT_MS = 200 if FULL else 500
MOST_MESSAGES_PER_SECOND, MOST_KB_PER_SECOND = 2.5, 150
MOST_GROWTH_MB = 1.0  # of the page's memory, over the second half of the long form
CLICK_EVERY_MS = 400
LISTED = "/dashboard/calls/?mode=test"
# When each row came, by the page's clock, which is this machine's.
NOTE_ROWS = """
window.cameAt = {};
new MutationObserver((changes) => {
  for (const row of changes.flatMap((one) => [...one.addedNodes]))
    cameAt[row.querySelector("a").pathname] ??= Date.now();
}).observe(document.querySelector("tbody[data-live-rows]"), { childList: true });
"""


@dataclass
class Flood:
    """A gateway process that books calls when told; see `busy_gateway`."""

    demo: Demo
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.busy_gateway", str(self.port)],
            cwd=ROOT,
            env={**self.demo.environment, "FLO2_DEMO": "1"},
        )
        give_up = time.monotonic() + STARTED_SECONDS
        while time.monotonic() < give_up:
            try:
                if httpx.get(f"{self.url}/healthz", trust_env=False).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError("the busy gateway did not start")

    def run(self, tenant: str, *, seconds: float, rate: int = RATE) -> dict[str, Any]:
        asked = {"tenant": tenant, "rate": str(rate), "seconds": str(seconds)}
        answer = httpx.get(f"{self.url}/busy", params=asked, timeout=seconds * 4, trust_env=False)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def redis_demo() -> Iterator[Demo]:
    """Two gateway processes that have Redis in common: a page hangs on either."""
    if not shutil.which("redis-server"):
        pytest.skip("needs redis-server")
    redis = Redis()
    running = Demo({"REDIS_URL": redis.url, "FLO2_WORKERS": "2"})
    yield running
    running.stop()
    redis.kill()


@pytest.fixture(scope="module")
def flood(demo: Demo) -> Iterator[Flood]:
    running = Flood(demo)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def redis_flood(redis_demo: Demo) -> Iterator[Flood]:
    running = Flood(redis_demo)
    yield running
    running.stop()


def watch(browser: Browser, url: str, path: str = LISTED) -> Watch:
    """A page of the demo's owner, with its live feed open."""
    context = browser.new_context(base_url=url, viewport={"width": 1440, "height": 900})
    watched = Watch(context.new_page())
    log_in(watched.page)
    watched.page.goto(path)
    wait_until_live(watched.page)
    return watched


def tenant_of(page: Page) -> str:
    return page.locator("button[data-live]").get_attribute("data-tenant") or ""


def calls_of(page: Page) -> list[str]:
    links = page.locator("tbody tr td:first-child a")
    paths: list[str] = links.evaluate_all("links => links.map((link) => link.pathname)")
    return paths


@pytest.mark.parametrize("stack", ["demo", "redis_demo"])
def test_a_call_appears_within_a_second_of_its_end(
    stack: str, browser: Browser, request: pytest.FixtureRequest
) -> None:
    running: Demo = request.getfixturevalue(stack)
    running.call(running.test_key)  # else there is no list yet
    page = watch(browser, running.url).page
    page.evaluate(NOTE_ROWS)
    ended: dict[str, float] = {}
    with httpx.Client(base_url=running.url, trust_env=False) as client:
        for _ in range(CALLS):
            answer = client.post(
                "/v1/chat/completions",
                headers={"Authorization": f"Bearer {running.test_key}"},
                json={"model": "auto", "messages": [{"role": "user", "content": "Say hi"}]},
            ).raise_for_status()
            ended[f"/dashboard/calls/{answer.headers['x-flo2-call-id']}/"] = time.time()
            page.wait_for_timeout(130)
    expect(page.locator(f"a[href='{list(ended)[-1]}']")).to_be_visible(timeout=5 * SOON)

    came = page.evaluate("cameAt")
    took = [came.get(path, float("inf")) - at * 1000 for path, at in ended.items()]
    print(f"\n{stack}: {statistics.median(took):.0f} ms median, {max(took):.0f} ms slowest", load())
    page.context.close()
    assert max(took) <= SOON


@pytest.mark.parametrize(
    "stack", ["flood", pytest.param("redis_flood", marks=() if FULL else pytest.mark.skip)]
)
def test_a_thousand_calls_a_second_leave_the_page_quick(
    stack: str, browser: Browser, request: pytest.FixtureRequest
) -> None:
    flood: Flood = request.getfixturevalue(stack)
    flood.demo.call(flood.demo.test_key)
    # With Redis the page hangs on another process than the one that books.
    watched = watch(browser, flood.demo.url if stack == "redis_flood" else flood.url)
    page = watched.page
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    sizes = [memory(session)]
    watched.begin()
    with ThreadPoolExecutor(1) as pool:
        flooding = pool.submit(flood.run, tenant_of(page), seconds=SECONDS)
        theme = page.get_by_role("button", name="Theme")
        while not flooding.done():
            page.wait_for_timeout(CLICK_EVERY_MS)
            theme.click()
            if FULL:
                sizes.append(memory(session))
        told = flooding.result()

    newest = page.locator(f"a[href='/dashboard/calls/{told['newest']}/']")
    expect(newest).to_be_visible(timeout=SOON)
    seen = watched.seen()
    print(f"\n{stack}: {told}\n{seen}\nMB, nodes: {sizes[:: len(sizes) // 5 or 1]}", load())
    expect(page.get_by_text("Calls come faster than they can be shown")).to_be_visible()
    expect(page.locator("[data-live-note]")).to_be_hidden()
    page.context.close()
    assert told["calls"] == RATE * SECONDS
    assert seen.rows == ROWS
    assert seen.slowest_input <= MOST_INPUT_MS
    assert seen.messages_per_second <= MOST_MESSAGES_PER_SECOND
    assert seen.kilobytes_per_second <= MOST_KB_PER_SECOND
    assert sizes[-1][0] - sizes[len(sizes) // 2][0] <= MOST_GROWTH_MB


def test_older_calls_go_on_where_the_list_ends(page: Page, flood: Flood) -> None:
    log_in(page)
    page.goto(LISTED.replace("/dashboard", f"{flood.url}/dashboard"))
    wait_until_live(page)
    last = flood.run(tenant_of(page), rate=100, seconds=1.3)["newest"]
    expect(page.locator(f"a[href='/dashboard/calls/{last}/']")).to_be_visible()
    page.wait_for_timeout(SOON)

    shown = calls_of(page)
    page.get_by_role("link", name="Older calls").click()
    page.wait_for_url("**cursor=**")
    shown += calls_of(page)

    page.goto(f"{flood.url}{LISTED}")
    newest = calls_of(page)
    page.get_by_role("link", name="Older calls").click()
    page.wait_for_url("**cursor=**")
    newest += calls_of(page)
    assert len(newest) == 2 * ROWS
    assert shown == newest


def test_rows_wait_while_the_list_is_in_use_and_the_page_says_so(page: Page, demo: Demo) -> None:
    log_in(page)
    page.goto(LISTED)
    wait_until_live(page)
    page.locator("tbody tr").first.hover()

    made = demo.call(demo.test_key).headers["x-flo2-call-id"]

    expect(page.get_by_text("1 new call waits while you use the list")).to_be_visible()
    expect(page.locator(f"a[href='/dashboard/calls/{made}/']")).to_have_count(0)
    page.get_by_role("heading", name="Calls").hover()
    expect(page.locator(f"a[href='/dashboard/calls/{made}/']")).to_be_visible()
    expect(page.locator("[data-live-note]")).to_be_hidden()


def test_a_page_that_nobody_sees_is_sent_nothing_until_it_is_seen(
    open_window: OpenWindow, demo: Demo
) -> None:
    watched = Watch(open_window())
    page = watched.page
    log_in(page)
    page.goto(LISTED)
    wait_until_live(page)
    become(page, "hidden")
    watched.begin()

    made = [demo.call(demo.test_key).headers["x-flo2-call-id"] for _ in range(3)]
    page.wait_for_timeout(SOON)
    assert watched.frames == []
    become(page, "visible")

    for call in made:
        expect(page.locator(f"a[href='/dashboard/calls/{call}/']")).to_be_visible(timeout=SOON)
    assert len(watched.frames) == 1


def become(page: Page, state: str) -> None:
    """What the browser tells a page whose tab is left or entered; headless ones never are."""
    page.evaluate(
        """(state) => {
          for (const [name, value] of [["visibilityState", state], ["hidden", state === "hidden"]])
            Object.defineProperty(document, name, { value, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )
