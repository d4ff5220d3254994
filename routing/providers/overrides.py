"""The catalogue as a tenant sees it: as released, then the operator's models, then its own.

In memory like prices: loaded once per tenant, and again after a change was announced. What was
known serves until it has been read again, so that no call goes to an address that the operator
replaced.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import close_old_connections

from accounts import changes
from accounts.tenancy import tenant_scope
from routing.models import OperatorBaseUrl, OperatorModel, TenantModel
from routing.models.catalog import DescribedModel
from routing.providers import catalog_index
from routing.providers.catalog_index import Catalog
from routing.providers.spec import ModelOffer

KIND = "catalog"

_fresh: set[UUID | None] = set()  # who was read since the last change; None is the operator
_base_urls: dict[str, str] = {}
_by_operator: Catalog | None = None
_by_tenant: dict[UUID, Catalog] = {}  # of tenants that describe models


def catalog(tenant: UUID) -> Catalog:
    """The catalogue of a tenant, from memory; `load` must have been called for it."""
    return _by_tenant.get(tenant) or _by_operator or catalog_index.current()


def base_url(slug: str) -> str:
    """The address that the operator set for a provider, from memory; empty if none."""
    return _base_urls.get(slug, "")


def is_loaded(tenant: UUID) -> bool:
    return tenant in _fresh and None in _fresh


def load(tenant: UUID) -> None:
    """Keep in memory what this tenant and the operator added. Raises DatabaseError."""
    generation = changes.feed.generation
    try:
        if None not in _fresh:
            load_shared()
        with tenant_scope(tenant):
            rows = list(TenantModel.objects.for_tenant(tenant))
    finally:
        close_old_connections()
    _by_tenant.pop(tenant, None)
    if rows:
        _by_tenant[tenant] = merged(_by_operator or catalog_index.current(), rows)
    _fresh.add(tenant)
    if changes.feed.generation != generation:  # it may have changed while we read
        _fresh.discard(tenant)


def load_shared() -> None:
    """Keep in memory what the operator added. Raises DatabaseError."""
    global _by_operator, _base_urls
    generation = changes.feed.generation
    _by_operator = read_shared()
    _base_urls = dict(OperatorBaseUrl.objects.values_list("provider", "base_url"))
    _fresh.add(None)
    if changes.feed.generation != generation:
        _fresh.discard(None)


def read_shared() -> Catalog:
    """The catalogue for all, as the database has it now."""
    return merged(catalog_index.current(), OperatorModel.objects.all())


def read(tenant: UUID) -> Catalog:
    """The catalogue of a tenant, as the database has it now. In the caller's scope."""
    return merged(read_shared(), TenantModel.objects.for_tenant(tenant))


def merged(shared: Catalog, rows: Iterable[DescribedModel]) -> Catalog:
    """A catalogue and the models that these rows describe."""
    added = [(row.provider, described(row, shared)) for row in rows]
    return shared.with_models(added) if added else shared


def described(row: DescribedModel, shared: Catalog) -> ModelOffer:
    """The model of a row; where the row says nothing, as the catalogue has it."""
    known = shared.find(row.provider, row.model)
    base: dict[str, Any] = {}
    if known and known.model:
        base = {name: getattr(known.model, name) for name in known.model.__struct_fields__}
    said: dict[str, Any] = {
        "family": row.family or None,
        "kind": row.kind or None,
        "context": row.context,
        "output": row.output,
        "can": None if row.can is None else frozenset(row.can),
        "reasons": row.reasons,
    }
    named = {name: value for name, value in said.items() if value is not None}
    return ModelOffer(**{**base, "id": row.model, **named})


def forget_all() -> None:
    """Read everything anew before it is used again."""
    global _by_operator
    _fresh.clear()
    _base_urls.clear()
    _by_tenant.clear()
    _by_operator = None


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:  # of the operator, or of anybody
        _fresh.clear()
    else:
        _fresh.discard(tenant)


changes.listen(KIND, _forget)
