"""A limit that falls binds at once: what was leased under the old one pays for nothing more."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts import audit, changes, tenancy
from accounts.models import Tenant
from billing import budgets, known_budgets, leases, windows
from billing.errors import BudgetExceeded
from billing.leases import Payer
from billing.ledger import Ledger
from billing.models import Budget
from tests.factories.budgets import (
    admit,
    counted,
    make_budget,
    opened,
    pico,
    settle,
    ship,
    window_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_lower_limit_calls_slices_back(books: Ledger, tenant: Tenant) -> None:
    budget = make_budget(tenant, "100")
    settle(asyncio.run(admit(books, opened(tenant), "0.01")), "0.01")
    with tenancy.tenant_scope(tenant.pk):
        budgets.change(budget, limit=Decimal(0), actor=audit.SYSTEM, now=timezone.now())
    known_budgets._forget(tenant.pk, None)
    books.leases.call_back(tenant.pk, budget.pk)
    ship(books)

    assert window_of(budget).leased == 0
    with pytest.raises(BudgetExceeded):
        asyncio.run(admit(books, opened(tenant), "0.01"))


async def lower(budget: Budget, limit: str) -> None:
    """What a tenant does, and at once what the change feed does in each process."""

    def change() -> None:
        with tenancy.tenant_scope(budget.tenant_id):
            budgets.change(budget, limit=Decimal(limit), actor=audit.SYSTEM, now=timezone.now())
        changes.announce(known_budgets.KIND, budget.tenant_id, budget.pk)

    await sync_to_async(change, thread_sensitive=False)()


def test_money_of_a_limit_that_has_fallen_pays_for_no_further_call(
    books: Ledger, tenant: Tenant
) -> None:
    budget = make_budget(tenant, "100")

    async def calls() -> None:
        first, second = [await admit(books, opened(tenant), "0.2") for _ in range(2)]
        await lower(budget, "0.3")
        with pytest.raises(BudgetExceeded):  # though the slice has money, and nobody took it back
            await admit(books, opened(tenant), "0.01")
        settle(first, "0.1")  # what it did not need is no longer there to spend
        with pytest.raises(BudgetExceeded):
            await admit(books, opened(tenant), "0.01")
        settle(second, "0.1")
        await asyncio.sleep(leases.REFUSAL_SECONDS)
        await admit(books, opened(tenant), "0.1")

    asyncio.run(calls())
    assert counted(budget)[1] == Decimal("0.3")


def test_a_further_attempt_of_an_open_call_is_held_against_the_limit_that_has_fallen(
    books: Ledger, tenant: Tenant
) -> None:
    budget = make_budget(tenant, "100")

    async def attempts() -> None:
        call = await admit(books, opened(tenant), "0.2")
        await lower(budget, "0.5")
        with pytest.raises(BudgetExceeded):
            await call.cover(pico("0.6"))
        await call.cover(pico("0.5"))

    asyncio.run(attempts())


def test_a_limit_that_was_raised_asks_once_and_goes_on(books: Ledger, tenant: Tenant) -> None:
    budget = make_budget(tenant, "1")
    settle(asyncio.run(admit(books, opened(tenant), "0.1")), "0.1")
    asyncio.run(lower(budget, "2"))

    settle(asyncio.run(admit(books, opened(tenant), "1.9")), "0.1")
    at = opened(tenant).opened_at
    hold = books.leases.take("a", Payer(tenant.pk, "live"), need=pico("1.5"), at=at)
    assert hold
    assert hold.amount == pico("1.5")


def test_a_raise_that_ends_takes_its_money_along(books: Ledger, tenant: Tenant) -> None:
    budget, now = make_budget(tenant, "0.1"), timezone.now()
    until = now + timedelta(hours=1)
    with tenancy.tenant_scope(tenant.pk):
        budgets.raise_for_a_while(budget, by=Decimal(10), until=until, actor=audit.SYSTEM, now=now)
    known_budgets._forget(tenant.pk, None)
    settle(asyncio.run(admit(books, opened(tenant), "0.01")), "0.01")
    [slice_] = books.leases._every_slice()

    at = windows.milliseconds(until)
    assert slice_.free > pico("0.5")
    books.leases.take("a", Payer(tenant.pk, "live"), need=pico("0.01"), at=at - 1)
    with pytest.raises(leases.Short):
        books.leases.take("b", Payer(tenant.pk, "live"), need=pico("0.01"), at=at)
