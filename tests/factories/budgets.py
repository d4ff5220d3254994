"""Budgets, and processes that spend them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils import timezone

from accounts import audit, tenancy
from accounts.models import Tenant
from billing import budgets, known_budgets
from billing.budgets import Wish
from billing.facts import CallOpened
from billing.leases import Payer
from billing.ledger import Ledger, OpenCall
from billing.models import Budget, BudgetWindow, Lease
from tests.factories.billing import AttemptEndedFactory, CallOpenedFactory, CallSettledFactory

MILLION = 10**6  # pico-dollars in a micro-dollar


def make_budget(tenant: Tenant, limit: str, *, now: datetime | None = None, **wish: Any) -> Budget:
    with tenancy.tenant_scope(tenant.pk):
        made = budgets.create(
            tenant,
            Wish(limit=Decimal(limit), **wish),
            actor=audit.SYSTEM,
            now=now or timezone.now(),
        )
    known_budgets._forget(tenant.pk, None)  # what the change feed does
    return made


def opened(tenant: Tenant | UUID, **rest: Any) -> CallOpened:
    """A call that begins now."""
    owner = tenant if isinstance(tenant, UUID) else tenant.pk
    at = int(timezone.now().timestamp() * 1000)
    return CallOpenedFactory.build(**{"tenant": owner, "opened_at": at, **rest})


async def admit(books: Ledger, fact: CallOpened, need: str, **payer: Any) -> OpenCall:
    """Open a call whose worst case costs so many dollars."""
    its = Payer(fact.tenant, fact.mode, fact.project, **payer)
    return await books.admit(fact, its, need=pico(need))


def settle(call: OpenCall, cost: str | None) -> None:
    """The call is answered, at this cost."""
    amount = None if cost is None else Decimal(cost)
    status = "unpriced" if amount is None else "priced"
    ended = AttemptEndedFactory.build(call=call.opened.call, cost=amount, cost_status=status)
    call.attempt_ended(ended)
    call.settle(CallSettledFactory.build(call=call.opened.call, cost=amount, cost_status=status))


def pico(amount: str) -> int:
    return int(Decimal(amount) * 10**12)


def window_of(budget: Budget, calls: str = "live") -> BudgetWindow:
    """The newest window of a budget."""
    with tenancy.tenant_scope(budget.tenant_id):
        rows = BudgetWindow.objects.for_tenant(budget.tenant_id)
        return rows.filter(budget=budget, calls=calls).order_by("-starts_at")[0]


def counted(budget: Budget) -> tuple[Decimal, Decimal]:
    """What is spent and what is leased of the newest window of live calls."""
    window = window_of(budget)
    return window.spent, window.leased


def leases_of(budget: Budget) -> dict[str, Decimal]:
    with tenancy.tenant_scope(budget.tenant_id):
        rows = Lease.objects.for_tenant(budget.tenant_id).filter(window__budget=budget)
        return dict(rows.values_list("holder", "amount"))


def ship(books: Ledger) -> None:
    """Do once what the shipper's thread does every quarter of a second."""
    books.shipper._turn(everything=False)


@contextmanager
def books_in(folder: Path) -> Iterator[Ledger]:
    """Books whose shipper runs when it is told to."""
    its = Ledger(folder)
    try:
        yield its
    finally:
        its.journal.close()
