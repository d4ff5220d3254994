"""One demo and one browser for all of it; each test has a window of its own."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.e2e import prepare
from tests.e2e.demo import Demo
from tests.e2e.provider import Provider

OpenWindow = Callable[..., Page]


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    running = Provider()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def demo(provider: Provider) -> Iterator[Demo]:
    running = Demo({"FLO2_PROVIDER_GROQ_BASE_URL": provider.url})
    running.seed()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=prepare.browser(), args=["--no-sandbox"]
        )
        yield running
        running.close()


@pytest.fixture
def open_window(browser: Browser, demo: Demo) -> Iterator[OpenWindow]:
    """Windows that fail the test for what the browser complains about."""
    complaints: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def open_window(width: int = 1440, scheme: str = "light") -> Page:
        context = browser.new_context(
            base_url=demo.url,
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_window: OpenWindow) -> Page:
    return open_window()
