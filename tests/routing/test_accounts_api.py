"""`/api/v1/projects` and `/api/v1/audit`: what programs see of an account."""

from typing import Any

import pytest

from accounts import ids, projects
from accounts.audit import SYSTEM
from accounts.tenancy import tenant_scope
from tests.factories.accounts import ProjectFactory, TenantFactory
from tests.routing.test_reports_api import Api

pytestmark = pytest.mark.django_db


@pytest.fixture
def api() -> Api:
    return Api(TenantFactory.create())


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]


def test_a_project_is_made_listed_and_renamed(api: Api) -> None:
    made = api.post("projects", name="shop")
    renamed = api.patch(f"projects/{made.json()['id']}", name="store")

    assert (made.status_code, renamed.status_code) == (201, 200)
    assert api.get(f"projects/{made.json()['id']}").json() == renamed.json()
    assert names(api.get("projects")) == ["store"]


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"name": "No Blanks"}, 400, "name"),
        ({"name": ""}, 400, "name"),
        ({}, 400, "name"),
        ({"name": "fine", "colour": "red"}, 400, "colour"),
        ({"name": "taken"}, 409, None),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    api: Api, fields: dict[str, str], status: int, param: str | None
) -> None:
    ProjectFactory.create(tenant=api.tenant, name="taken")

    answer = api.post("projects", **fields)

    assert answer.status_code == status
    assert answer.json()["error"]["param"] == param
    assert names(api.get("projects")) == ["taken"]


def test_projects_and_events_of_others_are_unknown(api: Api) -> None:
    foreign = ProjectFactory.create()
    shown = ids.show("proj", foreign.pk)

    assert api.get(f"projects/{shown}").status_code == 404
    assert api.patch(f"projects/{shown}", name="mine").status_code == 404
    assert api.get("projects/proj_nonsense").status_code == 404
    assert names(api.get("projects")) == []


def test_events_come_newest_first_page_by_page_and_each_once(api: Api) -> None:
    with tenant_scope(api.tenant.pk):
        for number in range(5):
            projects.create(api.tenant, f"p{number}", actor=SYSTEM)

    events: list[dict[str, Any]] = []
    query = {"limit": "2"}
    while query.get("cursor", "") is not None:
        page = api.get("audit", **query).json()
        assert len(page["results"]) <= 2
        events += page["results"]
        query["cursor"] = page["next"]

    numbers = [event["number"] for event in events]
    assert numbers == list(range(6, 0, -1))
    made = api.get("audit", action="project.created").json()["results"]
    assert [event["subject"] for event in made] == ["p4", "p3", "p2", "p1", "p0"]
    assert len({event["hash"] for event in events}) == len(events)


@pytest.mark.parametrize("query", [{"limit": "²"}, {"limit": "0"}, {"cursor": "x"}, {"who": "me"}])
def test_a_query_that_means_nothing_is_refused(api: Api, query: dict[str, str]) -> None:
    assert api.get("audit", **query).status_code == 400
