"""Collected calls, as a tenant has them that collects training data."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from accounts import ids, tenant_settings
from accounts.audit import SYSTEM
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from routing.training_data import rows, terms
from routing.training_data.rows import Fact

MESSAGES = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Where is the sea?"},
    {"role": "assistant", "content": "In the west."},
]


def collect_call(
    tenant: Tenant,
    *,
    call: UUID | None = None,
    at: datetime | None = None,
    example: dict[str, Any] | None = None,
    **facts: Any,
) -> UUID:
    """A collected call; collecting is as it was before."""
    at = at or datetime.now(UTC)
    told: dict[str, Any] = {
        "mode": "live", "endpoint": "chat", "requested_model": "auto", "provider": "groq",
        "model": "llama-3.3-70b-versatile", "policy": "", "project": None, "gateway_key": None,
        "lineage": None, "finish_reason": "stop", "stream": False, **facts,
    }  # fmt: skip
    fact = Fact(call=call or ids.new(), began_at=at, **told)
    line = msgspec.json.encode(example or {"messages": MESSAGES})
    with tenant_scope(tenant.pk):
        was_on = tenant_settings.read(tenant.pk).store_content
        before = at - timedelta(seconds=1)
        terms.change(tenant, {"store_content": True}, actor=SYSTEM, now=before)
        assert rows.save(tenant.pk, [(fact, line)]) == 1
        terms.change(tenant, {"store_content": was_on}, actor=SYSTEM, now=before)
    return fact.call
