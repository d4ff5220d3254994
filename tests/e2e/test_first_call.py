"""The main journey: sign up, keys, a provider key, a live call, and its cost on the page."""

import re
import subprocess
import sys
from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.demo import ROOT, Demo
from tests.e2e.provider import GOOD_KEY
from tests.e2e.steps import log_in, sign_up
from tests.scale.measuring import FULL


def test_from_signing_up_to_a_costed_call(page: Page, demo: Demo) -> None:
    keys = sign_up(page)
    page.get_by_role("button", name="Copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()") == keys["test"]
    page.reload()
    assert not re.search(r"flo2_live_[0-9A-Za-z]{42}", page.content())

    page.goto("/dashboard/")
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()
    page.get_by_role("link", name="Paste a provider key").click()
    groq = page.locator("#groq")
    groq.get_by_label("Key").fill(GOOD_KEY)
    groq.get_by_role("button", name="Save and verify").click()
    expect(groq.get_by_text("Groq accepts the key ending in abcd.")).to_be_visible()
    assert GOOD_KEY not in page.content()

    answer = demo.call(keys["live"], "groq/llama-3.3-70b-versatile")
    assert answer.status_code == 200, answer.text
    cost = Decimal(str(answer.json()["usage"]["cost"]))

    page.goto("/dashboard/calls/?mode=live")
    row = page.get_by_role("row").filter(has_text="llama-3.3-70b-versatile")
    expect(row).to_have_count(1)
    expect(row.locator("data.money")).to_have_attribute("value", f"{cost:f}")
    row.get_by_role("link").click()
    page.wait_for_url(f"**/dashboard/calls/{answer.headers['x-flo2-call-id']}/")
    receipt = page.get_by_role("region", name="Lines of the receipt")
    expect(receipt.get_by_role("row", name="Total")).to_contain_text(f"${cost:f}")
    by_hand = (1000 * Decimal("0.59") + 500 * Decimal("0.79")) / 1_000_000
    assert cost == by_hand

    page.goto("/dashboard/costs/?mode=live")
    expect(page.get_by_role("rowheader", name="Groq")).to_be_visible()


def test_the_checklist_turns_green_by_itself(page: Page, demo: Demo) -> None:
    keys = sign_up(page)
    page.get_by_role("link", name="I stored both keys").click()
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()

    assert demo.call(keys["test"]).status_code == 200

    expect(page.get_by_text("It stands under Calls")).to_be_visible(timeout=10_000)


def test_a_rehearsed_outage_shows_both_attempts(page: Page, demo: Demo) -> None:
    first = demo.call(demo.test_key).headers["x-flo2-provider"]
    answer = demo.call(demo.test_key, **{"x-flo2-simulate": f"{first}=429"})
    assert answer.status_code == 200
    log_in(page)

    page.goto(f"/dashboard/calls/{answer.headers['x-flo2-call-id']}/")

    attempts = page.get_by_role("region", name="Attempts as a table").get_by_role("row")
    expect(attempts).to_have_count(3)
    expect(attempts.nth(1)).to_contain_text("Rate limited")
    expect(attempts.nth(2)).to_contain_text("Answered")


def test_a_key_is_made_used_and_revoked(page: Page, demo: Demo) -> None:
    log_in(page)
    page.goto("/dashboard/keys/")
    page.locator("summary", has_text="New gateway key").click()
    page.get_by_label("Name", exact=True).first.fill("Short-lived")
    page.get_by_label("Test: the built-in sandbox").check()
    page.get_by_role("button", name="Create the key").click()
    key = page.locator("#new-key").inner_text()
    assert demo.call(key).status_code == 200

    page.get_by_role("link", name="I stored it").click()
    row = page.get_by_role("row").filter(has_text="Short-lived")
    row.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke the key").click()
    page.wait_for_url("**/dashboard/keys/")

    page.wait_for_timeout(1000)  # that long a revoked key may still be known
    assert demo.call(key).status_code == 401


def test_everything_works_without_scripts(open_window: OpenWindow, demo: Demo) -> None:
    page = open_window()
    context = page.context.browser.new_context(base_url=demo.url, java_script_enabled=False)  # type: ignore[union-attr]
    page = context.new_page()

    keys = sign_up(page)
    page.goto("/dashboard/providers/")
    page.locator("#groq").get_by_label("Key").fill(GOOD_KEY)
    page.locator("#groq").get_by_role("button", name="Save and verify").click()
    expect(page.get_by_text("Groq accepts the key")).to_be_visible()
    assert demo.call(keys["live"], "groq/llama-3.3-70b-versatile").status_code == 200
    page.goto("/dashboard/calls/")
    expect(page.get_by_role("row")).to_have_count(2)
    context.close()


@pytest.mark.parametrize("width", [360, 1440])
def test_the_menu_reaches_every_page(width: int, open_window: OpenWindow) -> None:
    page = open_window(width)
    log_in(page)
    for name in ("Overview", "Calls", "Costs", "Gateway keys", "Providers", "Documentation"):
        if width == 360:
            page.get_by_role("button", name="Menu").click()
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        if name == "Documentation":
            page.go_back()


@pytest.mark.skipif(not FULL, reason="the long form: FLO2_TEST_FULL=1")
def test_a_newcomer_needs_less_than_three_minutes() -> None:
    """A fresh clone, `make run` and all; the packages come from the index that pip knows."""
    done = subprocess.run([sys.executable, "-m", "tests.e2e.stopwatch"], cwd=ROOT, check=False)

    assert done.returncode == 0
