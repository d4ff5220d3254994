"""An operator looks at a tenant's pages: as a viewer, read only, told on both audit lists."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone

from accounts import impersonation, operator_audit
from accounts.errors import RoleNotAllowed
from accounts.models import AuditEvent, GatewayKey, Impersonation, OperatorEvent, Project, User
from accounts.roles import RIGHTS, Role
from accounts.tasks import end_impersonations
from accounts.tenancy import system_scope, tenant_scope
from dashboard import consumers, impersonating
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.dashboard.test_roles import ACTIONS, GUARDED
from tests.factories.accounts import MembershipFactory, TenantFactory

BAND = "You look at Acme as its operator."
END = "/admin/impersonation/end/"


def look(browser: Client, world: World, reason: str = "ticket 7") -> None:
    path = f"/admin/accounts/tenant/{world.tenant.pk}/look/"
    assert browser.post(path, {"reason": reason})["Location"] == "/dashboard/"


@pytest.fixture
def visitor(browser: Client, world: World) -> Client:
    look(browser, world)
    return browser


def acts(world: World) -> list[tuple[str, str, str]]:
    """What stands on the tenant's list, and word for word on the operators'."""
    with tenant_scope(world.tenant.pk):
        rows = AuditEvent.objects.for_tenant(world.tenant).filter(action__startswith="imp")
        found = [(row.actor, row.action, row.subject) for row in rows.order_by("number")]
    own = OperatorEvent.objects.order_by("number")
    assert [(row.actor, row.action, row.subject) for row in own] == found
    assert operator_audit.first_broken() is None
    return found


def test_a_visit_has_a_reason_a_band_and_an_end(browser: Client, world: World) -> None:
    path = f"/admin/accounts/tenant/{world.tenant.pk}/look/"
    assert "This field is required" in text(browser.post(path, {"reason": ""}))
    look(browser, world)

    said = text(browser.get("/dashboard/?mode=live"))
    assert BAND in said
    assert "Acme ops@example.org · Viewer" in said
    assert "Looking at Acme, read only" in text(browser.get("/admin/"))

    answer = browser.post(END, follow=True)
    assert "You no longer look at the pages of Acme" in text(answer)
    assert browser.get("/dashboard/").status_code == 404  # the operator belongs to no tenant
    operator = "operator: ops@example.org"
    assert acts(world) == [
        (operator, "impersonation.started", "ticket 7"),
        (operator, "impersonation.ended", "ticket 7"),
    ]


def test_a_visitor_sees_what_a_viewer_sees_under_the_band(visitor: Client, world: World) -> None:
    for page in GUARDED:
        if page.name in ACTIONS or page.name == "calls_export":
            continue
        answer = visitor.get(world.path(page.path))
        assert page.right is not None
        allowed = page.right in RIGHTS[Role.VIEWER]
        assert answer.status_code == (200 if allowed else 403), page.name
        body = answer.content.decode()
        assert not allowed or "<main" not in body or BAND in text(answer), page.name
        assert "gsk_0123456789abcdef" not in body
        assert "flo2_live_" not in body


def test_a_visitor_changes_nothing_by_any_page(visitor: Client, world: World) -> None:
    for page in GUARDED:
        answer = visitor.post(world.path(page.path), {"name": "taken", "email": "x@example.org"})
        assert answer.status_code == 403, page.name
        assert "Nothing was changed" in text(answer)


def test_the_band_stands_on_pages_of_no_tenant_too(visitor: Client) -> None:
    for path in ("/", "/docs/", "/terms/", "/accounts/2fa/"):
        assert BAND in text(visitor.get(path)), path


def test_other_doors_are_closed_to_a_visitor(visitor: Client, world: World) -> None:
    tenant = f"/admin/accounts/tenant/{world.tenant.pk}/"

    assert visitor.post(f"{tenant}suspend/", {"reason": "x"}).status_code == 403
    assert visitor.post(f"{tenant}look/", {"reason": "x"}).status_code == 403
    assert visitor.get("/api/v1/calls").status_code == 403
    assert visitor.put("/api/v1/policies/default", {}).status_code == 403
    world.tenant.refresh_from_db()
    assert not world.tenant.is_suspended


def test_the_database_refuses_what_a_page_would_write(world: World) -> None:
    with tenant_scope(world.tenant.pk), impersonating.read_only():
        assert Project.objects.for_tenant(world.tenant).count() == 1
        with pytest.raises(RoleNotAllowed):
            Project.objects.for_tenant(world.tenant).update(name="mine")
        with pytest.raises(RoleNotAllowed):
            GatewayKey.objects.for_tenant(world.tenant).filter(pk=world.key.pk).delete()


@pytest.mark.django_db(transaction=True)
def test_a_page_opens_that_begins_a_transaction_of_its_own(visitor: Client, world: World) -> None:
    for path in ("/dashboard/", "/dashboard/team/"):
        assert visitor.get(path).status_code == 200, path


def test_a_visit_ends_by_time(browser: Client, world: World) -> None:
    with time_machine.travel(timezone.now() - timedelta(minutes=31), tick=False):
        look(browser, world)

    answer = browser.post("/dashboard/projects/", {"name": "late"})

    assert answer["Location"] == "/admin/accounts/tenant/"
    assert "has ended" in text(browser.get("/admin/accounts/tenant/"))
    assert browser.get("/dashboard/").status_code == 404
    with system_scope():
        row = Impersonation.objects.get()
    assert row.ended_at == row.until
    assert [action for _, action, _ in acts(world)][-1] == "impersonation.ended"


def test_the_worker_ends_what_nobody_ended(browser: Client, world: World) -> None:
    look(browser, world)

    assert end_impersonations() == 0
    with time_machine.travel(timezone.now() + timedelta(minutes=31), tick=False):
        assert end_impersonations() == 1
        assert end_impersonations() == 0


def test_logging_out_ends_a_visit(visitor: Client, world: World) -> None:
    visitor.post("/accounts/logout/")

    with tenant_scope(world.tenant.pk):
        last = AuditEvent.objects.for_tenant(world.tenant).first()
    assert last is not None
    assert (last.action, last.details) == ("impersonation.ended", {"by": "logout"})


def test_who_is_an_operator_no_more_sees_nothing_more(
    visitor: Client, world: World, operator: User
) -> None:
    operator.is_staff = False
    operator.save()

    assert BAND not in text(visitor.get("/dashboard/", follow=True))
    assert visitor.get("/dashboard/").status_code == 404


def test_the_visit_of_one_session_is_of_no_use_in_another(
    visitor: Client, world: World, log_in: LogIn
) -> None:
    with system_scope():
        row = Impersonation.objects.get()
    thief = Client()
    thief.force_login(MembershipFactory.create(tenant=TenantFactory.create()).user)
    session = thief.session
    session[impersonation.SESSION_KEY] = str(row.pk)
    session.save()

    assert "Acme" not in text(thief.get("/dashboard/", follow=True))
    assert "Acme" not in text(thief.get("/dashboard/"))


def test_the_live_feed_follows_a_visit_and_ends_with_it(visitor: Client, world: World) -> None:
    session, tenant = str(visitor.session.session_key), str(world.tenant.pk)

    found = consumers.membership_of(session, tenant)
    assert found is not None
    assert found.role == Role.VIEWER
    assert consumers.membership_of(session, str(TenantFactory.create().pk)) is None
    visitor.post(END)
    assert consumers.membership_of(session, tenant) is None
    assert SessionStore(session).get(impersonation.SESSION_KEY) is None


def test_members_cannot_visit(owner: Client, world: World) -> None:
    other = TenantFactory.create()

    assert (
        owner.post(f"/admin/accounts/tenant/{other.pk}/look/", {"reason": "x"}).status_code == 404
    )
    assert owner.post(END).status_code == 404
