"""What several tests do first: sign up, log in."""

import time

from playwright.sync_api import Page, expect

from tests.e2e.demo import OPERATOR, OWNER, PASSWORD

NEW_PASSWORD = "a long enough passphrase"


def new_email() -> str:
    return f"person-{time.time_ns()}@example.org"


def sign_up(page: Page) -> dict[str, str]:
    """A new tenant's keys by mode, as its first page shows them."""
    page.goto("/")
    page.get_by_role("link", name="Get your key").click()
    page.get_by_label("Email").fill(new_email())
    page.get_by_label("Password").fill(NEW_PASSWORD)
    page.get_by_label("I accept").check()
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Your keys")).to_be_visible()
    return {mode: page.locator(f"#{mode}-key").inner_text() for mode in ("test", "live")}


def operate(page: Page) -> None:
    """Log in as the demo's operator."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/**")


def look(page: Page) -> None:
    """As operator, look at the pages of the demo tenant."""
    page.goto("/admin/accounts/tenant/")
    page.get_by_role("link", name="Demo").first.click()
    page.goto(page.url.partition("?")[0].replace("/change/", "/look/"))
    page.get_by_label("Reason").fill("ticket 7")
    page.get_by_role("button", name="Look at its pages").click()
    page.wait_for_url("**/dashboard/**")


def log_in(page: Page, email: str = OWNER, password: str = PASSWORD) -> None:
    """As the owner of the demo tenant, unless somebody else is named."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard/**")
