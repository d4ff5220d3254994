"""Saved views: filters of the calls page under a name, one's own or shared."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEvent
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from dashboard.models import SavedView
from dashboard.saved_views import MOST
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import MembershipFactory, TenantFactory

PAGE = "/dashboard/calls/views/"
CALLS = "/dashboard/calls/"
FILTERS = "mode=live&status=failed&provider=groq"


def keep(browser: Client, name: str = "Groq fails", query: str = FILTERS, **more: str) -> Any:
    return browser.post(PAGE, {"name": name, "query": query, **more})


def ways(answer: Any) -> list[str]:
    """The links of a page that lead to one view's own pages."""
    body = answer.content.decode()
    return [part.partition('"')[0] for part in body.split('href="') if part.startswith(PAGE + "v")]


def test_filters_are_kept_opened_renamed_and_deleted(owner: Client, world: World) -> None:
    answer = keep(owner)

    assert answer["Location"] == f"{CALLS}?mode=live&status=failed&provider=groq"
    opened = owner.get(answer["Location"])
    assert 'aria-current="true">Groq fails' in opened.content.decode()
    listed = owner.get(PAGE)
    assert "Live · Status: Failed · Provider: Groq" in text(listed)

    [rename, delete] = [way for way in ways(listed) if "rename" in way or "delete" in way][-2:]
    owner.post(rename, {"name": "Broken"})
    assert "Broken" in text(owner.get(CALLS))
    owner.post(delete)
    assert "Broken" not in text(owner.get(CALLS))


def test_only_filters_that_count_are_kept(owner: Client, world: World) -> None:
    answer = keep(owner, query="cursor=x&status=burnt&tag=beta&mode=moon&evil=1")

    assert answer["Location"] == f"{CALLS}?mode=test&tag=beta"


@pytest.mark.parametrize("query", ["mode=live", "mode=live&status=burnt", "evil=1"])
def test_without_a_filter_there_is_nothing_to_keep(query: str, owner: Client) -> None:
    answer = keep(owner, query=query)

    assert answer.status_code == 422
    assert "No filter is in use" in text(answer)


def test_a_view_of_ones_own_is_seen_by_nobody_else(
    owner: Client, world: World, log_in: LogIn
) -> None:
    keep(owner)
    [rename] = [way for way in ways(owner.get(PAGE)) if "rename" in way][1:]

    admin = log_in(world.people[Role.ADMIN])

    assert "Groq fails" not in text(admin.get(CALLS)) + text(admin.get(PAGE))
    assert admin.get(rename).status_code == 404
    assert admin.post(rename.replace("rename", "delete")).status_code == 404
    assert keep(admin).status_code == 302  # the name is taken by nobody they know


def test_a_shared_view_is_for_all_and_on_the_audit_list(
    owner: Client, world: World, log_in: LogIn
) -> None:
    keep(owner, shared="on")

    assert "Groq fails" in text(log_in(world.people[Role.VIEWER]).get(CALLS))
    with tenant_scope(world.tenant.pk):
        event = AuditEvent.objects.for_tenant(world.tenant).first()
    assert event is not None
    assert (event.action, event.subject) == ("view.shared", "Groq fails")


def test_a_viewer_keeps_views_but_shares_and_changes_none(world: World, log_in: LogIn) -> None:
    viewer = log_in(world.people[Role.VIEWER])
    shared = world.path("dashboard/calls/views/<str:view>/")

    assert "For everybody here" not in viewer.get(f"{CALLS}?{FILTERS}").content.decode()
    keep(viewer, shared="on")
    with tenant_scope(world.tenant.pk):
        made = SavedView.objects.for_tenant(world.tenant).get(name="Groq fails")
    assert made.owner == world.people[Role.VIEWER]
    assert "Members and above can change it" in text(viewer.get(f"{shared}rename/"))
    assert viewer.post(f"{shared}rename/", {"name": "Mine"}).status_code == 403
    assert viewer.post(f"{shared}delete/").status_code == 403


def test_a_name_is_taken_once(owner: Client, world: World) -> None:
    keep(owner)

    assert "There is a view “Groq fails” already" in text(keep(owner))
    assert keep(owner, shared="on").status_code == 302
    [rename, *_] = [way for way in ways(owner.get(PAGE)) if "rename" in way]
    assert owner.post(rename, {"name": "Groq fails"}).status_code == 422


def test_strangers_reach_no_view(world: World, log_in: LogIn) -> None:
    other = log_in(MembershipFactory.create(tenant=TenantFactory.create()).user)
    path = world.path("dashboard/calls/views/<str:view>/")

    assert "Beta" not in text(other.get(PAGE))
    assert other.post(f"{path}delete/").status_code == 404
    assert other.post(f"{path}rename/", {"name": "Mine"}).status_code == 404
    assert other.get(f"{PAGE}view_nonsense/rename/").status_code == 404


def test_there_is_an_end_to_views(owner: Client, world: World) -> None:
    with tenant_scope(world.tenant.pk):
        for number in range(MOST):
            SavedView.objects.for_tenant(world.tenant).create(
                tenant=world.tenant,
                owner=world.owner,
                name=str(number),
                query="",
                created_at=world.tenant.created_at,
            )

    assert "Delete one first" in text(keep(owner))


def test_views_of_somebody_who_leaves_go_along(world: World, log_in: LogIn) -> None:
    admin = log_in(world.people[Role.ADMIN])
    keep(admin)

    admin.post("/dashboard/team/leave/")

    with tenant_scope(world.tenant.pk):
        assert [view.name for view in SavedView.objects.for_tenant(world.tenant)] == ["Beta"]


def test_what_a_name_holds_is_text(owner: Client) -> None:
    answer = keep(owner, name="<b>x</b>")

    assert "<b>x</b>" not in owner.get(answer["Location"]).content.decode()
