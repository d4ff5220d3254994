"""Budgets: what they count, how they change, whom they tell."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from smtplib import SMTPException
from typing import Any

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts import audit, tenancy
from accounts.errors import InvalidRequest
from accounts.models import AuditEvent, Change, Tenant
from accounts.roles import Role
from billing import alerts, books, budgets, rollups, windows
from billing.budgets import Wish
from billing.lease_rows import WindowKey
from billing.models import Attempt, Budget, BudgetAlert, Call
from tests.accounts.databases import postgresql_only, rows_of
from tests.accounts.threads import at_once
from tests.factories.accounts import (
    MembershipFactory,
    ProjectFactory,
    TenantFactory,
    issue_gateway_key,
)
from tests.factories.billing import NOON, AttemptEndedFactory, book_call, story
from tests.factories.budgets import make_budget, window_of

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def costing(amount: str) -> dict[str, Any]:
    return {"attempts": [AttemptEndedFactory.build(call="x" * 22, cost=Decimal(amount))]}


def alerts_of(tenant: Tenant) -> list[BudgetAlert]:
    with tenancy.tenant_scope(tenant.pk):
        return list(BudgetAlert.objects.for_tenant(tenant).order_by("percent"))


class TestWindows:
    @given(
        kind=st.sampled_from(["day", "week", "month"]),
        moment=st.integers(0, 7_258_118_400_000),
    )
    def test_every_moment_is_in_one_window_and_the_next_begins_where_it_ends(
        self, kind: str, moment: int
    ) -> None:
        window = windows.at(kind, moment, since=0)

        assert window.start <= moment < window.end
        assert windows.at(kind, window.start, since=0) == window
        assert windows.at(kind, window.end - 1, since=0) == window
        assert windows.at(kind, window.end, since=0).start == window.end

    def test_a_week_begins_on_monday_and_a_month_on_its_first_day(self) -> None:
        week, month = (windows.at(kind, NOON, since=0) for kind in ("week", "month"))

        assert windows.instant(week.start) == datetime(2026, 11, 16, tzinfo=UTC)
        assert week.resets_at == datetime(2026, 11, 23, tzinfo=UTC)
        assert windows.instant(month.start) == datetime(2026, 11, 1, tzinfo=UTC)
        assert month.resets_at == datetime(2026, 12, 1, tzinfo=UTC)

    def test_a_total_never_resets(self) -> None:
        assert windows.at("total", NOON, since=NOON - 5) == (NOON - 5, windows.NEVER)
        assert windows.at("total", NOON, since=0).resets_at is None


class TestCounting:
    def test_a_budget_counts_what_its_window_has_cost_before_it_was_made(
        self, tenant: Tenant
    ) -> None:
        book_call(tenant, opened_at=NOON - 3_600_000, **costing("0.25"))
        book_call(tenant, opened_at=NOON - 24 * 3_600_000, **costing("0.5"))
        rollups.add_up()
        book_call(tenant, opened_at=NOON - 60_000, **costing("1"))
        book_call(tenant, mode="test", **costing("7"))

        day = make_budget(tenant, "10", window="day", now=NOW)
        month = make_budget(tenant, "10", window="month", now=NOW)
        total = make_budget(tenant, "10", window="total", now=NOW)

        assert window_of(day).spent == Decimal("1.25")
        assert window_of(month).spent == Decimal("1.75")
        assert window_of(total).spent == 0
        assert window_of(day, "test").spent == 7

    def test_a_call_counts_where_it_began_however_late_it_is_booked(self, tenant: Tenant) -> None:
        budget = make_budget(tenant, "10", window="day", now=NOW)
        book_call(tenant, opened_at=NOON + 12 * 3_600_000 - 1, **costing("1"))
        book_call(tenant, opened_at=NOON + 12 * 3_600_000, **costing("2"))

        with tenancy.tenant_scope(tenant.pk):
            spent = dict(budget.windows.model.objects.for_tenant(tenant)
                         .filter(calls="live").values_list("starts_at", "spent"))  # fmt: skip
        assert spent == {
            datetime(2026, 11, 20, tzinfo=UTC): 1,
            datetime(2026, 11, 21, tzinfo=UTC): 2,
        }

    def test_only_what_the_scope_covers_counts(self, tenant: Tenant) -> None:
        project, key = ProjectFactory.create(tenant=tenant), issue_gateway_key(tenant).record
        made = {
            "tenant": make_budget(tenant, "9", now=NOW),
            "project": make_budget(tenant, "9", subject=project, now=NOW),
            "key": make_budget(tenant, "9", subject=key, now=NOW),
            "foreign": make_budget(TenantFactory.create(), "9", now=NOW),
        }
        book_call(tenant, project=project.pk, **costing("1"))
        book_call(tenant, key=key.pk, **costing("2"))
        book_call(tenant, **costing("4"))

        spent = {name: window_of(budget).spent for name, budget in made.items()}
        assert spent == {"tenant": 7, "project": 1, "key": 2, "foreign": 0}

    def test_what_is_handed_in_again_counts_once(self, tenant: Tenant) -> None:
        budget = make_budget(tenant, "10", now=NOW)
        facts = story(tenant, **costing("1"))
        for _ in range(3):
            books.book(facts)

        assert window_of(budget).spent == 1

    def test_an_unpriced_attempt_adds_nothing_and_the_others_of_its_call_do(
        self, tenant: Tenant
    ) -> None:
        budget = make_budget(tenant, "10", now=NOW)
        attempts = [
            AttemptEndedFactory.build(call="x" * 22, cost=None, cost_status="unpriced"),
            AttemptEndedFactory.build(call="x" * 22, number=2, cost=Decimal("0.5")),
        ]
        book_call(tenant, attempts=attempts)

        assert window_of(budget).spent == Decimal("0.5")

    def test_a_budget_that_is_made_while_calls_are_booked_misses_none(self, tenant: Tenant) -> None:
        def spend() -> None:
            for _ in range(30):
                book_call(tenant, **costing("0.01"))

        made: list[Budget] = []
        answers = at_once(
            spend, lambda: made.append(make_budget(tenant, "10", window="day", now=NOW)), spend
        )

        assert [one for one in answers if isinstance(one, Exception)] == []
        with tenancy.tenant_scope(tenant.pk):
            costs = Attempt.objects.for_tenant(tenant).values_list("cost", flat=True)
            assert (
                window_of(made[0]).spent == sum(filter(None, costs), Decimal(0)) == Decimal("0.6")
            )

    def test_the_sum_of_the_roll_ups_is_what_is_spent(self, tenant: Tenant) -> None:
        budget = make_budget(tenant, "10", window="day", now=NOW)
        for cost in ("0.000000000001", "0.3", "0.000123"):
            book_call(tenant, **costing(cost))
        rollups.add_up()

        window = windows.at("day", NOON, since=0)
        key = WindowKey(budget.pk, "live", window.start)
        with tenancy.tenant_scope(tenant.pk):
            assert budgets.sum_of_ledger(budget, key, window.end) == window_of(budget).spent


class TestChanges:
    def test_a_change_is_on_the_audit_list_and_in_the_feed(self, tenant: Tenant) -> None:
        budget = make_budget(tenant, "10", now=NOW)
        with tenancy.tenant_scope(tenant.pk):
            budgets.change(
                budget, limit=Decimal(20), mode="soft", alert_at=[1, 0.5], actor=audit.SYSTEM,
                now=NOW,
            )  # fmt: skip
            budgets.raise_for_a_while(
                budget, by=Decimal(5), until=None, actor=audit.SYSTEM, now=NOW
            )
            stands = budgets.standing(budget, calls="live", now=NOW)
            later = budgets.standing(budget, calls="live", now=datetime(2026, 12, 1, tzinfo=UTC))
            budgets.remove(budget, actor=audit.SYSTEM)
            actions = AuditEvent.objects.for_tenant(tenant).order_by("number")

            assert list(actions.values_list("action", flat=True)) == [
                "budget.created", "budget.changed", "budget.raised", "budget.removed",
            ]  # fmt: skip
        assert (stands.limit, stands.is_raised, stands.budget.mode) == (Decimal(25), True, "soft")
        assert stands.budget.alert_at == [0.5, 1]
        assert (later.limit, later.is_raised) == (Decimal(20), False)
        assert Change.objects.filter(kind="budget", tenant=tenant.pk).count() == 4

    @pytest.mark.parametrize(
        ("by", "until", "param"),
        [
            (Decimal(1), None, "until"),
            (Decimal(1), NOW - timedelta(1), "until"),
            (Decimal(-1), NOW + timedelta(1), "by_usd"),
            (Decimal("NaN"), NOW + timedelta(1), "by_usd"),
        ],
    )
    def test_a_raise_needs_an_amount_and_an_end(
        self, tenant: Tenant, by: Decimal, until: datetime | None, param: str
    ) -> None:
        budget = make_budget(tenant, "10", window="total", now=NOW)
        with tenancy.tenant_scope(tenant.pk), pytest.raises(InvalidRequest) as refused:
            budgets.raise_for_a_while(budget, by=by, until=until, actor=audit.SYSTEM, now=NOW)
        assert refused.value.param == param

    def test_the_tightest_budget_of_a_key_is_the_one_with_the_least_left(
        self, tenant: Tenant
    ) -> None:
        key = issue_gateway_key(tenant).record
        make_budget(tenant, "5", now=NOW)
        make_budget(tenant, "3", subject=key, now=NOW)
        make_budget(tenant, "1", mode="soft", now=NOW)
        make_budget(tenant, "2", subject=ProjectFactory.create(tenant=tenant), now=NOW)

        with tenancy.tenant_scope(tenant.pk):
            found = budgets.tightest(
                tenant.pk, project=None, lineage=key.lineage, calls="live", now=NOW
            )
        assert found
        assert found.limit == 3
        assert found.subject == key

    def test_the_database_refuses_what_cannot_be_a_budget(self, tenant: Tenant) -> None:
        budget = make_budget(tenant, "10", now=NOW)
        for wrong in (
            {"scope": "project"}, {"window": "year"}, {"mode": "firm"}, {"limit": Decimal(-1)},
        ):  # fmt: skip
            with (
                tenancy.tenant_scope(tenant.pk),
                pytest.raises(IntegrityError),
                transaction.atomic(),
            ):
                Budget.objects.for_tenant(tenant).filter(pk=budget.pk).update(**wrong)

    @postgresql_only
    def test_another_tenant_sees_no_budget(self, tenant: Tenant) -> None:
        make_budget(tenant, "10", now=NOW)
        with tenancy.tenant_scope(TenantFactory.create().pk):
            assert rows_of("SELECT count(*) FROM billing_budget") == [(0,)]
            assert rows_of("SELECT count(*) FROM billing_budgetwindow") == [(0,)]


class TestAlerts:
    @pytest.fixture(autouse=True)
    def _mail(self, settings: Any) -> Iterator[None]:
        settings.EMAIL_CONFIG = {"EMAIL_HOST": "localhost"}
        settings.FLO2_PUBLIC_URL = "https://flo2.example"
        yield
        mail.outbox.clear()

    def test_each_threshold_tells_once_in_a_window(self, tenant: Tenant) -> None:
        owner = MembershipFactory.create(tenant=tenant).user
        MembershipFactory.create(tenant=tenant, role=Role.VIEWER)
        make_budget(tenant, "1", window="day", now=NOW)
        for _ in range(9):
            book_call(tenant, **costing("0.125"))
            alerts.send_waiting(NOW)
        alerts.send_waiting(NOW)

        assert [one.percent for one in alerts_of(tenant)] == [50, 80, 100]
        assert [one.to for one in mail.outbox] == [[owner.email]] * 3
        first = mail.outbox[0]
        assert first.subject == f"50 % of a budget of {tenant.name} is spent"
        assert "0.5 USD" in first.body
        assert "https://flo2.example/dashboard/budgets/" in first.body
        assert "2026-11-21 00:00 UTC" in first.body

        book_call(tenant, opened_at=NOON + 24 * 3_600_000, **costing("0.6"))
        assert len(alerts_of(tenant)) == 4

    def test_one_call_may_reach_several_thresholds(self, tenant: Tenant) -> None:
        make_budget(tenant, "1", now=NOW)
        book_call(tenant, **costing("0.9"))

        assert [one.percent for one in alerts_of(tenant)] == [50, 80]

    def test_a_lower_limit_may_reach_a_threshold(self, tenant: Tenant) -> None:
        budget = make_budget(tenant, "100", now=NOW)
        book_call(tenant, **costing("0.9"))
        with tenancy.tenant_scope(tenant.pk):
            budgets.change(budget, limit=Decimal(1), actor=audit.SYSTEM, now=NOW)

        assert [one.percent for one in alerts_of(tenant)] == [50, 80]

    def test_a_name_with_a_line_break_keeps_nobodys_mail_back(self, tenant: Tenant) -> None:
        MembershipFactory.create(tenant=tenant)
        Tenant.objects.filter(pk=tenant.pk).update(name="Acme\nBcc: all@example.org")
        make_budget(tenant, "1", now=NOW)
        book_call(tenant, **costing("0.5"))

        alerts.send_waiting(NOW)

        assert "Acme Bcc: all@example.org is spent" in mail.outbox[0].subject

    def test_a_mail_that_cannot_be_sent_is_tried_again(
        self, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        MembershipFactory.create(tenant=tenant)
        make_budget(tenant, "1", now=NOW)
        book_call(tenant, **costing("0.5"))

        def broken(*_: object) -> None:
            raise SMTPException("no")

        with monkeypatch.context() as away:
            away.setattr(alerts, "send_mail", broken)
            alerts.send_waiting(NOW)
        assert [one.sent_at for one in alerts_of(tenant)] == [None]
        alerts.send_waiting(NOW)
        assert [one.sent_at for one in alerts_of(tenant)] == [NOW]
        assert len(mail.outbox) == 1


def test_a_call_is_booked_though_its_budget_goes_away_meanwhile(
    tenant: Tenant, tmp_path: Path
) -> None:
    budget = make_budget(tenant, "10", now=NOW)
    with tenancy.tenant_scope(tenant.pk):
        budgets.remove(budget, actor=audit.SYSTEM)
    call = book_call(tenant, **costing("1"))

    with tenancy.tenant_scope(tenant.pk):
        assert Call.objects.for_tenant(tenant).get(pk=call.pk).cost == 1


def test_a_tenant_has_at_most_so_many_budgets(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts.errors import Conflict

    monkeypatch.setattr(budgets, "MOST", 1)
    make_budget(tenant, "1", now=NOW)
    with tenancy.tenant_scope(tenant.pk), pytest.raises(Conflict):
        budgets.create(tenant, Wish(limit=Decimal(1)), actor=audit.SYSTEM, now=NOW)
