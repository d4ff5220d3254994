"""Everything that belongs to a tenant, as JSON lines: one row of one table each.

Left out is what is secret or sealed: every binary column, which holds keys, digests and sealed
content. The first line says what the file is; the last one counts the rows of each table, so that
a download that was cut off can be told from a whole one.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import models

from accounts import audit, deletion
from accounts.models import Membership, Tenant
from accounts.tenancy import TenantOwned, tenant_scope

FORMAT, VERSION = "flo2-export", 1
CONTENT_TYPE = "application/x-ndjson"
PORTION = 1000  # rows that are read in one transaction
OWNER = ("accounts.tenant", "accounts.user")  # the tables before those with a tenant's id

Row = dict[str, Any]


def note(tenant: Tenant, *, actor: audit.Actor) -> None:
    """An export is an event of its own on the audit list. In the caller's scope."""
    audit.record(tenant, actor=actor, action="account.exported", subject=tenant.name)


def file_name(tenant: Tenant, now: datetime) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in tenant.name.lower())
    return f"flo2-{kept.strip('-') or 'account'}-{now:%Y-%m-%d}.jsonl"


async def lines(tenant: UUID, *, now: datetime) -> AsyncIterator[bytes]:
    """The file, a portion of rows at a time. It is no snapshot: calls go on meanwhile."""
    yield _line({"format": FORMAT, "version": VERSION, "tenant": tenant, "exported_at": now})
    counts: dict[str, int] = {}
    for rows, name in ((_tenant, OWNER[0]), (_people, OWNER[1])):
        found = await sync_to_async(rows)(tenant)
        counts[name] = len(found)
        yield b"".join(_line({"table": name, "row": row}) for row in found)
    for model in reversed(deletion.tables()):
        name, last = model._meta.label_lower, None
        counts[name] = 0
        while True:
            found, last = await sync_to_async(_portion)(model, tenant, last)
            if not found:
                break
            counts[name] += len(found)
            yield b"".join(_line({"table": name, "row": row}) for row in found)
    yield _line({"end": True, "rows": counts})


def columns(model: type[models.Model]) -> Iterator["models.Field[Any, Any]"]:
    """The columns of a table that are exported."""
    for field in model._meta.concrete_fields:
        if not isinstance(field, models.BinaryField | models.CompositePrimaryKey):
            yield field


def _tenant(tenant: UUID) -> list[Row]:
    with tenant_scope(tenant):
        return [_row(Tenant.objects.get(pk=tenant))]


def _people(tenant: UUID) -> list[Row]:
    """Who belongs to it: no more of a login than its address."""
    with tenant_scope(tenant):
        rows = Membership.objects.for_tenant(tenant).select_related("user").order_by("pk")
        return [{"id": one.user_id, "email": one.user.email} for one in rows]


def _portion(model: type[TenantOwned], tenant: UUID, last: Any) -> tuple[list[Row], Any]:
    """The rows after the last one that was read, and the last one of these."""
    with tenant_scope(tenant):
        rows = model.objects.for_tenant(tenant).order_by("pk")
        chosen = list((rows if last is None else rows.filter(pk__gt=last))[:PORTION])
    return [_row(one) for one in chosen], chosen[-1].pk if chosen else None


def _row(row: models.Model) -> Row:
    return {field.attname: _plain(getattr(row, field.attname)) for field in columns(type(row))}


def _plain(value: Any) -> Any:
    """Decimals without the zeros that a column pads them with."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value


def _line(content: Row) -> bytes:
    """Money as exact text, moments in ISO 8601."""
    return msgspec.json.encode(content) + b"\n"
