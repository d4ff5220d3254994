"""Calls as CSV, read and sent in pieces."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async

from accounts.tenancy import tenant_scope
from billing import call_search, records
from billing.call_search import CallFilter
from routing.api.manage.calls import safe

MOST_ROWS = 10_000
COLUMNS = (
    "id", "created_at", "mode", "purpose", "endpoint", "requested_model", "provider", "model",
    "policy", "strategy", "reason", "status", "http_status", "error_code", "stream", "cache",
    "cost_usd", "cost_status", "saved_usd", "latency_ms", "first_token_ms", "overhead_ms",
    "project", "gateway_key", "gateway_key_name", "tags", "session", "attempts_count",
)  # fmt: skip
USAGE = (
    "input_uncached", "cache_read", "cache_write_5m", "cache_write_1h", "output_visible",
    "reasoning", "audio_in", "audio_out", "image_in",
)  # fmt: skip


async def calls(tenant: UUID, wanted: CallFilter) -> AsyncIterator[bytes]:
    """At most 10,000 calls, newest first, the header in the first piece."""
    yield _line([*COLUMNS, *USAGE])
    cursor, left = "", MOST_ROWS
    while left > 0:
        rows, cursor = await sync_to_async(_read)(tenant, wanted, cursor, left)
        if rows:
            yield b"".join(rows)
        left -= len(rows)
        if not cursor:
            return


def _read(tenant: UUID, wanted: CallFilter, cursor: str, most: int) -> tuple[list[bytes], str]:
    """The lines of one page, and the cursor of the next; the page has a transaction of its own."""
    limit = min(most, call_search.PAGE_LIMIT)
    with tenant_scope(tenant):
        page = call_search.list_calls(tenant, wanted, cursor=cursor, limit=limit)
        shown = records.many_as_json(tenant, page.calls)
    return [_row(record) for record in shown], page.next or ""


def _row(record: dict[str, Any]) -> bytes:
    cells = [_cell(record[name]) for name in COLUMNS]
    return _line([*cells, *(record["usage"][name] for name in USAGE)])


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = ",".join(value)
    return "" if value is None else safe(value)


def _line(cells: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
