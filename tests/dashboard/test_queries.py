"""How often a page asks the database."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard.navigation import PAGES
from tests.dashboard.conftest import World
from tests.dashboard.test_roles import ACTIONS

MOST = 12
FRAMES = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK", "SELECT SET_CONFIG")
PATHS = [page for page in PAGES if page.right and page.name not in ACTIONS]
VARIANTS = (
    "/dashboard/?mode=live", "/dashboard/calls/?mode=live&tag=beta&project=default",
    "/dashboard/costs/?mode=live&by=key", "/dashboard/costs/?mode=live&by=tag",
    "/dashboard/costs/?mode=live&by=project",
    "/dashboard/costs/?mode=live&what_if=openai/gpt-4.1-mini",
    "/dashboard/reconciliation/?mode=live",
)  # fmt: skip


def asked(client: Client, path: str) -> list[str]:
    """The statements of a page, without those that only frame transactions."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, path
    statements = [query["sql"] for query in captured.captured_queries]
    return [one for one in statements if not one.upper().startswith(FRAMES)]


@pytest.mark.parametrize("page", PATHS, ids=lambda page: page.name)
def test_a_page_asks_at_most_twelve_times(page: object, owner: Client, world: World) -> None:
    path = world.path(getattr(page, "path"))  # noqa: B009
    if path == "/dashboard/keys/first/":
        owner.get(path)  # the first time it makes two keys, which is no question
    owner.get(f"{path}?mode=live")

    statements = asked(owner, path)

    assert len(statements) <= MOST, "\n".join(statements)


@pytest.mark.parametrize("path", VARIANTS)
def test_filters_and_dimensions_do_not_cost_more(path: str, owner: Client) -> None:
    owner.get(path)

    assert len(asked(owner, path)) <= MOST
