"""What several tests do first: sign up, log in."""

import time

from playwright.sync_api import Page, expect

from tests.e2e.demo import OWNER, PASSWORD

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


def log_in(page: Page, email: str = OWNER, password: str = PASSWORD) -> None:
    """As the owner of the demo tenant, unless somebody else is named."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/dashboard/**")
