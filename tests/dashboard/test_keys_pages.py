"""Gateway keys: made, shown once, rolled, revoked."""

import re
from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from accounts import ids, tokens
from accounts.models import GatewayKey, ManagementKey
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import ProjectFactory, TenantFactory, issue_gateway_key

PAGE = "/dashboard/keys/"
KEY_TEXT = re.compile(r"flo2_(?:live|test|mgmt)_[0-9A-Za-z]{42}")


def texts_in(answer: Any) -> set[str]:
    """The texts of keys that a page holds."""
    return set(KEY_TEXT.findall(answer.content.decode()))


def newest(world: World) -> GatewayKey:
    with tenant_scope(world.tenant.pk):
        rows = GatewayKey.objects.for_tenant(world.tenant).select_related("project")
        return rows.order_by("-created_at", "-id")[0]


def path_of(key: GatewayKey, action: str) -> str:
    return f"/dashboard/keys/{ids.show('key', key.pk)}/{action}/"


def test_a_new_key_is_shown_once_and_nowhere_else(owner: Client, world: World) -> None:
    answer = owner.post(PAGE, {"name": "Laptop", "mode": "test"})

    [shown] = texts_in(answer)
    assert tokens.is_well_formed(shown)
    assert shown.endswith(newest(world).last4)
    assert answer["Cache-Control"] == "no-store"
    assert texts_in(owner.get(PAGE)) == set()


def test_a_key_keeps_the_terms_that_were_asked_for(
    owner: Client, world: World, now: datetime
) -> None:
    ProjectFactory.create(tenant=world.tenant, name="search")
    last = (now + timedelta(days=30)).date()
    form = {
        "name": "CI", "mode": "live", "project": "search", "allowed_models": "groq/*\nauto",
        "allowed_cidrs": "203.0.113.7, 2001:db8::/32", "expires_on": last.isoformat(),
    }  # fmt: skip

    owner.post(PAGE, form)

    key = newest(world)
    assert (key.name, key.mode) == ("CI", "live")
    assert key.project is not None
    assert key.project.name == "search"
    assert key.allowed_models == ["groq/*", "auto"]
    assert key.allowed_cidrs == ["203.0.113.7/32", "2001:db8::/32"]
    assert key.expires_at is not None
    assert key.expires_at.date() == last + timedelta(days=1)
    assert key.created_by == world.owner


def test_what_is_wrong_is_said_at_its_field(owner: Client, now: datetime) -> None:
    form = {
        "name": "", "mode": "live", "allowed_cidrs": "not a network",
        "expires_on": (now - timedelta(days=1)).date().isoformat(),
    }  # fmt: skip

    first = owner.post(PAGE, form)
    second = owner.post(PAGE, {**form, "name": "CI", "expires_on": ""})

    assert first.status_code == 422
    assert "This field is required." in text(first)
    assert "This day is over." in text(first)
    assert "does not appear to be an IPv4 or IPv6 network" in text(second)
    assert texts_in(first) | texts_in(second) == set()


def test_a_project_of_another_tenant_cannot_be_chosen(owner: Client) -> None:
    ProjectFactory.create(tenant=TenantFactory.create(), name="theirs")

    answer = owner.post(PAGE, {"name": "CI", "mode": "live", "project": "theirs"})

    assert answer.status_code == 422


def test_revoking_asks_first_and_ends_the_key(owner: Client, world: World) -> None:
    path = path_of(world.key, "revoke")
    asked = owner.get(path)
    assert "This cannot be undone" in text(asked)
    assert "it made 1 call" in text(asked)

    answer = owner.post(path, follow=True)

    assert newest(world).is_revoked
    assert "1 key that no longer works" in text(answer)


def test_a_rolled_key_has_a_new_text_and_the_old_one_goes_on(
    owner: Client, world: World, now: datetime
) -> None:
    answer = owner.post(path_of(world.key, "roll"), {"overlap": "3600"})

    [shown] = texts_in(answer)
    new = newest(world)
    assert shown.endswith(new.last4)
    assert new.lineage == world.key.lineage
    with tenant_scope(world.tenant.pk):
        old = GatewayKey.objects.for_tenant(world.tenant).get(pk=world.key.pk)
    assert old.expires_at is not None
    assert timedelta(minutes=59) < old.expires_at - now < timedelta(minutes=61)


def test_a_revoked_key_cannot_be_rolled(owner: Client, world: World) -> None:
    owner.post(path_of(world.key, "revoke"))

    answer = owner.post(path_of(world.key, "roll"), {"overlap": "0"})

    assert "A revoked key cannot be rolled." in text(answer)


def test_the_list_tells_what_a_key_was_used_for(owner: Client, world: World) -> None:
    said = text(owner.get(PAGE))

    assert "Production" in said
    assert "$0.002" in said


def test_the_first_keys_are_shown_once(owner: Client, world: World) -> None:
    first = owner.get("/dashboard/keys/first/")
    again = owner.get("/dashboard/keys/first/")

    assert re.search(r"export FLO2_API_KEY=&quot;flo2_live_\w{42}&quot;", text(first))
    assert {shown[:10] for shown in texts_in(first)} == {"flo2_live_", "flo2_test_"}
    assert first["Cache-Control"] == "no-store"
    assert texts_in(again) == set()
    assert "These keys were shown already" in text(again)


def test_a_management_key_is_shown_once_and_revoked(owner: Client, world: World) -> None:
    shown = texts_in(owner.post("/dashboard/keys/management/", {"name": "Terraform"}))
    assert {key[:10] for key in shown} == {"flo2_mgmt_"}
    assert texts_in(owner.get(PAGE)) == set()

    path = f"/dashboard/keys/management/{ids.show('key', world.management_key.pk)}/revoke/"
    owner.post(path)

    with tenant_scope(world.tenant.pk):
        row = ManagementKey.objects.for_tenant(world.tenant).get(pk=world.management_key.pk)
    assert row.is_revoked


def test_members_do_not_see_management_keys(world: World, log_in: LogIn) -> None:
    assert "Management keys" not in text(log_in(world.people[Role.MEMBER]).get(PAGE))
    assert "Management keys" in text(log_in(world.people[Role.ADMIN]).get(PAGE))


def test_keys_of_another_tenant_are_unknown(owner: Client) -> None:
    theirs = issue_gateway_key(TenantFactory.create()).record

    assert owner.get(path_of(theirs, "revoke")).status_code == 404
    assert owner.post(path_of(theirs, "revoke")).status_code == 404
    assert owner.post(path_of(theirs, "roll"), {"overlap": "0"}).status_code == 404
