"""Slices of budgets in memory: nothing is overspent, and what is not needed goes back."""

import asyncio
import time
from decimal import Decimal
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError
from django.utils import timezone

from accounts import audit, ids, tenancy
from accounts.errors import Unavailable
from accounts.models import Tenant
from billing import known_budgets, lease_rows, leases, reconcile
from billing.errors import BudgetExceeded
from billing.ledger import Ledger, OpenCall
from tests.accounts.databases import away
from tests.factories.accounts import ProjectFactory, issue_gateway_key
from tests.factories.budgets import (
    admit,
    books_in,
    counted,
    leases_of,
    make_budget,
    opened,
    settle,
    ship,
    window_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def idle(books: Ledger, seconds: float = leases.IDLE_SECONDS_IN_PLENTY + 1) -> None:
    """As if nothing had happened for a while."""
    for one in books.leases._every_slice():
        one.used_at -= seconds


def test_what_a_call_may_cost_is_reserved_and_what_it_cost_is_spent(
    books: Ledger, tenant: Tenant
) -> None:
    budget = make_budget(tenant, "10")

    call = asyncio.run(admit(books, opened(tenant), "0.5"))
    assert window_of(budget).leased >= Decimal("0.5")
    assert window_of(budget).spent == 0
    settle(call, "0.2")
    idle(books)
    ship(books)
    ship(books)

    assert window_of(budget).spent == Decimal("0.2")
    assert window_of(budget).leased == 0
    assert leases_of(budget) == {}


@pytest.mark.parametrize(
    ("spent", "is_kept"), [("1", True), ("6", False)], ids=["plenty", "scarce"]
)
def test_what_lies_idle_goes_back_soon_where_money_is_scarce(
    books: Ledger, tenant: Tenant, spent: str, is_kept: bool
) -> None:
    budget = make_budget(tenant, "10")
    call = asyncio.run(admit(books, opened(tenant), spent))
    settle(call, spent)
    ship(books)
    call = asyncio.run(admit(books, opened(tenant), "0.01"))
    settle(call, "0.01")
    ship(books)

    idle(books, leases.IDLE_SECONDS + 1)
    ship(books)

    assert bool(window_of(budget).leased) == is_kept


def test_a_second_call_is_paid_from_memory(books: Ledger, tenant: Tenant) -> None:
    budget = make_budget(tenant, "100")

    async def calls(count: int) -> None:
        for _ in range(count):
            settle(await admit(books, opened(tenant), "0.001"), "0.001")

    asyncio.run(calls(1))
    with away():
        asyncio.run(calls(50))
    assert window_of(budget).leased == 1  # the largest slice


def test_of_two_hundred_callers_at_once_a_budget_for_ten_serves_ten(
    books: Ledger, tenant: Tenant
) -> None:
    budget = make_budget(tenant, "1")

    async def crowd() -> list[OpenCall | BaseException]:
        each = (admit(books, opened(tenant), "0.1") for _ in range(200))
        return await asyncio.gather(*each, return_exceptions=True)

    answers = asyncio.run(crowd())
    served = [one for one in answers if isinstance(one, OpenCall)]
    refused = [one for one in answers if isinstance(one, BudgetExceeded)]
    assert (len(served), len(refused)) == (10, 190)
    for call in served:
        settle(call, "0.1")
    idle(books)
    ship(books)
    ship(books)
    assert counted(budget) == (Decimal(1), Decimal(0))


def test_a_refusal_names_the_scope_and_the_amounts(books: Ledger, tenant: Tenant) -> None:
    project = ProjectFactory.create(tenant=tenant, name="search")
    make_budget(tenant, "100")
    make_budget(tenant, "2", subject=project, window="day")

    with pytest.raises(BudgetExceeded) as refused:
        asyncio.run(admit(books, opened(tenant, project=project.pk), "3"))

    details = refused.value.details
    assert details["scope"] == "project"
    assert details["budget_of"] == "search"
    assert (details["limit_usd"], details["spent_usd"]) == ("2", "0")
    assert details["needed_usd"] == "3"
    assert details["resets_at"].endswith("T00:00:00Z")
    assert "Budgets page" in str(refused.value)


def test_every_level_has_to_pay_and_a_level_that_cannot_costs_the_others_nothing(
    books: Ledger, tenant: Tenant
) -> None:
    project = ProjectFactory.create(tenant=tenant)
    whole = make_budget(tenant, "0.5")
    part = make_budget(tenant, "10", subject=project)

    with pytest.raises(BudgetExceeded):
        asyncio.run(admit(books, opened(tenant, project=project.pk), "0.6"))
    call = asyncio.run(admit(books, opened(tenant, project=project.pk), "0.4"))
    settle(call, "0.3")
    idle(books)
    ship(books)
    ship(books)

    assert {window_of(b).spent for b in (whole, part)} == {Decimal("0.3")}
    assert {window_of(b).leased for b in (whole, part)} == {0}


def test_a_budget_of_a_key_survives_its_roll(books: Ledger, tenant: Tenant) -> None:
    key = issue_gateway_key(tenant).record
    budget = make_budget(tenant, "1", subject=key)
    first = opened(tenant, key=key.pk)
    settle(asyncio.run(admit(books, first, "0.6", lineage=key.lineage)), "0.6")
    with tenancy.tenant_scope(tenant.pk):
        from datetime import timedelta

        from accounts import gateway_keys

        rolled = gateway_keys.roll(
            key, overlap=timedelta(0), actor=audit.SYSTEM, now=timezone.now()
        ).record

    with pytest.raises(BudgetExceeded):
        second = opened(tenant, key=rolled.pk)
        asyncio.run(admit(books, second, "0.6", lineage=rolled.lineage))
    stranger = opened(tenant, key=ids.new())
    asyncio.run(admit(books, stranger, "0.6", lineage=ids.new()))
    ship(books)
    assert window_of(budget).spent == Decimal("0.6")


def test_live_and_test_calls_have_counters_of_their_own(books: Ledger, tenant: Tenant) -> None:
    budget = make_budget(tenant, "1")
    settle(asyncio.run(admit(books, opened(tenant, mode="test"), "0.9")), "0.9")
    settle(asyncio.run(admit(books, opened(tenant), "0.8")), "0.8")
    ship(books)

    assert window_of(budget, "test").spent == Decimal("0.9")
    assert window_of(budget).spent == Decimal("0.8")


def test_a_call_that_costs_more_than_it_might_is_booked_in_full(
    books: Ledger, tenant: Tenant
) -> None:
    budget = make_budget(tenant, "1")

    settle(asyncio.run(admit(books, opened(tenant), "0.9")), "1.5")
    with pytest.raises(BudgetExceeded):
        asyncio.run(admit(books, opened(tenant), "0.01"))
    idle(books)
    ship(books)
    ship(books)

    assert counted(budget) == (Decimal("1.5"), Decimal(0))
    assert {one.free for one in books.leases._every_slice()} == {0}


def test_a_further_attempt_is_reserved_for_and_refused_when_it_does_not_fit(
    books: Ledger, tenant: Tenant
) -> None:
    make_budget(tenant, "1")

    async def attempts() -> None:
        call = await admit(books, opened(tenant), "0.4")
        await call.cover(10**11 * 9)
        with pytest.raises(BudgetExceeded):
            await call.cover(10**12 * 2)
        with pytest.raises(BudgetExceeded):
            await admit(books, opened(tenant), "0.2")
        settle(call, "0.1")
        await asyncio.sleep(leases.REFUSAL_SECONDS)
        settle(await admit(books, opened(tenant), "0.8"), "0.8")

    asyncio.run(attempts())


def test_one_process_gives_back_what_another_needs(tenant: Tenant, tmp_path: Path) -> None:
    budget = make_budget(tenant, "1")

    async def two(one: Ledger, other: Ledger) -> None:
        settle(await admit(one, opened(tenant), "0.001"), "0.001")  # and leases a slice
        asking = asyncio.ensure_future(admit(other, opened(tenant), "0.95"))
        while not asking.done():
            await asyncio.sleep(0.05)
            one.leases.call_back(tenant.pk, budget.pk)  # what the change feed does
            await sync_to_async(ship, thread_sensitive=False)(one)
        settle(await asking, "0.95")

    with books_in(tmp_path) as one, books_in(tmp_path) as other:
        asyncio.run(two(one, other))


def test_a_dead_process_leaves_its_leases_once_its_journal_is_shipped(
    tenant: Tenant, tmp_path: Path
) -> None:
    budget = make_budget(tenant, "10")
    with books_in(tmp_path) as dying:
        settle(asyncio.run(admit(dying, opened(tenant), "0.5")), "0.5")
        asyncio.run(admit(dying, opened(tenant, expected_cost=Decimal("0.25")), "0.5"))
    assert window_of(budget).leased >= 1

    folder = lease_rows.folder_id(tmp_path)
    assert lease_rows.release_the_dead(tmp_path, folder) == 0  # what it spent is not booked yet
    with books_in(tmp_path) as living:
        settle(asyncio.run(admit(living, opened(tenant), "0.1")), "0.1")
        living.shipper._adopted_at = -100.0
        ship(living)

        assert window_of(budget).spent == Decimal("0.85")
        assert set(leases_of(budget)) == {living.journal.name}


def test_what_a_dead_process_spent_is_not_counted_twice_until_its_lease_is_returned(
    tenant: Tenant, tmp_path: Path
) -> None:
    budget = make_budget(tenant, "1")
    with books_in(tmp_path) as dying:
        shipped = asyncio.run(admit(dying, opened(tenant), "0.3"))
        dying.shipper._turn(everything=True)  # the opening alone is on the books
        settle(shipped, "0.2")
        settle(asyncio.run(admit(dying, opened(tenant), "0.3")), "0.3")
        asyncio.run(admit(dying, opened(tenant, expected_cost=Decimal("0.25")), "0.3"))
    assert counted(budget) == (Decimal(0), Decimal("0.8"))

    reconcile.adopt_dead_journals(tmp_path)
    assert counted(budget) == (Decimal("0.75"), Decimal("0.05"))
    with books_in(tmp_path) as living:  # and nobody is refused what there is
        settle(asyncio.run(admit(living, opened(tenant), "0.2")), "0.2")
    reconcile.adopt_dead_journals(tmp_path)
    lease_rows.release_the_dead(tmp_path, lease_rows.folder_id(tmp_path))
    assert counted(budget) == (Decimal("0.95"), Decimal(0))


def test_a_call_that_no_lease_paid_for_takes_nothing_from_the_lease_of_the_dead(
    tenant: Tenant, tmp_path: Path
) -> None:
    with books_in(tmp_path) as dying:
        unpaid = asyncio.run(admit(dying, opened(tenant), "0.3"))  # there is no budget yet
        budget = make_budget(tenant, "1")
        asyncio.run(admit(dying, opened(tenant, expected_cost=Decimal("0.25")), "0.3"))
        settle(unpaid, "0.2")
    reconcile.adopt_dead_journals(tmp_path)

    assert counted(budget) == (Decimal("0.45"), Decimal("0.05"))


def test_a_rotated_journal_is_no_sign_of_death(
    books: Ledger, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing import journal

    budget = make_budget(tenant, "10")
    monkeypatch.setattr(journal, "ROTATE_BYTES", 200)
    settle(asyncio.run(admit(books, opened(tenant), "0.5")), "0.1")
    asyncio.run(admit(books, opened(tenant), "0.5"))  # is open, so that a lease is needed
    ship(books)

    assert not (tmp_path / f"{books.journal.name}.jnl").exists()
    assert lease_rows.release_the_dead(tmp_path, lease_rows.folder_id(tmp_path)) == 0
    assert set(leases_of(budget)) == {books.journal.name}


def test_a_call_that_cannot_be_written_reserves_nothing(
    books: Ledger, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.errors import LedgerUnavailable

    budget = make_budget(tenant, "1")
    asyncio.run(admit(books, opened(tenant), "0.001"))

    def full(*_: object) -> None:
        raise LedgerUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(books.journal, "append", full)
        with pytest.raises(LedgerUnavailable):
            asyncio.run(admit(books, opened(tenant), "0.9"))
    asyncio.run(admit(books, opened(tenant), "0.9"))
    assert window_of(budget).leased <= 1


def test_who_waits_while_the_database_does_not_answer_another_does_not_ask_it_again(
    books: Ledger, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else calls that come at once would wait for its time-out one after the other."""
    make_budget(tenant, "100")
    known_budgets.load(tenant.pk)
    asked = []

    def silent(*_: object) -> None:
        asked.append(1)
        time.sleep(0.05)
        raise OperationalError

    async def at_once() -> list[object]:
        calls = (admit(books, opened(tenant), "0.01") for _ in range(10))
        return await asyncio.gather(*calls, return_exceptions=True)

    with monkeypatch.context() as patch:
        patch.setattr(lease_rows, "take", silent)
        patch.setattr(leases, "SILENCE_SECONDS", 0.01)
        refused = asyncio.run(at_once())

    assert [type(one) for one in refused] == [Unavailable] * 10
    assert len(asked) == 1
    asyncio.run(admit(books, opened(tenant), "0.01"))


def test_without_the_database_a_slice_that_is_used_up_is_a_503(
    books: Ledger, tenant: Tenant
) -> None:
    make_budget(tenant, "100")
    known_budgets.load(tenant.pk)

    with away(), pytest.raises(Unavailable):
        asyncio.run(admit(books, opened(tenant), "0.5"))


def test_at_its_end_a_process_gives_back_everything(tenant: Tenant, tmp_path: Path) -> None:
    budget = make_budget(tenant, "10")
    books = Ledger(tmp_path)
    books.start()
    settle(asyncio.run(admit(books, opened(tenant), "0.5")), "0.5")
    assert window_of(budget).leased > 0
    books.stop()

    assert counted(budget) == (Decimal("0.5"), Decimal(0))
