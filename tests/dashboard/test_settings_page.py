"""The settings page: the name, other sessions, and the end of an account."""

import pytest
from django.test import Client

from accounts.models import AuditEvent, Membership, Tenant, User
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import PASSWORD

PAGE = "/dashboard/settings/"


def test_the_name_is_changed_and_the_change_audited(owner: Client, world: World) -> None:
    answer = owner.post(PAGE, {"name": "Acme & Sons", "time_zone": "UTC"}, follow=True)

    assert "Acme &amp; Sons" in answer.content.decode()
    with tenant_scope(world.tenant.pk):
        event = AuditEvent.objects.for_tenant(world.tenant).first()
    assert event is not None
    assert (event.action, event.subject) == ("tenant.renamed", "Acme & Sons")


def test_members_see_the_page_but_cannot_rename(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people[Role.MEMBER])

    assert "An owner or admin can change name and time zone" in text(browser.get(PAGE))
    assert browser.post(PAGE, {"name": "Mine"}).status_code == 403
    assert Tenant.objects.get(pk=world.tenant.pk).name == "Acme"


def test_an_empty_name_is_refused(owner: Client, world: World) -> None:
    assert owner.post(PAGE, {"name": " ", "time_zone": "UTC"}).status_code == 422


def test_ending_other_sessions_leaves_this_one(owner: Client, world: World) -> None:
    other = Client()
    other.force_login(world.owner)
    assert other.get(PAGE).status_code == 200

    answer = owner.post(f"{PAGE}sessions/", follow=True)

    assert "All other sessions have ended" in text(answer)
    assert owner.get(PAGE).status_code == 200
    assert other.get(PAGE).status_code == 302
    again = Client()
    assert again.login(email=world.owner.email, password=PASSWORD)
    assert again.get(PAGE).status_code == 200


def test_a_password_change_still_ends_sessions_of_a_later_generation(world: World) -> None:
    browser = Client()
    browser.force_login(world.owner)
    browser.post(f"{PAGE}sessions/")
    user = User.objects.get(pk=world.owner.pk)
    user.set_password("another long password")
    user.save()

    assert browser.get(PAGE).status_code == 302


@pytest.mark.parametrize(
    ("name", "password", "complaint"),
    [
        ("acme", PASSWORD, "This is not the name"),
        ("Acme", "wrong", "This is not your password"),
        ("", "", "This field is required"),
    ],
)
def test_deletion_wants_the_name_and_the_password(
    name: str, password: str, complaint: str, owner: Client, world: World
) -> None:
    answer = owner.post(f"{PAGE}delete/", {"name": name, "password": password})

    assert answer.status_code == 422
    assert complaint in text(answer)
    assert Tenant.objects.get(pk=world.tenant.pk).deleting_since is None


def test_the_page_says_what_deletion_does(owner: Client, world: World) -> None:
    said = text(owner.get(f"{PAGE}delete/"))

    assert "At once 1 gateway key stops working" in said
    assert "1 provider key is shredded" in said
    assert "4 people lose access" in said


def test_the_owner_deletes_the_account_and_is_logged_out(owner: Client, world: World) -> None:
    answer = owner.post(f"{PAGE}delete/", {"name": "Acme", "password": PASSWORD})

    assert "Acme is deleted" in text(answer)
    assert Tenant.objects.get(pk=world.tenant.pk).deleting_since is not None
    assert owner.get("/dashboard/").status_code == 302
    with tenant_scope(world.tenant.pk):
        assert not Membership.objects.for_tenant(world.tenant).exists()
    assert not User.objects.filter(pk=world.owner.pk).exists()


def test_an_admin_cannot_delete_the_account(world: World, log_in: LogIn) -> None:
    form = {"name": "Acme", "password": PASSWORD}

    assert log_in(world.people[Role.ADMIN]).post(f"{PAGE}delete/", form).status_code == 403
