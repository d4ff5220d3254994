"""A journal that cannot be written costs no call its end, and no process its memory."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import connection

from accounts import ids
from accounts.models import Tenant
from billing import journal, ledger
from billing.errors import LedgerUnavailable
from billing.facts import CallSettled, Fact
from billing.leases import Payer
from billing.ledger import Ledger, OpenCall
from billing.rates import Limits
from billing.unwritten import MOST, End, Unwritten
from tests.accounts.deadlines import eventually
from tests.billing import bookkeeping
from tests.factories.billing import (
    AttemptEndedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    failed,
)
from tests.factories.budgets import make_budget

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    its = Ledger(tmp_path)
    its.start()
    yield its
    its.stop()


@contextmanager
def full(books: Ledger) -> Iterator[None]:
    """A disk that takes nothing, not even after the reserve was given up."""
    its = books.journal
    sound, its._fd = its._fd, os.open("/dev/full", os.O_WRONLY)
    try:
        yield
    finally:
        os.close(its._fd)
        its._fd = sound


def ended(call: OpenCall) -> CallSettled:
    """The call's second attempt answers."""
    call.attempt_ended(failed(call.opened.call))
    call.attempt_ended(AttemptEndedFactory.build(call=call.opened.call, number=2))
    return CallSettledFactory.build(call=call.opened.call)


def statuses() -> list[str]:
    """As a thread of its own sees them."""
    try:
        return list(bookkeeping.statuses().values())
    finally:
        connection.close()


def written(books: Ledger) -> list[Fact]:
    return [record.fact for record in journal.read(books.journal.path)]


def test_a_call_that_cannot_be_written_down_is_booked(books: Ledger, tenant: Tenant) -> None:
    make_budget(tenant, "1.00")
    limits = Limits(tenant.pk, parallel=1)
    fact = CallOpenedFactory.build(tenant=tenant.pk)
    payer = Payer(tenant.pk, fact.mode)

    async def story() -> None:
        call = await books.admit(fact, payer, need=10**10, limits=limits)
        with full(books):
            call.settle(ended(call))
            assert books.open_calls == set()
            (one,) = books.leases.slices_of(payer, fact.opened_at)
            assert one.reserved == 0
            await call.durable()
        assert await asyncio.to_thread(statuses) == ["succeeded"]
        again = await books.rates.admit(limits, "next", tokens=1, expires_s=1)
        again.end(1)
        await books.rates.close()

    asyncio.run(story())

    (call,) = bookkeeping.calls()
    assert (call["attempts"], call["cost"]) == (2, Decimal("0.002"))
    assert [a["outcome"] for a in bookkeeping.attempts()] == ["rate_limit", "answered"]
    assert not books.unwritten
    assert bookkeeping.hours_with_deltas()


def test_what_neither_store_takes_waits_for_the_journal(
    tmp_path: Path, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "KEPT_SECONDS", 0.1)
    books = Ledger(tmp_path)  # whose shipper does not run: the database is away
    call = books.open_call(CallOpenedFactory.build(tenant=tenant.pk))

    async def story() -> None:
        with full(books):
            settled = ended(call)
            call.settle(settled)
            with pytest.raises(LedgerUnavailable):
                await call.durable()
        books._room_checked_at = -1e9
        books.open_call(CallOpenedFactory.build(tenant=tenant.pk))
        await call.durable()
        assert settled in written(books)

    asyncio.run(story())
    assert not books.unwritten
    books.shipper._turn(everything=True)
    assert sorted(bookkeeping.statuses().values()) == ["open", "succeeded"]
    assert len(bookkeeping.attempts()) == 2
    books.journal.close()


def test_a_refusal_that_cannot_be_written_down_is_booked(books: Ledger, tenant: Tenant) -> None:
    opened = CallOpenedFactory.build(tenant=tenant.pk, targets=())
    with full(books):
        books.refuse(opened, CallSettledFactory.build(call=opened.call, status="refused"))

        eventually(lambda: list(bookkeeping.statuses().values()) == ["refused"])


def test_refusals_do_not_push_out_the_ends_of_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_REFUSALS", 2)
    books = Ledger(tmp_path)
    with full(books):
        for _ in range(3):
            opened = CallOpenedFactory.build(key=ids.new(), targets=())
            books.refuse(opened, CallSettledFactory.build(call=opened.call, status="refused"))

    assert (len(books.unwritten), books.refusals_not_kept) == (2, 1)
    books.journal.close()


def test_a_call_that_was_opened_and_never_begun_is_settled_all_the_same(
    tmp_path: Path, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.conf.settings.FLO2_JOURNAL_FSYNC", "group")
    books = Ledger(tmp_path)
    call = books.open_call(CallOpenedFactory.build(tenant=tenant.pk))

    async def away() -> None:
        raise LedgerUnavailable

    monkeypatch.setattr(books.sync, "durable", away)
    with full(books), pytest.raises(LedgerUnavailable):
        asyncio.run(call.durable())

    assert call.is_settled
    assert books.open_calls == set()
    assert books.unwritten
    books.journal.close()


def test_what_waits_is_bounded_and_kept_in_order() -> None:
    waiting = Unwritten()
    ends = [End(()) for _ in range(MOST + 3)]
    for end in ends:
        waiting.put(end)
    assert waiting.lost == 3
    taken = waiting.take()
    assert taken == ends[3:]
    assert not waiting
    waiting.put(ends[0])
    waiting.give_back(taken[:2])
    assert waiting.take() == [*taken[:2], ends[0]]
