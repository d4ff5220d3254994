"""Collected calls as JSON lines, read and sent in pieces: OpenAI's form for fine-tuning chats."""

from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from accounts.tenancy import tenant_scope
from routing.training_data import rows
from routing.training_data.rows import Wanted

AT_ONCE = 25  # calls that are read in one transaction


def answer(tenant: UUID, wanted: Wanted, now: datetime) -> StreamingHttpResponse:
    """The download, oldest first; its head says how many lines are to come. In the caller's scope.

    What is erased while it is read is left out, and what is collected meanwhile.
    """
    found = rows.of(tenant, wanted, now)
    newest = found.values_list("id", flat=True).first()
    name = f"training-data-{wanted.mode}-{now:%Y-%m-%d}.jsonl"
    return StreamingHttpResponse(
        _lines(tenant, wanted, now, newest),
        content_type="application/jsonl; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "x-flo2-lines": str(found.count()),
        },
    )


async def _lines(
    tenant: UUID, wanted: Wanted, now: datetime, newest: UUID | None
) -> AsyncIterator[bytes]:
    after = None
    while newest is not None and after != newest:
        piece, after = await sync_to_async(_read)(tenant, wanted, now, after, newest)
        if piece:
            yield piece
        if after is None:
            return


def _read(
    tenant: UUID, wanted: Wanted, now: datetime, after: UUID | None, newest: UUID
) -> tuple[bytes, UUID | None]:
    """The next lines, and the last call that was looked at; None at the end."""
    with tenant_scope(tenant):
        found = rows.of(tenant, wanted, now).filter(id__lte=newest).order_by("id")
        some = list((found.filter(id__gt=after) if after else found)[:AT_ONCE])
        piece = b"".join(line + b"\n" for _, line in rows.opened(tenant, some))
    return piece, some[-1].pk if some else None
