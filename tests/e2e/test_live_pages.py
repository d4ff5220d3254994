"""What pages do by themselves: rows of the live feed, and answers in the playground."""

from playwright.sync_api import Page, expect

from tests.e2e.conftest import OpenWindow
from tests.e2e.demo import Demo
from tests.e2e.steps import log_in

SOON = 1000  # milliseconds after its end a call is on the open pages
PLAYGROUND = "/dashboard/playground/?mode=test"


def wait_until_live(page: Page) -> None:
    expect(page.locator("button[data-live][data-state=open]")).to_be_visible()


def test_a_call_appears_on_open_pages_within_a_second(open_window: OpenWindow, demo: Demo) -> None:
    calls, overview = open_window(), open_window()
    for page, path in ((calls, "calls/"), (overview, "")):
        log_in(page)
        page.goto(f"/dashboard/{path}?mode=test")
        wait_until_live(page)

    made = demo.call(demo.test_key).headers["x-flo2-call-id"]

    for page in (calls, overview):
        expect(page.locator(f"a[href='/dashboard/calls/{made}/']")).to_be_visible(timeout=SOON)


def test_filters_hold_for_new_rows_too(page: Page, demo: Demo) -> None:
    log_in(page)
    page.goto("/dashboard/calls/?mode=test&model=nothing")
    expect(page.get_by_text("No call fits")).to_be_visible()
    wait_until_live(page)

    demo.call(demo.test_key)

    page.wait_for_timeout(SOON)
    expect(page.get_by_text("No call fits")).to_be_visible()


def test_the_switch_stops_new_rows_and_is_remembered(page: Page, demo: Demo) -> None:
    log_in(page)
    page.goto("/dashboard/calls/?mode=test")
    wait_until_live(page)
    switch = page.get_by_role("button", name="Live", exact=True)
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "false")

    made = demo.call(demo.test_key).headers["x-flo2-call-id"]
    page.wait_for_timeout(SOON)
    link = page.locator(f"a[href='/dashboard/calls/{made}/']")
    expect(link).to_have_count(0)
    page.reload()
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(link).to_have_count(1)

    switch.click()
    wait_until_live(page)


def test_two_models_answer_side_by_side_with_cost_and_speed(page: Page, demo: Demo) -> None:
    log_in(page)
    page.goto(PLAYGROUND)
    page.get_by_label("Model 1").fill("groq/llama-3.3-70b-versatile")
    page.get_by_label("Model 2").fill("openai/gpt-4.1-mini")
    page.get_by_label("Prompt", exact=True).fill("Say it's fine")
    expect(page.locator("#as-curl")).to_contain_text("'\\''s fine")
    expect(page.locator("#as-python")).to_contain_text('model="groq/llama-3.3-70b-versatile"')

    page.get_by_role("button", name="Run").click()

    answers = page.locator(".answer")
    expect(answers).to_have_count(2)
    for number, provider in enumerate(("groq", "openai")):
        one = answers.nth(number)
        expect(one.get_by_text("its record")).to_be_visible()
        expect(one).to_contain_text(f"{provider} · ")
        expect(one).to_contain_text("$0.0")
        assert one.locator(".said").inner_text().strip()
    page.wait_for_timeout(SOON)  # by then it is on the books
    answers.first.get_by_role("link", name="its record").click()
    expect(page.get_by_text("playground").first).to_be_visible()


def test_a_model_that_is_unknown_says_so_in_its_place(page: Page, demo: Demo) -> None:
    log_in(page)
    page.goto(PLAYGROUND)
    page.get_by_label("Model 1").fill("no-such-model")

    page.get_by_role("button", name="Run").click()

    expect(page.locator(".answer .failed")).to_contain_text("no-such-model")
