"""The cache page: what it saved, how much is kept, the switch and the purge."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts import tenant_settings
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from routing.cache import choice
from routing.models import CachedAnswer
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import text
from tests.factories.accounts import TenantFactory
from tests.factories.billing import book_call

PAGE, PURGE = "/dashboard/cache/", "/dashboard/cache/purge/"


@pytest.fixture(autouse=True)
def _in_the_database(settings: Any) -> Iterator[None]:
    settings.FLO2_CACHE_STORE = "database"
    choice.store.cache_clear()
    yield
    choice.store.cache_clear()


def keep(world: World, now: datetime, *, policy: str = "", number: int = 1) -> None:
    with tenant_scope(world.tenant.pk):
        CachedAnswer.objects.for_tenant(world.tenant).create(
            tenant=world.tenant, key=bytes([number]) * 32, sealed=b"x", size=2048, policy=policy,
            lineage=world.key.lineage, created_at=now, used_at=now,
            expires_at=now.replace(year=now.year + 1),
        )  # fmt: skip


def kept(world: World) -> int:
    with tenant_scope(world.tenant.pk):
        return CachedAnswer.objects.for_tenant(world.tenant).count()


def is_on(world: World) -> bool:
    with tenant_scope(world.tenant.pk):
        return tenant_settings.read(world.tenant.pk).cache_enabled


def test_caching_is_off_until_an_owner_switches_it_on(owner: Client, world: World) -> None:
    assert "Caching is off" in text(owner.get(PAGE))

    assert owner.post(PAGE, {"enabled": "on"}).status_code == 302

    assert is_on(world)
    assert "Caching is on" in text(owner.get(PAGE))


def test_switching_it_off_drops_what_is_kept(owner: Client, world: World, now: datetime) -> None:
    owner.post(PAGE, {"enabled": "on"})
    keep(world, now)

    owner.post(PAGE, {"enabled": "off"})

    assert (is_on(world), kept(world)) == (False, 0)


def test_a_member_sees_the_page_but_not_the_switch(log_in: LogIn, world: World) -> None:
    member = log_in(world.people[Role.MEMBER])

    assert "An owner or admin can change this" in text(member.get(PAGE))
    assert member.post(PAGE, {"enabled": "on"}).status_code == 403
    assert not is_on(world)


def test_a_purge_drops_what_the_form_names(owner: Client, world: World, now: datetime) -> None:
    keep(world, now, policy="default")
    keep(world, now, number=2)
    assert "Drop kept answers" in text(owner.get(PAGE))

    owner.post(PURGE, {"what": "policy:default"})
    assert kept(world) == 1
    assert owner.post(PURGE, {"what": "policy:foreign"}).status_code == 422
    owner.post(PURGE, {"what": f"key:{world.key.lineage}"})
    assert kept(world) == 0


def test_the_page_shows_what_hits_have_saved(owner: Client, world: World, now: datetime) -> None:
    foreign = TenantFactory.create()
    for tenant in (world.tenant, foreign):
        settled = {"cache": "hit", "saved": Decimal("0.25")}
        book_call(tenant, opened_at=milliseconds(now), attempts=(), settled=settled)

    shown = text(owner.get(f"{PAGE}?mode=live"))

    assert "$0.25" in shown
    assert "of the calls that were answered" in shown, shown[-900:]
