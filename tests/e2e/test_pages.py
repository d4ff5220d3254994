"""Every page, at every width, in light and dark: nothing to complain about."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Response

from tests.e2e import pages
from tests.e2e.conftest import OpenWindow
from tests.e2e.demo import Demo
from tests.e2e.steps import log_in, look, operate

SERIOUS = {"serious", "critical"}
MOST_BYTES = 150_000


def complaints(page: Page) -> list[str]:
    """What axe finds serious, and whether the page is wider than the window."""
    found: list[str] = []
    result: dict[str, Any] = Axe().run(page).response
    for violation in result["violations"]:
        if violation["impact"] in SERIOUS:
            places = [node["target"] for node in violation["nodes"][:3]]
            found.append(f"{violation['id']}: {violation['help']} at {places}")
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if overflow > 0:
        found.append(f"{overflow} px too wide")
    return found


def visit(page: Page, path: str) -> list[str]:
    answer = page.goto(path)
    assert answer is not None
    return complaints(page) if answer.status == 200 else [f"status {answer.status}"]


# What stands right above a field, a form's part or a remark without room between, and lists whose
# marks stick out to the left.
CRAMPED = """() => {
  const found = [];
  const parts = ".field, .filters, .actions, fieldset, .table-box + p, .presets + p";
  for (const below of document.querySelectorAll(`main :is(${parts})`)) {
    const above = below.previousElementSibling;
    if (!above || below.closest("td, th, li, header, .tile")) continue;
    const [a, b] = [above.getBoundingClientRect(), below.getBoundingClientRect()];
    if (!a.height || !b.height || b.left >= a.right || a.left >= b.right) continue;
    const between = b.top - a.bottom;
    if (between > -60 && between < 4) found.push(`${below.className}: ${below.innerText}`);
  }
  for (const list of document.querySelectorAll("main :is(ul, ol):has(> li)")) {
    const marked = getComputedStyle(list.querySelector("li")).listStyleType !== "none";
    const room = parseFloat(getComputedStyle(list).paddingLeft);
    if (marked && room < 12) found.push(list.innerText);
  }
  return found;
}"""


@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_on_a_page_is_cramped(width: int, open_window: OpenWindow) -> None:
    page = open_window(width)
    log_in(page)
    page.goto("/dashboard/new-experiment/?mode=test")
    page.get_by_label("Name").fill(f"cramped-{width}")
    page.get_by_label("Arms").fill("A auto\nB groq/llama-3.3-70b-versatile")
    page.get_by_role("button", name="Save as draft").click()
    page.wait_for_url("**/experiments/exp_*/**")
    draft = page.url
    page.goto("/dashboard/budgets/")
    limit = page.get_by_label("Limit in US dollars")
    if not limit.is_visible():
        page.get_by_text("New budget").click()
    limit.fill("1000")
    page.get_by_role("button", name="Create the budget").click()

    found = {}
    more = (draft, "/dashboard/budgets/", "/dashboard/new-policy/", "/dashboard/reconciliation/")
    for path in (*more, *pages.FOR_THE_OWNER.values()):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found[path] = page.evaluate(CRAMPED)

    assert {path: problems for path, problems in found.items() if problems} == {}


@pytest.mark.parametrize("scheme", pages.SCHEMES)
@pytest.mark.parametrize("width", pages.WIDTHS)
def test_pages_for_everybody(width: int, scheme: str, open_window: OpenWindow) -> None:
    page = open_window(width, scheme)

    found = {name: visit(page, path) for name, path in pages.FOR_ALL.items()}

    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize("scheme", pages.SCHEMES)
@pytest.mark.parametrize("width", pages.WIDTHS)
def test_pages_of_the_owner(width: int, scheme: str, open_window: OpenWindow) -> None:
    page = open_window(width, scheme)
    log_in(page)

    found = {name: visit(page, path) for name, path in list(pages.of_the_owner(page))}

    assert {name: problems for name, problems in found.items() if problems} == {}


def test_pages_of_the_operator(open_window: OpenWindow) -> None:
    page = open_window(360, "light")
    operate(page)

    found = {name: visit(page, path) for name, path in list(pages.of_the_operator(page))}

    assert {name: problems for name, problems in found.items() if problems} == {}


def test_a_tenants_pages_as_its_operator_sees_them(open_window: OpenWindow) -> None:
    page = open_window(360, "dark")
    operate(page)
    look(page)

    found = {name: visit(page, path) for name, path in pages.FOR_A_VISITOR.items()}
    page.get_by_role("button", name="End the visit").click()

    page.wait_for_url("**/admin/accounts/tenant/")
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize("path", ["/", "/dashboard/?mode=live", "/dashboard/providers/"])
def test_a_first_visit_is_light(path: str, open_window: OpenWindow) -> None:
    """As it comes over the wire; nothing needs to be compressed for it."""
    signed_in, visitor = open_window(), open_window()
    log_in(signed_in)
    visitor.context.add_cookies(signed_in.context.cookies())  # type: ignore[arg-type]
    answers: list[Response] = []
    visitor.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108  it is marked

    visitor.goto(path, wait_until="networkidle")

    sizes = {answer.url: len(answer.body()) for answer in answers}
    assert len(sizes) > 5
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_the_theme_is_chosen_and_stays(open_window: OpenWindow) -> None:
    page = open_window(scheme="light")
    log_in(page)
    dark = "getComputedStyle(document.body).backgroundColor"
    light_paper = page.evaluate(dark)

    switch = page.get_by_role("button", name="Theme")
    switch.click()
    switch.click()
    assert page.evaluate(dark) != light_paper
    page.reload()

    assert page.evaluate(dark) != light_paper
    assert "dark" in page.get_by_role("button", name="Theme").inner_text()


def test_a_chart_tells_what_it_is_pointed_at(page: Page) -> None:
    log_in(page)
    page.goto("/dashboard/costs/?mode=live")

    page.locator(".chart .column .hit").last.hover()

    assert "Groq" in page.locator(".reading").inner_text()


def test_times_are_those_of_the_reader(browser: Browser, demo: Demo) -> None:
    context = browser.new_context(base_url=demo.url, timezone_id="Asia/Tokyo")
    page = context.new_page()
    log_in(page)
    page.goto("/dashboard/calls/?mode=live")

    time = page.locator("time").first
    written = str(time.get_attribute("title"))
    shown = time.inner_text()

    assert page.locator("[data-zone]").inner_text() == "GMT+9"
    hour = int(written.split(", ")[1][:2])
    assert int(shown.split(", ")[1][:2]) == (hour + 9) % 24
    context.close()


def test_the_api_reference_opens_under_our_policy(page: Page) -> None:
    page.goto("/api/docs/")

    page.get_by_text("/api/v1/gateway-keys", exact=True).first.wait_for()
