"""What the books cost a call: opened and settled without budgets, and with three that all pay."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID

TENANT = "limited"
NEED = 10**6  # pico-dollars: so little that slices last for the whole run
ALLOWED_US = 25


def make_budgets() -> tuple[UUID, UUID, UUID, UUID]:
    """Hard budgets of a tenant, its project and its key; their ids, and a tenant without any."""
    from django.utils import timezone

    from accounts import audit
    from accounts.models import GatewayKey, Project, Tenant
    from accounts.tenancy import system_scope, tenant_scope
    from billing import budgets
    from billing.budgets import Wish

    with system_scope():
        tenant, other = Tenant.objects.get(name=TENANT), Tenant.objects.exclude(name=TENANT)[0]
    with tenant_scope(tenant.pk):
        key = GatewayKey.objects.for_tenant(tenant).get()
        project = Project.objects.for_tenant(tenant).order_by("id")[0]
        for subject in (None, project, key):
            wish = Wish(limit=Decimal(1_000_000), subject=subject)
            budgets.create(tenant, wish, actor=audit.SYSTEM, now=timezone.now())
    return tenant.pk, project.pk, key.lineage, other.pk


def cases(its: tuple[UUID, UUID, UUID, UUID]) -> dict[str, Callable[[], Awaitable[object]]]:
    from accounts import ids
    from billing.facts import AttemptEnded, CallOpened, CallSettled
    from billing.leases import Payer
    from billing.ledger import current

    tenant, project, lineage, unlimited = its
    cost = Decimal("0.000000000001")

    def case(payer: Payer) -> Callable[[], Awaitable[object]]:
        async def run() -> object:
            at, call = int(time.time() * 1000), ids.encode(ids.fresh())
            opened = await current().admit(
                CallOpened(
                    call=call,
                    tenant=payer.tenant,
                    opened_at=at,
                    deadline=at + 900_000,
                    mode="live",
                    endpoint="chat",
                    requested_model="m",
                    project=payer.project,
                ),
                payer,
                need=NEED,
            )
            opened.attempt_ended(AttemptEnded(call, 1, "openai", "m", "answered", cost=cost))
            opened.settle(CallSettled(call, "succeeded", at, cost=cost))
            return opened

        return run

    return {
        "books": case(Payer(unlimited, "live")),
        "books, 3 budgets": case(Payer(tenant, "live", project, lineage)),
    }


async def warm(ready: dict[str, Callable[[], Awaitable[object]]]) -> None:
    """Lease the slices before anything is measured."""
    for case in ready.values():
        await case()
    await asyncio.sleep(0.5)
