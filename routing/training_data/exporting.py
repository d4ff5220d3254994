"""Collected calls as JSON lines, read and sent in pieces: OpenAI's form for fine-tuning chats."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from accounts import tenant_settings
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from routing.models import CollectedCall
from routing.training_data import rows
from routing.training_data.rows import Wanted

AT_ONCE = 25  # calls that are read in one transaction


def answer(tenant: Tenant, wanted: Wanted, now: datetime) -> StreamingHttpResponse:
    """The download, oldest first; its head says how many lines are to come. In the caller's scope.

    What is erased while it is read is left out, and what is collected meanwhile.
    """
    since = rows.kept_since(tenant_settings.read(tenant.pk), now)
    found = rows.of(tenant.pk, wanted, since=since)
    newest = found.values_list("id", flat=True).first()
    name = f"training-data-{wanted.mode}-{now:%Y-%m-%d}.jsonl"
    return StreamingHttpResponse(
        _lines(tenant, found.filter(id__lte=newest) if newest else found.none()),
        content_type="application/jsonl; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "x-flo2-lines": str(found.count()),
        },
    )


async def _lines(tenant: Tenant, found: QuerySet[CollectedCall]) -> AsyncIterator[bytes]:
    after = UUID(int=0)
    while True:
        piece, last = await sync_to_async(_read)(tenant, found, after)
        if last is None:
            return
        if piece:
            yield piece
        after = last


def _read(tenant: Tenant, found: QuerySet[CollectedCall], after: UUID) -> tuple[bytes, UUID | None]:
    """The next lines, and the last call that was looked at; None at the end."""
    with tenant_scope(tenant.pk):
        some = list(found.filter(id__gt=after).order_by("id")[:AT_ONCE])
        piece = b"".join(line + b"\n" for _, line in rows.opened(tenant, some))
    return piece, some[-1].pk if some else None
