"""Sign up with the keyboard alone."""

from playwright.sync_api import Page, expect

from tests.e2e.steps import NEW_PASSWORD, new_email

MOST_STEPS = 40


def press_until(page: Page, name: str) -> None:
    """Tab to the element with this accessible name, and see that it shows its focus."""
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if name in focused_name(page):
            outline = focused.evaluate("element => getComputedStyle(element).outlineStyle")
            assert outline != "none", name
            return
    raise AssertionError(f"{name!r} cannot be reached with the Tab key")


def focused_name(page: Page) -> str:
    """What stands on the focused element, or on its label."""
    name: str = page.evaluate(
        """() => {
            const element = document.activeElement;
            const label = element.labels?.[0]?.textContent ?? "";
            return `${label} ${element.textContent} ${element.getAttribute("aria-label") ?? ""}`;
        }"""
    )
    return name


def test_signing_up_needs_no_mouse(page: Page) -> None:
    page.goto("/")
    press_until(page, "Get your key")
    page.keyboard.press("Enter")
    page.wait_for_url("**/accounts/signup/")

    press_until(page, "Email")
    page.keyboard.type(new_email())
    press_until(page, "Password")
    page.keyboard.type(NEW_PASSWORD)
    press_until(page, "I accept")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Your keys")).to_be_visible()
    press_until(page, "Copy")
    page.keyboard.press("Enter")
    assert page.evaluate("navigator.clipboard.readText()").startswith("flo2_test_")
    press_until(page, "I stored both keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_the_first_stop_skips_the_menu(page: Page) -> None:
    page.goto("/docs/")
    page.keyboard.press("Tab")
    assert "Skip to the content" in focused_name(page)
    page.keyboard.press("Enter")

    assert page.url.endswith("#main")
