"""Every row has an owner, and every query says whose rows it wants.

`Model.objects.for_tenant(tenant)` is the way to rows of one tenant. Anything else through
`objects` raises, unless the code runs inside `system_scope()`: the few places that look across
tenants (login, shipper, cache loader, roll-ups, admin), listed by a test.

On PostgreSQL the same rule stands in the database, as row-level security: a transaction sees the
rows of the tenant it named (`tenant_scope`), or all rows in `system_scope`, or none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db import connection, models, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from accounts.errors import NotFound

SYSTEM = "system"
_scope: ContextVar[str] = ContextVar("tenancy_scope", default="")

M = TypeVar("M", bound=models.Model)


class UnscopedQuery(RuntimeError):
    """A query that does not say whose rows it wants."""


class TenantQuerySet(models.QuerySet[M], Generic[M]):
    def named(self, kind: str, **lookup: Any) -> M:
        """The one row that fits, or NotFound: unknown and foreign look the same."""
        row = self.filter(**lookup).first()
        if row is None:
            raise NotFound(kind=kind)
        return row


class TenantManager(models.Manager[M], Generic[M]):
    def get_queryset(self) -> TenantQuerySet[M]:
        if _scope.get() != SYSTEM:
            raise UnscopedQuery(
                f"{self.model.__name__}.objects needs for_tenant(…) or system_scope()."
            )
        return TenantQuerySet(self.model, using=self._db)

    def for_tenant(self, tenant: models.Model | UUID) -> TenantQuerySet[M]:
        owner = tenant if isinstance(tenant, UUID) else tenant.pk
        rows: TenantQuerySet[M] = TenantQuerySet(self.model, using=self._db)
        return rows.filter(tenant_id=owner)


class TenantOwned(models.Model):
    """Base of every model whose rows belong to a tenant."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")

    objects = TenantManager()

    class Meta:
        abstract = True


@contextmanager
def tenant_scope(tenant: UUID) -> Iterator[None]:
    """A transaction that can see and change only this tenant's rows (on PostgreSQL)."""
    with transaction.atomic(), _announced(f"tenant:{tenant}"):
        yield


@contextmanager
def system_scope() -> Iterator[None]:
    """A transaction that sees the rows of all tenants: for the installation's own work."""
    with transaction.atomic(), _announced(SYSTEM):
        yield


@contextmanager
def _announced(scope: str) -> Iterator[None]:
    before = _scope.get()
    token = _scope.set(scope)
    try:
        _tell_database(scope)
        yield
        # At its end, or rolled back, a transaction forgets its scope; within another one the scope
        # of before holds again. After an error, the roll-back to the savepoint sees to that.
        if connection.savepoint_ids and not connection.needs_rollback:
            _tell_database(before)
    finally:
        _scope.reset(token)


def _tell_database(scope: str) -> None:
    """Set the variables that the policies read, for the rest of this transaction."""
    if connection.vendor != "postgresql":
        return
    tenant = scope.removeprefix("tenant:") if scope.startswith("tenant:") else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('app.tenant', %s, true), set_config('app.scope', %s, true)",
            [tenant, SYSTEM if scope == SYSTEM else ""],
        )


class EnableRowSecurity(Operation):
    """Migration operation: row-level security on a table with a tenant id (PostgreSQL only)."""

    reversible = True
    reduces_to_sql = True

    def __init__(self, table: str, column: str = "tenant_id") -> None:
        self.table, self.column = table, column

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *_: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            for statement in self._statements():
                schema_editor.execute(statement)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *_: Any
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP POLICY tenant_rows ON {self.table}")
            schema_editor.execute(f"ALTER TABLE {self.table} NO FORCE ROW LEVEL SECURITY")
            schema_editor.execute(f"ALTER TABLE {self.table} DISABLE ROW LEVEL SECURITY")

    def describe(self) -> str:
        return f"Row-level security on {self.table}"

    def _statements(self) -> list[str]:
        rule = (
            f"{self.column} = nullif(current_setting('app.tenant', true), '')::uuid"
            f" OR current_setting('app.scope', true) = '{SYSTEM}'"
        )
        return [
            f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {self.table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant_rows ON {self.table} USING ({rule}) WITH CHECK ({rule})",
        ]
