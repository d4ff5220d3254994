"""`/api/v1/account/…` and the settings page: take everything along but secrets, and go."""

import base64
import json
from collections import Counter
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db.models import Model
from django.test import AsyncClient, Client

from accounts import audit, deletion, export, gateway_keys
from accounts.audit import Actor
from accounts.models import (
    AuditEvent,
    GatewayKey,
    ManagementKey,
    ProviderKey,
    Tenant,
    TenantSettings,
    User,
)
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from tests.dashboard.conftest import LogIn, World, log_in, now, world
from tests.factories.accounts import PASSWORD, MembershipFactory, TenantFactory, UserFactory
from tests.factories.billing import book_call

__all__ = ["log_in", "now", "world"]
pytestmark = pytest.mark.django_db
EXPORT, DELETE = "/api/v1/account/export", "/api/v1/account/delete"
SUSPICIOUS = ("secret", "sealed", "digest", "password", "token_text", "hash", "content")


def key_of(tenant: Tenant, actor: Actor) -> str:
    with tenant_scope(tenant.pk):
        return gateway_keys.issue_management_key(tenant, name="ci", actor=actor).reveal()


def download(path: str, *, key: str = "", cookies: Any = None) -> tuple[int, bytes]:
    """The status and the whole body of a POST, streamed as by the server."""
    browser = AsyncClient()
    browser.cookies = cookies or browser.cookies
    headers = {"authorization": f"Bearer {key}"} if key else None

    async def post() -> tuple[int, bytes]:
        answer: Any = await browser.post(path, headers=headers)
        if not answer.streaming:
            return answer.status_code, answer.content
        return answer.status_code, b"".join([part async for part in answer.streaming_content])

    return async_to_sync(post)()


def tables_of(body: bytes) -> dict[str, list[dict[str, Any]]]:
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[0]["format"] == export.FORMAT
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in lines[-1]["rows"]}
    for line in lines[1:-1]:
        found[line["table"]].append(line["row"])
    counts = {name: len(rows) for name, rows in found.items()}
    assert lines[-1] == {"end": True, "rows": counts}
    return found


def test_the_export_holds_every_row_of_the_tenant_and_of_nobody_else(world: World) -> None:
    book_call(TenantFactory.create())

    status, body = download(EXPORT, key=key_of(world.tenant, audit.SYSTEM))

    found = tables_of(body)
    assert status == 200
    assert [row["name"] for row in found["accounts.tenant"]] == ["Acme"]
    assert {row["email"] for row in found["accounts.user"]} == {
        user.email for user in world.people.values()
    }
    with tenant_scope(world.tenant.pk):
        for model in deletion.tables():
            name = model._meta.label_lower
            assert len(found[name]) == model.objects.for_tenant(world.tenant).count(), name
    assert [row["id"] for row in found["billing.call"]] == [str(world.call.id)]
    assert [row["cost"] for row in found["billing.attempt"]] == ["0.002"]
    assert found["accounts.auditevent"][-1]["action"] == "account.exported"
    assert all(row["tenant_id"] == str(world.tenant.pk) for row in found["accounts.gatewaykey"])


def test_the_export_holds_no_secret(world: World) -> None:
    key = key_of(world.tenant, audit.SYSTEM)

    body = download(EXPORT, key=key)[1]

    with tenant_scope(world.tenant.pk):
        secrets = [
            bytes(ProviderKey.objects.for_tenant(world.tenant).get().sealed_secret),
            *(bytes(one.digest) for one in GatewayKey.objects.for_tenant(world.tenant)),
            *(bytes(one.digest) for one in ManagementKey.objects.for_tenant(world.tenant)),
            bytes(world.tenant.sealed_data_key),
        ]
    forms = [f for s in secrets for f in (s, s.hex().encode(), base64.b64encode(s))]
    texts = [key, "gsk_0123456789abcdef", world.invited.token, world.owner.password]
    assert [form for form in (*forms, *(text.encode() for text in texts)) if form in body] == []


def test_no_column_that_sounds_secret_is_exported() -> None:
    tables: list[type[Model]] = [Tenant, *deletion.tables()]
    named = [
        f"{model._meta.label_lower}.{field.attname}"
        for model in tables
        for field in export.columns(model)
        if model is not TenantSettings  # says what may be kept of content, and holds none
    ]

    assert [name for name in named if any(word in name for word in SUSPICIOUS)] == []


def test_many_rows_come_in_portions_and_each_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "PORTION", 2)
    for _ in range(4):
        book_call(world.tenant)

    found = tables_of(download(EXPORT, key=key_of(world.tenant, audit.SYSTEM))[1])

    for name, field in (("billing.call", "id"), ("billing.attempt", "call_id")):
        assert Counter(row[field] for row in found[name]).most_common(1)[0][1] == 1
        assert len(found[name]) == 5


@pytest.mark.parametrize("role", Role.values)
def test_the_settings_page_offers_it_to_who_manages_the_tenant(
    role: str, world: World, log_in: LogIn
) -> None:
    browser = log_in(world.people[role])
    may = role in {Role.OWNER, Role.ADMIN}

    page = browser.get("/dashboard/settings/").content.decode()
    status, body = download("/dashboard/settings/export/", cookies=browser.cookies)

    assert ("Export everything" in page) == may
    assert status == (200 if may else 403)
    assert (b'"end":true' in body) == may


def test_strangers_export_nothing(world: World, log_in: LogIn) -> None:
    other = MembershipFactory.create(tenant=TenantFactory.create())

    body = download(EXPORT, key=key_of(other.tenant, audit.SYSTEM))[1]

    assert b"Acme" not in body
    assert str(world.tenant.pk).encode() not in body
    assert download(EXPORT)[0] == 401
    browser = log_in(other.user)
    assert b"Acme" not in download("/dashboard/settings/export/", cookies=browser.cookies)[1]


def delete(client: Client, **content: Any) -> Any:
    return client.post(DELETE, json.dumps(content), content_type="application/json")


def program(world: World, maker: User | None) -> Client:
    actor = audit.person(maker) if maker else audit.SYSTEM
    return Client(HTTP_AUTHORIZATION=f"Bearer {key_of(world.tenant, actor)}")


def is_deleted(world: World) -> bool:
    return Tenant.objects.get(pk=world.tenant.pk).deleting_since is not None


def test_a_key_that_the_owner_made_deletes_the_account(world: World) -> None:
    client = program(world, world.owner)

    assert delete(client, name="acme").json()["error"]["fields"].keys() == {"name"}
    assert delete(client, name="Acme", now=True).status_code == 400
    assert not is_deleted(world)
    answer = delete(client, name="Acme")

    assert answer.json() == {"deleted": True, "erased_within_s": 3600}
    assert is_deleted(world)
    assert delete(client, name="Acme").status_code == 401
    with tenant_scope(world.tenant.pk):
        last = AuditEvent.objects.for_tenant(world.tenant).filter(action="tenant.deleted").get()
    assert last.actor.startswith("management key …")


def test_a_key_is_no_way_around_the_role_of_who_made_it(world: World) -> None:
    for maker in (world.people[Role.ADMIN], None):
        answer = delete(program(world, maker), name="Acme")
        assert answer.status_code == 403
        assert "the owner has made" in answer.json()["error"]["message"]
    assert not is_deleted(world)


def test_by_session_the_owner_gives_the_password_too(world: World) -> None:
    browser = Client()
    browser.force_login(world.owner)

    for wrong in ({}, {"password": "nonsense"}):
        answer = delete(browser, name="Acme", **wrong)
        assert answer.json()["error"]["fields"].keys() == {"password"}
    assert delete(browser, name="Acme", password=PASSWORD).status_code == 200
    assert is_deleted(world)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.VIEWER])
def test_others_do_not_delete_the_account(role: str, world: World) -> None:
    browser = Client()
    browser.force_login(world.people[role])

    assert delete(browser, name="Acme", password=PASSWORD).status_code == 403
    assert not is_deleted(world)


def test_somebody_without_a_tenant_deletes_nothing(world: World) -> None:
    browser = Client()
    browser.force_login(UserFactory.create())

    assert delete(browser, name="Acme", password=PASSWORD).status_code == 401
