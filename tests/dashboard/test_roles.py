"""Every page of the table, for everybody."""

import pytest
from django.test import Client

from accounts.roles import RIGHTS, Right, Role
from dashboard.navigation import PAGES, Page, menu
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import MembershipFactory, TenantFactory

GUARDED = [page for page in PAGES if page.right]
PUBLIC = [page for page in PAGES if page.right is None]
ACTIONS = {
    "switch", "management_key_new", "provider_key_verify", "provider_key_move", "sessions_end",
    "playground_run",
    "cache_purge", "announcement_dismiss", "account_export", "settings_mails", "webhook_test",
}  # fmt: skip  # no pages
WITH_ID = [page for page in GUARDED if "<str:" in page.path]


def named(page: Page) -> str:
    return page.name


@pytest.mark.parametrize("role", Role.values)
@pytest.mark.parametrize("page", GUARDED, ids=named)
def test_a_role_sees_what_its_rights_allow(
    page: Page, role: str, world: World, log_in: LogIn
) -> None:
    answer = log_in(world.people[role]).get(world.path(page.path))

    assert page.right is not None
    if page.right not in RIGHTS[Role(role)]:
        assert answer.status_code == 403
        assert "Ask an owner or admin" in answer.content.decode()
    elif page.name in ACTIONS:
        assert answer.status_code in {302, 405}
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize("page", GUARDED, ids=named)
def test_somebody_without_a_tenant_finds_nothing(page: Page, world: World, log_in: LogIn) -> None:
    answer = log_in(world.stranger).get(world.path(page.path))

    assert answer.status_code == 404


@pytest.mark.parametrize("page", WITH_ID, ids=named)
def test_the_owner_of_another_tenant_finds_nothing(page: Page, world: World, log_in: LogIn) -> None:
    other = MembershipFactory.create(tenant=TenantFactory.create()).user
    method = "post" if page.name in ACTIONS else "get"

    answer = getattr(log_in(other), method)(world.path(page.path))

    assert answer.status_code == 404


@pytest.mark.parametrize("page", GUARDED, ids=named)
def test_nobody_sees_a_page_without_logging_in(page: Page, world: World, client: Client) -> None:
    path = world.path(page.path)

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer["Location"].startswith(f"/accounts/login/?next={path}")


@pytest.mark.parametrize("page", PUBLIC, ids=named)
def test_public_pages_are_for_everybody(page: Page, world: World, client: Client) -> None:
    assert client.get(world.path(page.path)).status_code == 200


@pytest.mark.parametrize("role", Role.values)
def test_the_menu_names_only_pages_that_the_role_may_see(role: str) -> None:
    names = {entry.name for _, entries in menu(role, "overview") for entry in entries}

    assert {"overview", "calls", "costs", "docs"} <= names
    assert ("providers" in names) == (Right.MANAGE_KEYS in RIGHTS[Role(role)])


def test_the_team_page_says_which_pages_a_member_does_not_see(owner: Client) -> None:
    everything, theirs = (
        {entry.title for _, entries in menu(role, "overview") for entry in entries}
        for role in (Role.OWNER, Role.MEMBER)
    )

    assert everything - theirs == {"Audit"}
    assert "Sees all pages but the audit list" in text(owner.get("/dashboard/team/"))


def test_pages_that_are_not_in_the_menu_mark_the_entry_they_belong_to() -> None:
    marked = [
        entry.name
        for _, entries in menu(Role.OWNER, "key_roll")
        for entry in entries
        if entry.is_current
    ]

    assert marked == ["keys"]


def test_pages_of_a_tenant_are_not_kept_by_shared_caches(owner: Client) -> None:
    assert "private" in owner.get("/dashboard/")["Cache-Control"]
