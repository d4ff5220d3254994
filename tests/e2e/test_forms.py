"""Forms under impatient hands."""

from playwright.sync_api import Page, expect

from tests.e2e.steps import log_in

SLOW = {"offline": False, "latency": 800, "downloadThroughput": -1, "uploadThroughput": -1}


def test_a_double_click_on_a_slow_line_makes_one_key(page: Page) -> None:
    log_in(page)
    page.goto("/dashboard/keys/")
    page.get_by_text("New gateway key").click()
    page.locator("#new").get_by_label("Name").fill("Impatient")
    line = page.context.new_cdp_session(page)
    line.send("Network.emulateNetworkConditions", SLOW)

    page.get_by_role("button", name="Create the key").click(click_count=2, delay=150)

    expect(page.get_by_text("flo2_live_").first).to_be_visible()
    line.send("Network.emulateNetworkConditions", {**SLOW, "latency": 0})
    page.goto("/dashboard/keys/")
    expect(page.get_by_role("row").filter(has_text="Impatient")).to_have_count(1)
