"""Looks into the books, as a page would."""

from accounts.tenancy import tenant_scope
from billing.models import Attempt, Call
from tests.journeys.conftest import Caller


def calls(caller: Caller) -> list[Call]:
    """The tenant's calls, oldest first, once everything is shipped."""
    caller.gateway.settle()
    with tenant_scope(caller.tenant.pk):
        return list(Call.objects.for_tenant(caller.tenant).order_by("id"))


def last(caller: Caller) -> tuple[Call, list[Attempt]]:
    """The newest call and its attempts in order."""
    call = calls(caller)[-1]
    with tenant_scope(caller.tenant.pk):
        rows = Attempt.objects.for_tenant(caller.tenant).filter(call_id=call.id)
        return call, list(rows.order_by("number"))
