"""An experiment from the form to the policy and back, on the sandbox, by mouse and eye."""

import time

from playwright.sync_api import Page, expect

from tests.e2e.demo import Demo
from tests.e2e.steps import sign_up
from tests.e2e.test_pages import complaints

ARMS = "A groq/llama-3.3-70b-versatile\nB cerebras/gpt-oss-120b"
PAIRS = 4


def draw_up(page: Page, name: str) -> None:
    """Through the form to a draft."""
    page.goto("/dashboard/experiments/?mode=test")
    page.get_by_role("link", name="New experiment").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Arms").fill(ARMS)
    page.get_by_label("Who stays in an arm").select_option("call")
    page.get_by_label("Judge", exact=True).fill("openai/gpt-4.1-mini")
    page.get_by_label("What counts").fill("sandbox judge: prefers Cerebras")
    page.get_by_label("Calls to judge").fill("100")
    page.get_by_label("Keep up to 20 pairs").check()
    page.get_by_role("button", name="Forecast").click()
    expect(page.get_by_role("heading", name="Before it starts")).to_be_visible()
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_role("heading", name=name)).to_contain_text("Draft")


def ask(demo: Demo, key: str, count: int) -> None:
    """Different calls of auto, until the gateway draws arms and so many took part."""
    taken, give_up = 0, time.monotonic() + 20
    while taken < count and time.monotonic() < give_up:
        answer = demo.call(key, text=f"Say {time.time_ns()} in words")
        assert answer.status_code == 200, answer.text
        taken += answer.headers["x-flo2-reason"].startswith("experiment:")
    assert taken == count


def test_an_experiment_is_drawn_up_run_read_promoted_and_rolled_back(
    page: Page, demo: Demo
) -> None:
    key = sign_up(page)["test"]
    draw_up(page, "duel")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("duel runs.")).to_be_visible()
    ask(demo, key, PAIRS)

    pairs = page.get_by_role("region", name="B against A")
    give_up = time.monotonic() + 40
    while f"{PAIRS} won" not in pairs.inner_text() and time.monotonic() < give_up:
        page.wait_for_timeout(500)
        page.reload()
    expect(pairs).to_contain_text(f"{PAIRS} won, 0 tied, 0 lost")
    expect(pairs).to_contain_text("no verdict yet")
    expect(page.get_by_text("B won").first).to_be_visible()
    assert complaints(page) == []

    page.get_by_role("button", name="Promote arm B").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Policy default")
    expect(page.get_by_label("Targets", exact=True)).to_have_value("cerebras/gpt-oss-120b")
    versions = page.get_by_role("region", name="Versions")
    expect(versions).to_contain_text("arm B of experiment duel")
    versions.get_by_role("button", name="Roll back to version 1").click()
    expect(page.get_by_text("Version 3 is in force: version 1 once more.")).to_be_visible()
    expect(page.get_by_label("Targets", exact=True)).to_have_value("")
