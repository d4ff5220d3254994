"""Off is off: for answers that are under way, in every store, and while the store is away."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import close_old_connections
from django.test import Client

from accounts import audit, changes, gateway_keys, tenant_settings
from accounts.errors import Unavailable
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from billing.usage import Usage
from routing import tasks
from routing.cache import choice
from routing.cache.keeping import Cache, Keep
from routing.cache.shared import Shared
from routing.cache.stores import Kept, Memory, Store
from routing.cache.table import Table
from routing.conversation import Answer, Text
from tests.factories.accounts import TenantFactory
from tests.routing.plan.builders import caller

pytestmark = pytest.mark.django_db(transaction=True)
ROW = Kept(b"k" * 32, b"sealed", 4e9, UUID(int=5))
Use = Callable[[Store], Store]


@pytest.fixture
def tenant() -> Tenant:
    found = TenantFactory.create()
    switch(found, on=True)
    return found


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Make a store the one of this process."""

    def used(store: Store) -> Store:
        monkeypatch.setattr(choice, "store", lambda: store)
        return store

    return used


@pytest.fixture
def away() -> Shared:
    """A Redis where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return Shared(f"redis://127.0.0.1:{port}/0")


def switch(tenant: Tenant, *, on: bool) -> None:
    with tenant_scope(tenant.pk):
        choice.switch(tenant, on=on, actor=audit.SYSTEM)


def opt_out_alone(tenant: Tenant) -> None:
    """Without the purge that goes with it."""
    with tenant_scope(tenant.pk):
        tenant_settings.change(tenant, {"cache_enabled": False}, actor=audit.SYSTEM)


def is_on(tenant: Tenant) -> bool:
    with tenant_scope(tenant.pk):
        return tenant_settings.read(tenant.pk).cache_enabled


def entries(store: Store, tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return store.holdings(tenant.pk, 0.0).entries


def keep(store: Store, tenant: Tenant) -> None:
    async def story() -> None:
        await store.keep(tenant.pk, ROW, 0.0)
        await store.close()

    asyncio.run(story())


STORES: dict[str, Callable[[], Store]] = {
    "memory": Memory, "table": Table, "redis": lambda: Shared(settings.REDIS_URL),
}  # fmt: skip


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, use: Use) -> Store:
    if request.param == "redis" and not settings.REDIS_URL:
        pytest.skip("needs REDIS_URL")
    return use(STORES[request.param]())


def test_what_a_purge_has_missed_goes_when_the_feed_tells_of_the_opt_out(
    store: Store, tenant: Tenant
) -> None:
    keep(store, tenant)
    opt_out_alone(tenant)
    assert entries(store, tenant) == 1

    changes.announce(choice.SWITCHED_OFF, tenant.pk, None)

    assert entries(store, tenant) == 0


def test_an_answer_that_comes_to_the_store_after_the_opt_out_does_not_stay(
    tenant: Tenant, use: Use
) -> None:
    class Slow(Memory):
        """While it takes an answer, its tenant opts out, and the feed has told."""

        async def keep(self, owner: UUID, row: Kept, now: float) -> None:
            await asyncio.to_thread(self._opt_out)
            await super().keep(owner, row, now)

        def _opt_out(self) -> None:
            switch(tenant, on=False)
            changes.announce(tenant_settings.KIND, tenant.pk, None)
            changes.announce(choice.SWITCHED_OFF, tenant.pk, None)
            close_old_connections()

    store = use(Slow())

    async def story() -> None:
        cache = Cache(store)
        known = await tenant_settings.known(tenant.pk)
        place = (tenant.pk, ROW.key)
        one = Keep(cache, known, place, ttl_s=60, caller=caller(), policy="")
        one.lead(60)
        answer = Answer(blocks=(Text("Hello."),), finish="stop")
        one.answered(answer, Usage(), by=("p", "m"), reason="stop")
        await cache.close()
        await asyncio.to_thread(close_old_connections)

    asyncio.run(story())

    assert entries(store, tenant) == 0


def test_caching_is_switched_off_while_redis_is_away(
    tenant: Tenant, use: Use, away: Shared
) -> None:
    use(away)

    switch(tenant, on=False)

    assert not is_on(tenant)
    with pytest.raises(Unavailable):
        switch(tenant, on=True)  # before what is kept there is gone
    assert not is_on(tenant)


def test_what_was_out_of_reach_is_dropped_by_the_timetable(tenant: Tenant, use: Use) -> None:
    store = use(Memory())
    keep(store, tenant)
    opt_out_alone(tenant)

    tasks.forget_expired_answers()

    assert entries(store, tenant) == 0


def test_a_purge_is_refused_while_redis_is_away_and_says_so(
    tenant: Tenant, use: Use, away: Shared, client: Client
) -> None:
    use(away)
    with tenant_scope(tenant.pk):
        key = gateway_keys.issue_management_key(tenant, name="ops", actor=audit.SYSTEM)
    asked: Any = {"headers": {"authorization": f"Bearer {key.reveal()}"}}

    answers = [client.delete("/api/v1/cache", **asked), client.get("/api/v1/cache", **asked)]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "cannot be reached" in answers[0].json()["error"]["message"]
    assert is_on(tenant)
