"""The books are held against themselves: what agrees is left in peace, what does not is named."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids, tenancy
from accounts.models import Tenant
from billing import books, lease_rows, rollups, verification
from billing.models import (
    Attempt,
    BudgetWindow,
    Call,
    Lease,
    SpendDay,
    SpendDelta,
    SpendHour,
    TagDay,
)
from tests.accounts.depth import examples
from tests.billing import bookkeeping
from tests.billing.stories import stories
from tests.factories.accounts import TenantFactory, issue_gateway_key
from tests.factories.billing import NOON, AttemptEndedFactory, book_call
from tests.factories.budgets import make_budget

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY_MS = 86_400_000


def wrong(tenant: Tenant) -> list[str]:
    return [one.what for one in verification.verify(tenant.pk).differences]


def some_books(tenant: Tenant) -> list[Call]:
    """Four calls of three days, folded in part, under a budget."""
    make_budget(tenant, "10", now=NOW)
    calls = [book_call(tenant, opened_at=NOON - ago * DAY_MS, tags=("a",)) for ago in (9, 2, 0)]
    rollups.add_up()
    unpriced = AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")
    return [*calls, book_call(tenant, attempts=[unpriced])]


@given(data=st.data())
@examples(15)
def test_whatever_is_booked_agrees_with_itself(data: st.DataObject) -> None:
    bookkeeping.clear()
    tenant = TenantFactory.create()
    make_budget(tenant, "1000", now=NOW, window="day")
    for one in data.draw(st.lists(stories(tenant.pk), min_size=1, max_size=6)):
        books.book(one.facts)
        if data.draw(st.booleans()):
            rollups.add_up()

    assert verification.verify(tenant.pk).differences == []


def test_it_says_how_much_it_looked_at(tenant: Tenant) -> None:
    some_books(tenant)

    counted = verification.verify(tenant.pk).counted

    assert (counted.calls, counted.attempts) == (4, 4)
    assert counted.groups == 6  # three days: an hour and a day of each
    assert counted.windows >= 2


@pytest.mark.parametrize("model", [SpendHour, SpendDay, TagDay])
def test_a_sum_that_was_changed_is_found(tenant: Tenant, model: type[SpendDay]) -> None:
    some_books(tenant)
    with tenancy.system_scope():
        row = model.objects.first()
        assert row is not None
        row.cost = (row.cost or 0) + Decimal("1e-12")
        row.save()

    [found] = verification.verify(tenant.pk).differences

    assert found.what.endswith(": cost")
    assert Decimal(found.found.split()[0]) - Decimal(found.expected.split()[0]) == Decimal("1e-12")


def test_a_delta_that_is_gone_is_found(tenant: Tenant) -> None:
    some_books(tenant)
    with tenancy.system_scope():
        SpendDelta.objects.all().delete()

    assert {what.rpartition(" ")[2] for what in wrong(tenant)} >= {"calls", "unpriced_calls"}


def test_an_attempt_that_is_gone_is_found_in_its_call(tenant: Tenant) -> None:
    call = some_books(tenant)[0]
    with tenancy.system_scope():
        Attempt.objects.filter(call_id=call.id).delete()

    found = wrong(tenant)

    shown = ids.show("call", call.id)
    assert {f"cost of {shown}", f"attempts of {shown}"} <= set(found)


def test_a_budget_that_counted_wrong_is_found(tenant: Tenant) -> None:
    some_books(tenant)
    with tenancy.system_scope():
        row = BudgetWindow.objects.get(calls="live")
        row.spent += Decimal("0.000001")
        row.leased += Decimal("0.5")
        row.save()

    kinds = [what.rpartition(": ")[2] for what in wrong(tenant)]

    assert kinds == ["spent", "leased"]


def test_a_budget_of_a_key_counts_all_keys_of_its_lineage(tenant: Tenant) -> None:
    key = issue_gateway_key(tenant).record
    make_budget(tenant, "10", now=NOW, subject=key)
    book_call(tenant, key=key.pk)
    book_call(tenant)

    assert wrong(tenant) == []


def test_another_tenant_is_not_looked_at(tenant: Tenant) -> None:
    some_books(tenant)
    other = TenantFactory.create()
    with tenancy.system_scope():
        SpendDay.objects.all().delete()

    assert wrong(other) == []
    assert verification.verify(other.pk).counted.calls == 0


class TestCommands:
    def test_agreement_is_told(self, tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
        some_books(tenant)

        call_command("verify_ledger")

        assert "4 calls, 4 attempts, 6 sums" in capsys.readouterr().out

    def test_a_difference_is_named_and_the_exit_code_is_1(
        self, tenant: Tenant, capsys: pytest.CaptureFixture[str]
    ) -> None:
        some_books(tenant)
        with tenancy.system_scope():
            SpendDay.objects.all().delete()

        with pytest.raises(SystemExit) as ended:
            call_command("verify_ledger", tenant=ids.show("ten", tenant.pk))

        assert ended.value.code == 1
        assert "day 2026-11-18" in capsys.readouterr().out

    def test_rebuilding_mends_what_was_changed(
        self, tenant: Tenant, capsys: pytest.CaptureFixture[str]
    ) -> None:
        some_books(tenant)
        with tenancy.system_scope():
            SpendDay.objects.all().delete()
            SpendHour.objects.update(calls=7)
        assert wrong(tenant)

        call_command("rebuild_rollups")

        assert wrong(tenant) == []
        assert "3 days are made anew" in capsys.readouterr().out

    def test_rebuilding_leaves_other_days_alone(self, tenant: Tenant) -> None:
        some_books(tenant)
        with tenancy.system_scope():
            SpendDay.objects.update(calls=7)

        call_command("rebuild_rollups", first="2026-11-18", last="2026-11-18")

        with tenancy.system_scope():
            left = SpendDay.objects.filter(calls__gte=7).values_list("day", flat=True)
            assert set(left) == {date(2026, 11, 11), date(2026, 11, 20)}

    @pytest.mark.parametrize("options", [{"tenant": "acme"}, {"first": "yesterday"}])
    def test_what_makes_no_sense_is_refused(self, options: dict[str, str]) -> None:
        with pytest.raises(CommandError):
            call_command("rebuild_rollups", **options)

    def test_a_host_that_never_returns_can_be_written_off(
        self, tenant: Tenant, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make_budget(tenant, "10", now=NOW)
        with tenancy.system_scope():
            window = BudgetWindow.objects.get(calls="live")
            for host in ("gone", "gone-too"):
                window.leased += 1
                Lease(
                    tenant=tenant,
                    window=window,
                    holder=f"{host}-12-34",
                    folder="f",
                    amount=Decimal(1),
                ).save()
            window.save()

        call_command("verify_ledger", write_off="gone")

        assert "1 leases of gone are returned" in capsys.readouterr().out
        with tenancy.system_scope():
            assert [lease.holder for lease in Lease.objects.all()] == ["gone-too-12-34"]
            assert BudgetWindow.objects.get(calls="live").leased == 1


def test_leases_whose_journal_is_here_are_not_written_off(tenant: Tenant, tmp_path: Path) -> None:
    make_budget(tenant, "10", now=NOW)
    with tenancy.system_scope():
        window = BudgetWindow.objects.get(calls="live")
        window.leased = Decimal(1)
        window.save()
        Lease(tenant=tenant, window=window, holder="gone-1-2", folder="f", amount=Decimal(1)).save()
    (tmp_path / "gone-1-2~3.jnl").touch()

    assert lease_rows.write_off("gone", tmp_path) == 0
