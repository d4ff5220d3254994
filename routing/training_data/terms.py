"""What a tenant wants to be collected and for how long: switched on, changed, switched off."""

from datetime import datetime
from typing import Any

from accounts import audit, tenant_settings
from accounts.errors import InvalidRequest
from accounts.models import Tenant
from accounts.tenant_settings import Settings
from routing.training_data import filters, rows

BOUNDS = {"content_cap": (1, 100_000), "retention_days": (1, 3650)}
FIELDS = ("store_content", "collect", *BOUNDS)


def change(
    tenant: Tenant, wishes: dict[str, Any], *, actor: audit.Actor, now: datetime
) -> Settings:
    """Change any of `FIELDS`; bounds that were lowered hold at once. In the caller's scope.

    Switched on, it takes calls that begin from now on; switched off, it keeps what is there.
    Raises InvalidRequest naming the field.
    """
    known = {name: wishes[name] for name in FIELDS if name in wishes}
    if not known:
        return tenant_settings.read(tenant.pk)
    for name, (least, most) in BOUNDS.items():
        if name in known and not least <= known[name] <= most:
            raise InvalidRequest(f"{name} goes from {least} to {most:,}.", param=name)
    if "collect" in known:
        known["collect"] = filters.document_of(tenant, known["collect"])
    was_on = tenant_settings.read(tenant.pk).store_content
    changed = tenant_settings.change(tenant, known, actor=actor)
    if changed.store_content and not was_on:
        tenant_settings.forget_content(tenant, now)
    if BOUNDS.keys() & known.keys():
        rows.prune(tenant.pk, now)
    return changed
