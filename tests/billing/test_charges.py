"""What booked calls cost their budgets, counted for many tenants at a time."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import books
from billing.facts import Fact
from billing.models import Budget
from tests.factories.accounts import TenantFactory
from tests.factories.billing import AttemptEndedFactory, story
from tests.factories.budgets import make_budget, window_of

pytestmark = pytest.mark.django_db

COST = Decimal("0.25")


def test_a_batch_asks_as_often_for_many_tenants_as_for_few() -> None:
    """Each further question prolongs the locks that money for the next calls waits for."""
    few, many = _calls_of_tenants(2), _calls_of_tenants(40)

    assert _queries_of(many[0]) == _queries_of(few[0])
    for budget in few[1] + many[1]:
        assert window_of(budget).spent == COST


def _calls_of_tenants(number: int) -> tuple[list[Fact], list[Budget]]:
    """A call of each tenant; each has a budget that began some odd millisecond ago, and another."""
    facts: list[Fact] = []
    budgets = []
    for place in range(number):
        tenant, now = TenantFactory.create(), timezone.now() - timedelta(milliseconds=37 * place)
        budgets += [make_budget(tenant, "0.5", window=kind, now=now) for kind in ("week", "total")]
        at = int(timezone.now().timestamp() * 1000)
        attempt = AttemptEndedFactory.build(call="", cost=COST, cost_status="priced")
        facts += story(tenant, attempts=[attempt], opened_at=at)
    return facts, budgets


def _queries_of(facts: list[Fact]) -> int:
    with CaptureQueriesContext(connection) as asked:
        books.book(facts)
    return len(asked)
