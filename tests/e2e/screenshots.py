"""`python -m tests.e2e.screenshots OUT`: every page at three widths, light and dark, as PNG."""

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e import pages, prepare
from tests.e2e.demo import Demo
from tests.e2e.steps import log_in, look, operate, sign_up


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    demo = Demo()
    try:
        demo.seed()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=prepare.browser(), args=["--no-sandbox"]
            )
            for width in pages.WIDTHS:
                for scheme in pages.SCHEMES:
                    context = browser.new_context(
                        base_url=demo.url,
                        viewport={"width": width, "height": 900},
                        color_scheme=scheme,  # type: ignore[arg-type]
                    )
                    _take_all(context.new_page(), out, f"{width}-{scheme}")
                    context.close()
            browser.close()
    finally:
        demo.stop()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")
    return 0


def _take_all(page: Page, out: Path, suffix: str) -> None:
    def take(name: str) -> None:
        page.screenshot(path=out / f"{name}-{suffix}.png", full_page=True)

    for name, path in pages.FOR_ALL.items():
        page.goto(path)
        take(name)
    sign_up(page)
    take("first-keys")
    page.goto("/dashboard/")
    take("first-steps")
    page.context.clear_cookies()
    log_in(page)
    for name, path in list(pages.of_the_owner(page)):
        page.goto(path)
        take(name)
    page.context.clear_cookies()
    operate(page)
    for name, path in list(pages.of_the_operator(page)):
        page.goto(path)
        take(name)
    look(page)
    for name, path in pages.FOR_A_VISITOR.items():
        page.goto(path)
        take(name)
    page.get_by_role("button", name="End the visit").click()


if __name__ == "__main__":
    sys.exit(main())
