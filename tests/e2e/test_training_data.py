"""The export of training data: its progress where scripts run, the same file where they do not."""

import json
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.e2e.demo import Demo
from tests.e2e.seed import COLLECTED
from tests.e2e.steps import log_in

PAGE = "/dashboard/data/?mode=live"


def check(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) == COLLECTED
    assert all(json.loads(line)["messages"][-1]["role"] == "assistant" for line in lines)


def test_the_export_shows_how_far_it_is(page: Page) -> None:
    log_in(page)
    page.goto(PAGE)

    with page.expect_download() as started:
        page.get_by_role("link", name="Export as JSONL").click()

    check(started.value.path())
    assert started.value.suggested_filename.startswith("training-data-live-")
    expect(page.get_by_text(f"Exported: {COLLECTED} calls.")).to_be_visible()


def test_without_scripts_the_same_link_downloads_it(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(base_url=demo.url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    page.goto(PAGE)

    with page.expect_download() as started:
        page.get_by_role("link", name="Export as JSONL").click()

    check(started.value.path())
    context.close()
