"""Mark a provider key that its provider refused: beside the request path, once."""

import asyncio
import logging
import time
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from accounts import provider_keys
from accounts.keyring import RingKey
from accounts.models.provider_key import KeyStatus
from accounts.tenancy import tenant_scope
from routing.upstream.failures import Failure

log = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0

_marked: dict[tuple[UUID, str], float] = {}
_tasks: set[asyncio.Task[None]] = set()


def note(tenant: UUID, key: RingKey, failure: Failure) -> None:
    """Have the key marked, unless its mark says so already."""
    status = failure.rule.key_status
    if not status or key.status == status:
        return
    now = time.monotonic()
    if now - _marked.get((key.key_id, status), -AGAIN_SECONDS) < AGAIN_SECONDS:
        return
    if len(_marked) > 10_000:
        _marked.clear()
    _marked[key.key_id, status] = now
    task = asyncio.ensure_future(_mark(tenant, key.key_id, status, failure.message))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _mark(tenant: UUID, key: UUID, status: str, reason: str) -> None:
    try:
        await sync_to_async(_write, thread_sensitive=False)(tenant, key, status, reason)
    except DatabaseError:
        log.warning("a refused provider key could not be marked", exc_info=True)


def _write(tenant: UUID, key: UUID, status: str, reason: str) -> None:
    try:
        with tenant_scope(tenant):
            provider_keys.flag(
                tenant, key, status=KeyStatus(status), reason=reason, now=timezone.now()
            )
    finally:
        close_old_connections()
