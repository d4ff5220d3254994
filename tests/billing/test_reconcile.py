"""Journals of dead processes are shipped, and what they left open is ended, once."""

import os
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from accounts.models import Tenant
from billing import books, journal, reconcile
from billing.deltas import Booked
from billing.facts import GATEWAY_DIED, CallOpened, CallSettled, Fact
from billing.journal import Journal
from billing.models import SpendDelta
from tests.billing import bookkeeping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import (
    AttemptEndedFactory,
    AttemptStartedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    failed,
    story,
)

pytestmark = pytest.mark.django_db


def dead(folder: Path, *facts: Fact) -> Path:
    """The journal of a process that wrote these facts and died."""
    its = Journal(folder)
    for fact in facts:
        its.append(fact)
    its.close()
    return its.path


def opened(tenant: Tenant) -> CallOpened:
    return CallOpenedFactory.build(tenant=tenant.pk)


def statuses() -> list[str]:
    return list(bookkeeping.statuses().values())


def test_a_dead_journal_is_booked_and_put_aside(tmp_path: Path) -> None:
    tenant = TenantFactory.create()
    path = dead(tmp_path, *story(tenant), *story(tenant))

    booked = reconcile.adopt_dead_journals(tmp_path)

    assert [new.settled is not None for new in booked] == [True, True]
    assert statuses() == ["succeeded"] * 2
    assert list(tmp_path.iterdir()) == [path.with_suffix(".shipped")]
    assert books.position_of(path.name) == path.with_suffix(".shipped").stat().st_size
    assert reconcile.adopt_dead_journals(tmp_path) == []


def test_what_the_dead_process_had_shipped_is_not_booked_again(tmp_path: Path) -> None:
    tenant = TenantFactory.create()
    first, second = story(tenant), story(tenant)
    path = dead(tmp_path, *first, *second)
    position = list(journal.read(path))[len(first) - 1].end
    books.book(first, cursor=(path.name, position))

    (booked,) = reconcile.adopt_dead_journals(tmp_path)

    assert booked.opened == second[0]
    assert bookkeeping.sums_of(SpendDelta)["calls"] == 2


def test_a_cursor_that_was_lost_books_nothing_twice(tmp_path: Path) -> None:
    facts = story(TenantFactory.create())
    dead(tmp_path, *facts)
    books.book(facts)

    assert reconcile.adopt_dead_journals(tmp_path) == []
    assert bookkeeping.sums_of(SpendDelta)["calls"] == 1


def test_a_call_in_flight_becomes_unknown_at_what_its_attempts_may_have_cost(
    tmp_path: Path,
) -> None:
    its = opened(TenantFactory.create())
    dead(
        tmp_path,
        its,
        failed(its.call),
        AttemptStartedFactory.build(call=its.call, number=2),
        AttemptStartedFactory.build(call=its.call, number=3, role="hedge", target="xai/grok-4"),
        AttemptEndedFactory.build(call=its.call, number=2, cost=Decimal("0.001")),
    )
    reconcile.adopt_dead_journals(tmp_path)
    (call,) = bookkeeping.calls()

    assert (call["status"], call["reason"], call["attempts"]) == ("unknown", GATEWAY_DIED, 3)
    assert (call["cost"], call["cost_status"]) == (Decimal("0.005"), "estimated")
    assert [(a["number"], a["outcome"], a["role"]) for a in bookkeeping.attempts()] == [
        (1, "rate_limit", "primary"),
        (2, "answered", "primary"),
        (3, "cut", "hedge"),
    ]
    assert bookkeeping.sums_of(SpendDelta)["cost"] == Decimal("0.005")


def test_a_call_whose_opening_was_shipped_before_is_ended_with_what_followed(
    tmp_path: Path,
) -> None:
    its = opened(TenantFactory.create())
    refused = failed(its.call)
    path = dead(tmp_path, its, refused, AttemptStartedFactory.build(call=its.call, number=2))
    books.book([its], cursor=(path.name, next(journal.read(path)).end))
    reconcile.adopt_dead_journals(tmp_path)
    (call,) = bookkeeping.calls()

    assert (call["status"], call["cost"]) == ("unknown", Decimal("0.004"))
    assert [(a["number"], a["outcome"]) for a in bookkeeping.attempts()] == [
        (1, "rate_limit"),
        (2, "cut"),
    ]


def test_a_call_that_went_on_in_the_next_file_of_its_process_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "ROTATE_BYTES", 1)
    dead(tmp_path, *story(TenantFactory.create()))
    assert len(list(tmp_path.glob("*.jnl"))) == 4

    reconcile.adopt_dead_journals(tmp_path)

    assert statuses() == ["succeeded"]
    assert bookkeeping.calls()[0]["attempts"] == 1


def test_a_call_whose_facts_were_all_shipped_is_ended(tmp_path: Path) -> None:
    facts = (opened(TenantFactory.create()),)
    path = dead(tmp_path, *facts)
    books.book(facts, cursor=(path.name, path.stat().st_size))
    assert statuses() == ["open"]

    reconcile.adopt_dead_journals(tmp_path)

    assert statuses() == ["unknown"]


def test_one_who_dies_before_the_ends_are_booked_leaves_them_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = dead(tmp_path, opened(TenantFactory.create()))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(books, "book", interrupted_at_the_settlement(books.book))
        reconcile.adopt_dead_journals(tmp_path)
    assert statuses() == ["open"]
    assert path.exists()

    reconcile.adopt_dead_journals(tmp_path)

    assert statuses() == ["unknown"]


def interrupted_at_the_settlement(book: Callable[..., list[Booked]]) -> Callable[..., list[Booked]]:
    def interrupted(facts: Iterable[Fact], **options: Any) -> list[Booked]:
        facts = list(facts)
        if any(isinstance(fact, CallSettled) for fact in facts):
            raise KeyboardInterrupt
        return book(facts, **options)

    return interrupted


def test_a_torn_last_line_is_as_if_it_had_not_been_written(tmp_path: Path) -> None:
    facts = story(TenantFactory.create())
    path = dead(tmp_path, *facts)
    os.truncate(path, path.stat().st_size - 10)

    reconcile.adopt_dead_journals(tmp_path)

    assert statuses() == ["unknown"]
    assert bookkeeping.attempts()[0]["outcome"] == "answered"


def test_a_damaged_line_costs_its_fact_and_no_more(tmp_path: Path) -> None:
    tenant = TenantFactory.create()
    first, second = story(tenant), story(tenant)
    path = dead(tmp_path, *first, *second)
    content = path.read_bytes().replace(b'"status":"succeeded"', b'"status":"succeeeed"', 1)
    path.write_bytes(content)

    reconcile.adopt_dead_journals(tmp_path)

    assert sorted(statuses()) == ["succeeded", "unknown"]
    assert len(list(tmp_path.glob("*.bad"))) == 1


def test_nothing_is_assumed_of_a_call_that_was_settled_without_an_attempt(tmp_path: Path) -> None:
    dead(tmp_path, *story(TenantFactory.create(), attempts=[], settled={"status": "cancelled"}))

    reconcile.adopt_dead_journals(tmp_path)

    assert statuses() == ["cancelled"]
    assert bookkeeping.attempts() == []


def test_a_long_journal_is_booked_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH_RECORDS", 4)
    tenant = TenantFactory.create()
    hanging = opened(tenant)
    dead(tmp_path, hanging, *(fact for _ in range(10) for fact in story(tenant)))

    reconcile.adopt_dead_journals(tmp_path)

    assert sorted(statuses()) == ["succeeded"] * 10 + ["unknown"]


def test_a_journal_that_could_not_be_shipped_waits_for_the_next_time(tmp_path: Path) -> None:
    path = dead(tmp_path, *story(TenantFactory.create()))

    def refuse(*_: object) -> None:
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(refuse), pytest.raises(OperationalError):
        reconcile.adopt_dead_journals(tmp_path)

    assert path.exists()
    assert len(reconcile.adopt_dead_journals(tmp_path)) == 1


def test_a_settlement_that_its_process_wrote_after_all_wins_over_the_assumption(
    tmp_path: Path,
) -> None:
    """A process that was cut off from the database, given up, and came back."""
    its = opened(TenantFactory.create())
    books.book([its])
    reconcile.give_up_overdue(bookkeeping.calls()[0]["deadline"] + 2 * reconcile.GRACE)
    assert statuses() == ["unknown"]
    dead(
        tmp_path,
        its,
        AttemptEndedFactory.build(call=its.call),
        CallSettledFactory.build(call=its.call),
    )
    reconcile.adopt_dead_journals(tmp_path)

    assert statuses() == ["succeeded"]
    total = bookkeeping.sums_of(SpendDelta)
    assert (total["calls"], total["cost"], total["failed_calls"]) == (1, Decimal("0.002"), 0)


def test_shipped_journals_are_forgotten_after_a_day(tmp_path: Path) -> None:
    dead(tmp_path, *story(TenantFactory.create()))
    reconcile.adopt_dead_journals(tmp_path)

    assert reconcile.forget_shipped(tmp_path) == 0
    assert journal.forget_shipped(tmp_path, older_than=time.time() + 1) == 1


def test_an_empty_folder_and_one_that_is_not_there_hold_nothing(tmp_path: Path) -> None:
    assert reconcile.adopt_dead_journals(tmp_path) == []
    assert reconcile.adopt_dead_journals(tmp_path / "nowhere") == []
