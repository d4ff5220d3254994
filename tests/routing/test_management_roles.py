"""A session is no way around a role: what a page does not show, `/api/v1` does not tell either."""

import pytest
from django.test import Client

from accounts import ids
from accounts.roles import Role
from routing.api.manage.urls import urlpatterns
from tests.dashboard.conftest import LogIn, World, log_in, now, world

__all__ = ["log_in", "now", "world"]

SAME = {
    "audit": "audit/",
    "budgets": "budgets/",
    "cache": "cache/",
    "calls": "calls/",
    "experiments": "experiments/",
    "gateway-keys": "keys/",
    "invoices": "reconciliation/",
    "policies": "policies/",
    "projects": "projects/",
    "provider-keys": "providers/",
    "settings": "settings/",
    "webhooks": "webhooks/",
}


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("list_of", SAME)
def test_a_role_reads_by_the_api_what_it_sees(
    list_of: str, role: str, world: World, log_in: LogIn
) -> None:
    browser = log_in(world.people[role])

    page = browser.get(f"/dashboard/{SAME[list_of]}")
    told, headers = (ask(f"/api/v1/{list_of}") for ask in (browser.get, browser.head))

    assert page.status_code in {200, 403}
    assert told.status_code == headers.status_code == page.status_code


def test_one_key_is_hidden_like_the_list_of_them(world: World, log_in: LogIn) -> None:
    viewer = log_in(world.people[Role.VIEWER])
    paths = (
        f"gateway-keys/{ids.show('key', world.key.pk)}",
        f"provider-keys/{ids.show('pkey', world.provider_key.pk)}",
    )

    assert [viewer.get(f"/api/v1/{path}").status_code for path in paths] == [403, 403]


def test_every_method_of_the_api_asks_for_a_right() -> None:
    for route in urlpatterns:
        view = route.callback.view_class  # type: ignore[attr-defined]
        methods = {name.upper() for name in view.http_method_names if hasattr(view, name)}
        assert methods - {"OPTIONS"} <= set(view.rights) | {"HEAD"}, str(route.pattern)


def test_a_change_by_session_without_its_token_is_told_what_is_missing(world: World) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.owner)

    answer = browser.post("/api/v1/projects", {"name": "shop"}, content_type="application/json")

    assert answer.status_code == 403
    assert "X-CSRFToken" in answer.json()["error"]["message"]
    assert "Ask an owner" not in answer.json()["error"]["message"]
