"""The choke point: nothing goes to a provider that is not on the books, and each call ends once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts import ids, tenancy
from billing import journal, ledger
from billing.facts import CallOpened, CallSettled, Fact
from billing.ledger import REFUSALS_PER_SECOND, Ledger
from billing.models import Call
from tests.factories.accounts import TenantFactory
from tests.factories.billing import (
    NOON,
    AttemptEndedFactory,
    AttemptStartedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    failed,
)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    """Books whose shipper does not run."""
    its = Ledger(tmp_path)
    yield its
    its.journal.close()


def written(books: Ledger) -> list[Fact]:
    return [record.fact for record in journal.read(books.journal.path)]


def test_the_intent_is_in_the_journal_before_the_call_is_handed_out(books: Ledger) -> None:
    fact = CallOpenedFactory.build()

    call = books.open_call(fact)

    assert written(books) == [fact]
    assert call.opened == fact
    assert books.open_calls == {call}


def test_attempts_are_written_with_the_next_record_of_their_call(books: Ledger) -> None:
    call = books.open_call(CallOpenedFactory.build())
    first = failed(call.opened.call)
    second = AttemptStartedFactory.build(call=call.opened.call)
    last = AttemptEndedFactory.build(call=call.opened.call, number=2)
    settled = CallSettledFactory.build(call=call.opened.call)

    call.attempt_ended(first)
    assert written(books) == [call.opened]
    call.attempt_started(second)
    assert written(books) == [call.opened, first, second]
    call.attempt_ended(last)
    call.settle(settled)
    assert written(books) == [call.opened, first, second, last, settled]
    assert call.attempts == [first, last]


def test_only_the_first_settlement_counts(books: Ledger) -> None:
    call = books.open_call(CallOpenedFactory.build())
    for status in ("succeeded", "failed", "cancelled"):
        call.settle(CallSettledFactory.build(call=call.opened.call, status=status))

    assert [f.status for f in written(books) if isinstance(f, CallSettled)] == ["succeeded"]
    assert call.is_settled
    assert books.open_calls == set()


def test_an_attempt_cannot_end_after_its_call(books: Ledger) -> None:
    call = books.open_call(CallOpenedFactory.build())
    call.settle(CallSettledFactory.build(call=call.opened.call))

    with pytest.raises(RuntimeError, match="settled"):
        call.attempt_ended(AttemptEndedFactory.build(call=call.opened.call))


class TestRefusals:
    def refuse(self, books: Ledger, key: object, at: int) -> None:
        opened = CallOpenedFactory.build(key=key, opened_at=at, targets=())
        settled = CallSettledFactory.build(call=opened.call, status="refused", settled_at=at)
        books.refuse(opened, settled)

    def test_a_refused_call_is_a_record_of_its_own(self, books: Ledger) -> None:
        self.refuse(books, ids.new(), NOON)

        opened, settled = written(books)
        assert isinstance(opened, CallOpened)
        assert isinstance(settled, CallSettled)
        assert (settled.call, settled.status) == (opened.call, "refused")
        assert books.open_calls == set()

    def test_of_a_key_ten_a_second_are_kept_and_the_rest_is_counted(self, books: Ledger) -> None:
        key, other = ids.new(), ids.new()
        for number in range(25):
            self.refuse(books, key, NOON + number)
        for _ in range(3):
            self.refuse(books, other, NOON)
        assert len(written(books)) == 2 * (REFUSALS_PER_SECOND + 3)
        assert books.refusals_not_kept == 15

        self.refuse(books, key, NOON + 1000)
        assert len(written(books)) == 2 * (REFUSALS_PER_SECOND + 4)
        assert books.refusals_not_kept == 15

    def test_what_is_remembered_of_keys_is_bounded(self, books: Ledger) -> None:
        for _ in range(10_002):
            books._refusals[ids.new()] = (0, 1)
        self.refuse(books, ids.new(), NOON)

        assert len(books._refusals) == 1


def test_without_books_there_is_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_ledger", None)
    with pytest.raises(RuntimeError, match=r"ledger\.start"):
        ledger.current()


@pytest.mark.django_db(transaction=True)
def test_the_books_of_a_process_are_shipped_to_their_end_when_they_are_closed(
    tmp_path: Path,
) -> None:
    tenant = TenantFactory.create()
    books = ledger.start(tmp_path)
    assert ledger.current() is books
    settled = books.open_call(CallOpenedFactory.build(tenant=tenant.pk))
    settled.settle(CallSettledFactory.build(call=settled.opened.call))
    hanging = books.open_call(CallOpenedFactory.build(tenant=tenant.pk))
    ledger.stop()
    ledger.stop()  # twice is once

    with tenancy.tenant_scope(tenant.pk):
        rows = dict(Call.objects.for_tenant(tenant).values_list("id", "status"))
    assert rows == {
        ids.decode(settled.opened.call): "succeeded",
        ids.decode(hanging.opened.call): "open",
    }
    assert len(list(journal.adopt(tmp_path))) == 1  # its lock is given up
