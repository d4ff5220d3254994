"""A call that can never be booked does not hold up the others, and is not forgotten either."""

import logging
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from accounts import tenancy
from accounts.models import Tenant
from billing import books, journal, reconcile
from billing.facts import Fact
from billing.journal import Journal
from tests.accounts.databases import postgresql_only
from tests.accounts.deadlines import eventually
from tests.billing import bookkeeping
from tests.billing.shipping import shipping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import AttemptEndedFactory, CallOpenedFactory, story

pytestmark = pytest.mark.django_db(transaction=True)
TOO_MUCH = Decimal(9_000_001)  # what a provider that reports mad usage may make of a call


def mad(tenant: Tenant) -> list[Fact]:
    return story(tenant, attempts=[AttemptEndedFactory.build(call="", cost=TOO_MUCH)])


def of_a_deleted_tenant() -> list[Fact]:
    tenant = TenantFactory.create()
    facts = story(tenant)
    with tenancy.system_scope():
        tenant.delete()
    return facts


def kept_aside(folder: Path) -> list[Fact]:
    return [record.fact for path in folder.glob("*.bad") for record in journal.read(path)]


def test_the_calls_around_one_of_a_deleted_tenant_are_booked() -> None:
    tenant = TenantFactory.create()
    sound = [story(tenant) for _ in range(9)]
    gone = of_a_deleted_tenant()
    aside: list[list[Fact]] = []
    facts = [fact for one in [*sound[:4], gone, *sound[4:]] for fact in one]

    booked = books.book_what_fits(facts, cursor=("j", 77), aside=aside.append)

    assert len(booked) == len(bookkeeping.calls()) == 9
    assert aside == [gone]
    assert books.position_of("j") == 77


def test_many_that_cannot_be_booked_are_all_kept_aside() -> None:
    tenant = TenantFactory.create()
    told = [mad(tenant) if number % 3 else story(tenant) for number in range(12)]
    aside: list[list[Fact]] = []

    books.book_what_fits(
        [fact for one in told for fact in one], cursor=("j", 77), aside=aside.append
    )

    assert len(bookkeeping.calls()) == 4
    assert aside == [one for number, one in enumerate(told) if number % 3]
    (sums,) = bookkeeping.hours_with_deltas().values()
    assert sums["calls"] == 4


@postgresql_only
def test_a_figure_that_no_column_holds_is_kept_aside() -> None:
    tenant = TenantFactory.create()
    odd = story(tenant, settled={"http_status": 70_000})
    aside: list[list[Fact]] = []

    books.book_what_fits([*odd, *story(tenant)], cursor=("j", 1), aside=aside.append)

    assert aside == [odd]
    assert len(bookkeeping.calls()) == 1


def test_a_running_shipper_passes_over_what_cannot_be_booked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = TenantFactory.create()
    bad = mad(tenant)
    with caplog.at_level(logging.ERROR), shipping(tmp_path) as its:
        for facts in (story(tenant), bad, story(tenant), of_a_deleted_tenant(), story(tenant)):
            its.append(*facts)
        eventually(lambda: len(bookkeeping.calls()) == 3)
        its.append(*story(tenant))
        eventually(lambda: len(bookkeeping.calls()) == 4)

    assert kept_aside(tmp_path)[:3] == bad
    assert len(kept_aside(tmp_path)) == 6
    assert [record.getMessage() for record in caplog.records] == ["a call cannot be booked"] * 2


def test_the_journal_of_a_dead_process_is_shipped_around_it(tmp_path: Path) -> None:
    tenant = TenantFactory.create()
    dead = Journal(tmp_path)
    for facts in (story(tenant), mad(tenant), story(tenant)):
        dead.append(*facts)
    dead.close()

    assert len(reconcile.adopt_dead_journals(tmp_path)) == 2
    assert len(kept_aside(tmp_path)) == 3
    assert reconcile.adopt_dead_journals(tmp_path) == []
    assert list(tmp_path.glob("*.jnl")) == []


def test_the_end_of_a_call_that_was_never_opened_is_kept_aside() -> None:
    tenant = TenantFactory.create()
    lost, sound = story(tenant), story(tenant)
    aside: list[list[Fact]] = []

    booked = books.book_what_fits([*lost[1:], *sound], cursor=("j", 77), aside=aside.append)

    assert len(booked) == len(bookkeeping.calls()) == 1
    assert aside == [lost[1:]]
    assert books.position_of("j") == 77


def test_a_dead_processs_call_that_cannot_be_ended_holds_up_no_other(tmp_path: Path) -> None:
    tenant = TenantFactory.create()
    dead = Journal(tmp_path)
    opened = [CallOpenedFactory.build(tenant=tenant.pk) for _ in range(3)]
    dead.append(*opened)
    # Each can be booked, and their sum cannot.
    dear = [
        AttemptEndedFactory.build(
            call=opened[1].call, number=number, provider=slug, cost=Decimal(8_000_000)
        )
        for number, slug in ((1, "groq"), (2, "openai"))
    ]
    dead.append(*dear)
    dead.close()

    reconcile.adopt_dead_journals(tmp_path)

    assert sorted(bookkeeping.statuses().values()) == ["open", "unknown", "unknown"]
    assert [fact.call for fact in kept_aside(tmp_path)] == [opened[1].call]
    assert list(tmp_path.glob("*.jnl")) == []
    reconcile.give_up_overdue(datetime(2027, 1, 1, tzinfo=UTC))
    assert sorted(bookkeeping.statuses().values()) == ["open", "unknown", "unknown"]


def test_a_database_that_is_away_sets_nothing_aside() -> None:
    """Trouble that passes is no reason: the facts go on waiting."""
    tenant, aside = TenantFactory.create(), list[Any]()

    def refuse(*_: Any) -> Any:
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        books.book_what_fits(story(tenant), cursor=("j", 1), aside=aside.append)

    assert aside == []
