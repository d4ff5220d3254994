"""The projects page: what each cost, new ones, and other names."""

import pytest
from django.test import Client

from accounts import ids
from accounts.models import Change, Project
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import exact, tables, text
from tests.factories.billing import COST, book_call

PAGE = "/dashboard/projects/"


def names(world: World) -> set[str]:
    with tenant_scope(world.tenant.pk):
        return set(Project.objects.for_tenant(world.tenant).values_list("name", flat=True))


def rename(owner: Client, world: World, name: str, project: Project | None = None) -> object:
    row = project or world.project
    return owner.post(f"{PAGE}{ids.show('proj', row.pk)}/rename/", {"name": name})


def test_each_project_shows_what_it_cost(owner: Client, world: World, now: object) -> None:
    for _ in range(2):
        book_call(world.tenant, project=world.project.pk, opened_at=milliseconds(now))  # type: ignore[arg-type]

    rows = {row[0]: row for row in tables(owner.get(f"{PAGE}?mode=live"))[0][1:]}

    assert exact(rows["shop"][1]) == f"{2 * COST:f}"
    assert rows["shop"][2] == "2"
    assert "0" in tables(owner.get(f"{PAGE}?mode=test"))[0][1][2]


def test_a_project_is_created_and_caches_are_told(owner: Client, world: World) -> None:
    assert owner.post(PAGE, {"name": "support-bot"}).status_code == 302

    assert "support-bot" in names(world)
    assert Change.objects.filter(kind="project", tenant=world.tenant.pk).exists()


@pytest.mark.parametrize("name", ["", "Has Capitals", "x" * 65, "shop", "a/b", "shöp"])
def test_a_bad_or_taken_name_is_refused(name: str, owner: Client, world: World) -> None:
    before = names(world)

    assert owner.post(PAGE, {"name": name}).status_code == 422
    assert names(world) == before


def test_a_project_gets_another_name_and_keeps_its_calls(
    owner: Client, world: World, now: object
) -> None:
    book_call(world.tenant, project=world.project.pk, opened_at=milliseconds(now))  # type: ignore[arg-type]

    rename(owner, world, "store")

    assert names(world) >= {"store"}
    assert "shop" not in names(world)
    row = next(row for row in tables(owner.get(f"{PAGE}?mode=live"))[0] if row[0] == "store")
    assert exact(row[1]) == f"{COST:f}"


def test_default_keeps_its_name(owner: Client, world: World) -> None:
    with tenant_scope(world.tenant.pk):
        default = Project.objects.for_tenant(world.tenant).create(
            tenant=world.tenant, name="default"
        )

    answer = rename(owner, world, "other", default)

    assert "its name stays" in text(answer)
    assert "default" in names(world)


def test_a_viewer_sees_projects_but_makes_none(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people[Role.VIEWER])

    assert "New project" not in text(browser.get(PAGE))
    assert browser.post(PAGE, {"name": "mine"}).status_code == 403
