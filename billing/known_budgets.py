"""The hard budgets of each tenant, in memory for the request path."""

from uuid import UUID

import msgspec
from django.db import close_old_connections

from accounts import changes
from accounts.models import GatewayKey
from accounts.tenancy import tenant_scope
from billing import windows
from billing.models import Budget

KIND = "budget"


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What the request path has to know of a hard budget."""

    id: UUID
    tenant: UUID
    scope: str
    name: str  # of the project or the key
    window: str
    since: int  # Unix ms
    project: UUID | None = None
    lineage: UUID | None = None

    def covers(self, project: UUID | None, lineage: UUID | None) -> bool:
        """Whether calls of this project and key count."""
        if self.project is not None:
            return self.project == project
        return self.lineage is None or self.lineage == lineage


MOST_READS = 3  # in a row, while somebody changes something
_ORDER = {"key": 0, "project": 1, "tenant": 2}  # who is named first when several are used up
_known: dict[UUID, tuple[Terms, ...]] = {}


def cached(tenant: UUID) -> tuple[Terms, ...] | None:
    """The tenant's hard budgets, narrowest first; None when they have to be loaded."""
    return _known.get(tenant)


def load(tenant: UUID) -> tuple[Terms, ...]:
    """Read the tenant's hard budgets, again where one may have changed meanwhile.

    Raises DatabaseError.
    """
    for _ in range(MOST_READS):
        generation = changes.feed.generation
        found = _known[tenant] = _read(tenant)
        if changes.feed.generation == generation:
            return found
    _known.pop(tenant, None)
    return found


def _read(tenant: UUID) -> tuple[Terms, ...]:
    try:
        with tenant_scope(tenant):
            rows = list(
                Budget.objects.for_tenant(tenant).filter(mode="hard").select_related("project")
            )
            names = _key_names(tenant, [row.lineage for row in rows if row.lineage])
    finally:
        close_old_connections()
    return tuple(sorted((_terms(row, names) for row in rows), key=lambda t: _ORDER[t.scope]))


def _key_names(tenant: UUID, lineages: list[UUID]) -> dict[UUID, str]:
    """The name of the newest key of each lineage."""
    if not lineages:
        return {}
    keys = GatewayKey.objects.for_tenant(tenant).filter(lineage__in=lineages)
    return {key.lineage: key.name for key in keys.order_by("created_at", "id")}


def _terms(row: Budget, names: dict[UUID, str]) -> Terms:
    name = row.project.name if row.project else names.get(row.lineage or row.id, "")
    return Terms(
        id=row.pk,
        tenant=row.tenant_id,
        scope=row.scope,
        name=name,
        window=row.window,
        since=windows.milliseconds(row.created_at),
        project=row.project_id,
        lineage=row.lineage,
    )


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:
        _known.clear()
    else:
        _known.pop(tenant, None)


changes.listen(KIND, _forget)
