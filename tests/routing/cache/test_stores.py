"""Every store keeps the same promises: found until its time, within a share, dropped by name."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from accounts import audit, tenant_settings
from accounts.tenancy import tenant_scope
from routing.cache.shared import Shared
from routing.cache.stores import OVERHEAD_BYTES, Kept, Memory, Store
from routing.cache.table import Table
from tests.factories.accounts import TenantFactory

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = 1000
SHARE = 3 * (SIZE + OVERHEAD_BYTES)
LINEAGE = UUID(int=5)


def redis() -> Shared:
    if not settings.REDIS_URL:
        pytest.skip("needs REDIS_URL")
    return Shared(settings.REDIS_URL, SHARE)


MAKERS: dict[str, Callable[[], Store]] = {
    "memory": lambda: Memory(SHARE), "table": lambda: Table(SHARE), "redis": redis,
}  # fmt: skip


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[], Store]:
    return MAKERS[request.param]


def row(number: int, *, until: float = 100.0, policy: str = "", lineage: UUID = LINEAGE) -> Kept:
    return Kept(bytes([number]) * 32, bytes([number]) * SIZE, until, lineage, policy)


def some_tenant(*, on: bool = True) -> UUID:
    """One that has switched caching on, or off again."""
    tenant = TenantFactory.create()
    with tenant_scope(tenant.pk):
        tenant_settings.change(tenant, {"cache_enabled": True}, actor=audit.SYSTEM)
        tenant_settings.change(tenant, {"cache_enabled": on}, actor=audit.SYSTEM)
    return tenant.pk


def run(make: Callable[[], Store], story: Callable[[Store], Coroutine[Any, Any, None]]) -> Store:
    """Tell a story to a store on a loop of its own."""
    store = make()

    async def whole() -> None:
        await story(store)
        await store.close()

    asyncio.run(whole())
    return store


def test_a_row_is_found_until_its_time_and_by_its_tenant_alone(make: Callable[[], Store]) -> None:
    tenant, other = some_tenant(), some_tenant()

    async def story(store: Store) -> None:
        await store.keep(tenant, row(1, until=60), 0.0)
        assert await store.find(tenant, row(1).key, 1.0) == row(1).sealed
        assert await store.find(other, row(1).key, 1.0) is None
        assert await store.find(tenant, row(2).key, 1.0) is None
        if not isinstance(store, Shared):  # whose clock is its own
            assert await store.find(tenant, row(1).key, 60.0) is None

    run(make, story)


def test_the_least_recently_used_goes_when_the_share_is_full(make: Callable[[], Store]) -> None:
    tenant = some_tenant()

    async def story(store: Store) -> None:
        for number in (1, 2, 3):
            await store.keep(tenant, row(number, until=10_000), float(number))
        assert await store.find(tenant, row(1).key, 1000.0)  # used again
        await store.keep(tenant, row(4, until=10_000), 1001.0)
        found = [n for n in (1, 2, 3, 4) if await store.find(tenant, row(n).key, 1002.0)]
        assert found == [1, 3, 4]

    store = run(make, story)
    with tenant_scope(tenant):
        assert store.holdings(tenant, 1003.0) == (3, SHARE)


def test_the_same_key_again_takes_the_place_of_the_old(make: Callable[[], Store]) -> None:
    tenant = some_tenant()

    async def story(store: Store) -> None:
        await store.keep(tenant, row(1), 0.0)
        await store.keep(tenant, Kept(row(1).key, b"new" * 10, 100.0, LINEAGE), 1.0)
        assert await store.find(tenant, row(1).key, 2.0) == b"new" * 10

    store = run(make, story)
    with tenant_scope(tenant):
        assert store.holdings(tenant, 2.0) == (1, 30 + OVERHEAD_BYTES)


def test_a_purge_drops_what_it_names(make: Callable[[], Store]) -> None:
    tenant, other, key = some_tenant(), some_tenant(), uuid4()

    async def story(store: Store) -> None:
        await store.keep(tenant, row(1, policy="a"), 0.0)
        await store.keep(tenant, row(2, policy="b"), 0.0)
        await store.keep(tenant, row(3, lineage=key), 0.0)
        await store.keep(other, row(1, policy="a"), 0.0)

    store = run(make, story)
    assert store.purge(tenant, policy="a") == 1
    assert store.purge(tenant, policy="a") == 0
    assert store.purge(tenant, lineage=key) == 1
    with tenant_scope(tenant):
        assert store.holdings(tenant, 1.0).entries == 1
    assert store.purge(tenant) == 1
    with tenant_scope(other):
        assert store.holdings(other, 1.0).entries == 1
    store.purge(other)


def test_one_process_at_a_time_gets_an_answer() -> None:
    tenant = uuid4()

    async def story(store: Store) -> None:
        assert await store.claim(tenant, b"k") is True
        assert await store.claim(tenant, b"k") is False
        await store.release(tenant, b"k")
        assert await store.claim(tenant, b"k") is True
        await store.release(tenant, b"k")

    run(redis, story)


def test_the_database_keeps_nothing_of_a_tenant_who_has_opted_out() -> None:
    tenant = some_tenant(on=False)

    async def story(store: Store) -> None:
        await store.keep(tenant, row(1), 0.0)
        assert await store.find(tenant, row(1).key, 1.0) is None

    run(MAKERS["table"], story)
