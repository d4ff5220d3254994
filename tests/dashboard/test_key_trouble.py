"""A provider key that died: owner and admins are told, once while it lasts."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from accounts import audit, provider_keys
from accounts.models import ProviderKey
from accounts.models.provider_key import KeyStatus
from accounts.roles import Role
from accounts.secret import Secret
from accounts.tenancy import system_scope, tenant_scope
from dashboard import key_trouble
from dashboard.models import KeyTrouble
from dashboard.tasks import mail_key_trouble
from tests.dashboard.conftest import World
from tests.factories.accounts import TenantFactory, add_provider_key

pytestmark = pytest.mark.usefixtures("mail_is_sent")


def mark(world: World, status: KeyStatus, now: datetime, reason: str = "Invalid API Key") -> None:
    with tenant_scope(world.tenant.pk):
        provider_keys.record_check(world.provider_key, status=status, now=now, reason=reason)


def test_owner_and_admins_are_told_once_what_to_do(world: World, now: datetime) -> None:
    mark(world, KeyStatus.INVALID, now)

    assert [mail_key_trouble(), key_trouble.send_waiting(now)] == [1, 0]

    assert sorted(one.to[0] for one in mail.outbox) == sorted(
        world.people[role].email for role in (Role.OWNER, Role.ADMIN)
    )
    one = mail.outbox[0]
    assert one.subject == "Groq refuses a key: Acme"
    assert "…cdef" in str(one.body)
    assert "it said  Invalid API Key" in str(one.body)
    assert "/dashboard/providers/#groq" in str(one.body)
    assert "gsk_0123456789abcdef" not in str(one.message())


def test_a_key_that_works_is_no_trouble(world: World, now: datetime) -> None:
    for status in (KeyStatus.VALID, KeyStatus.LIMITED, KeyStatus.UNVERIFIED):
        mark(world, status, now)
        assert key_trouble.send_waiting(now) == 0


def test_the_next_incident_is_told_again(world: World, now: datetime) -> None:
    later = now
    for status, mails in (
        (KeyStatus.NO_CREDIT, 1), (KeyStatus.VALID, 0), (KeyStatus.NO_CREDIT, 1),
        (KeyStatus.NO_CREDIT, 0), (KeyStatus.INVALID, 1),
    ):  # fmt: skip
        later += timedelta(minutes=5)
        mark(world, status, later)
        assert key_trouble.send_waiting(later) == mails, status

    assert "out of credit: Acme" in mail.outbox[0].subject
    assert "Add credit at Groq" in str(mail.outbox[0].body)


def test_a_replaced_switched_off_or_deleted_key_is_trouble_no_more(
    world: World, now: datetime
) -> None:
    mark(world, KeyStatus.INVALID, now)
    key_trouble.send_waiting(now)
    with tenant_scope(world.tenant.pk):
        key = ProviderKey.objects.for_tenant(world.tenant).select_related("tenant").get()
        provider_keys.change(key, actor=audit.SYSTEM, label="", weight=1, enabled=False)
    assert key_trouble.send_waiting(now) == 0
    with system_scope():
        assert not KeyTrouble.objects.exists()

    with tenant_scope(world.tenant.pk):
        provider_keys.change(key, actor=audit.SYSTEM, label="", weight=1, enabled=True)
        provider_keys.rotate(key, secret=Secret("gsk_another0123456789"), actor=audit.SYSTEM)
    assert key_trouble.send_waiting(now) == 0
    with tenant_scope(world.tenant.pk):
        provider_keys.record_check(key, status=KeyStatus.INVALID, now=now)
    assert key_trouble.send_waiting(now) == 1
    with tenant_scope(world.tenant.pk):
        provider_keys.remove(key, actor=audit.SYSTEM)
    assert key_trouble.send_waiting(now) == 0


def test_what_the_mail_server_does_not_take_waits(
    world: World, now: datetime, settings: Any
) -> None:
    mark(world, KeyStatus.INVALID, now)
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert key_trouble.send_waiting(now) == 0

    settings.EMAIL_BACKEND = working
    assert key_trouble.send_waiting(now) == 1


def test_nobody_of_another_tenant_is_told(world: World, now: datetime) -> None:
    other = add_provider_key(TenantFactory.create(name="Alone"))
    with tenant_scope(other.tenant_id):
        provider_keys.record_check(other, status=KeyStatus.INVALID, now=now)

    assert key_trouble.send_waiting(now) == 0  # it has no members at all
    assert mail.outbox == []
    assert key_trouble.send_waiting(now) == 0
