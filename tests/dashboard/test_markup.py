"""What is true of the HTML of every page."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from dashboard.navigation import PAGES
from tests.dashboard.conftest import World
from tests.dashboard.test_roles import ACTIONS

ACCOUNT_PAGES = (
    "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/",
    "/accounts/password/reset/done/", "/accounts/password/reset/key/1-bad/",
    "/accounts/password/reset/key/done/", "/accounts/confirm-email/",
    "/accounts/confirm-email/none/", "/accounts/inactive/",
)  # fmt: skip
OWN_ACCOUNT_PAGES = (
    "/accounts/logout/", "/accounts/password/change/", "/accounts/email/", "/accounts/2fa/",
    "/accounts/2fa/totp/activate/", "/accounts/reauthenticate/",
)  # fmt: skip
DOCS = ("models", "policies", "options", "headers", "testing", "errors")


class Reader(HTMLParser):
    """Notes what the policy would block, forms without a token, and ids that are not unique."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self._ids: set[str] = set()
        self._posting = self._has_token = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.problems += [
            f"<{tag}> has {name}" for name in found if name == "style" or name.startswith("on")
        ]
        if (name := found.get("id")) in self._ids:
            self.problems.append(f"two elements have the id {name}")
        self._ids |= {name} if name else set()
        is_data = found.get("type") in {"application/json", "application/ld+json"}
        if tag == "script" and "src" not in found and not is_data and not found.get("nonce"):
            self.problems.append("a script without source and nonce")
        if tag == "style" and not found.get("nonce"):
            self.problems.append("a style sheet without nonce")
        if tag == "form":
            self._posting = (found.get("method") or "get").lower() == "post"
            self._has_token = False
        if tag == "input" and found.get("name") == "csrfmiddlewaretoken":
            self._has_token = True

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._posting and not self._has_token:
            self.problems.append("a form that posts has no CSRF token")


def problems_of(answer: Any) -> list[str]:
    reader = Reader()
    reader.feed(answer.content.decode())
    return reader.problems


def owner_paths(world: World) -> Iterator[str]:
    for page in PAGES:
        if page.name not in {*ACTIONS, "calls_export", "data_export"}:
            yield world.path(page.path)
    yield from (f"/docs/{topic}/" for topic in DOCS)
    yield from OWN_ACCOUNT_PAGES


def test_no_page_of_the_owner_needs_what_the_policy_forbids(owner: Client, world: World) -> None:
    found = {}
    for path in owner_paths(world):
        answer = owner.get(path, follow=True)
        assert answer.status_code == 200, path
        assert "text/html" in answer["Content-Type"], path
        if problems := problems_of(answer):
            found[path] = problems

    assert found == {}


@pytest.mark.django_db
def test_no_page_of_a_visitor_needs_what_the_policy_forbids(client: Client) -> None:
    found = {}
    for path in ("/", "/docs/", "/terms/", "/nothing/", *ACCOUNT_PAGES):
        answer = client.get(path, follow=True)
        if problems := problems_of(answer):
            found[path] = problems
        assert 'rel="icon"' in answer.content.decode(), path

    assert found == {}


@pytest.mark.django_db
def test_the_policy_allows_our_own_files_and_nothing_else(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.django_db
def test_every_account_page_wears_our_design(client: Client) -> None:
    for path in ACCOUNT_PAGES:
        page = client.get(path, follow=True).content.decode()
        assert "css/tokens.css" in page, path
        assert "Menu:" not in page, path  # allauth's own layout has one


def test_the_pages_set_the_two_cookies_that_the_privacy_notice_names(
    owner: Client, world: World
) -> None:
    owner.post("/dashboard/providers/", {"provider": "groq", "secret": ""})
    owner.get("/dashboard/keys/")

    assert set(owner.cookies) == {"flo2", "flo2-csrf"}
