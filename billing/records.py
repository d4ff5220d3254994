"""A call and its attempts as the API, the pages and exports show them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts import ids
from accounts.models import GatewayKey, Project
from billing import books, corrections, money, periods, pricing
from billing.models import Attempt, Call
from billing.usage import BUCKETS

PAGE_LIMIT = 200


@dataclass(frozen=True, kw_only=True)
class CallFilter:
    """Which calls to list; empty fields do not restrict."""

    mode: str
    start: datetime | None = None
    end: datetime | None = None
    provider: str = ""
    model: str = ""
    status: str = ""
    project: UUID | None = None
    key: UUID | None = None
    tag: str = ""
    policy: str = ""


@dataclass(frozen=True)
class Page:
    """Calls newest first, and the cursor of the page after them."""

    calls: list[Call]
    next: str | None


def list_calls(tenant: UUID, wanted: CallFilter, *, cursor: str = "", limit: int = 50) -> Page:
    """A page of calls, found by key and not by offset. Raises InvalidId for a bad cursor."""
    rows = _filtered(Call.objects.for_tenant(tenant), wanted)
    if cursor:
        rows = rows.filter(id__lt=ids.decode(cursor))
    limit = max(1, min(limit, PAGE_LIMIT))
    found = list(rows.order_by("-id")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(found, ids.encode(found[-1].id.int) if more else None)


def pick_calls(tenant: UUID, wanted: CallFilter, calls: list[UUID]) -> list[Call]:
    """Those of some calls that fit the filter, newest first."""
    rows = _filtered(Call.objects.for_tenant(tenant), wanted)
    return list(rows.filter(id__in=calls).order_by("-id"))


def find_call(tenant: UUID, call: UUID) -> tuple[Call, list[Attempt]] | None:
    """A call of this tenant with its attempts in order."""
    row = Call.objects.for_tenant(tenant).filter(id=call).first()
    if row is None:
        return None
    return row, list(Attempt.objects.for_tenant(tenant).filter(call_id=call).order_by("number"))


@dataclass(frozen=True)
class NamedCall:
    """A call with the names of its project and gateway key; empty where there is none."""

    call: Call
    project: str
    key: str


def with_names(tenant: UUID, calls: list[Call]) -> list[NamedCall]:
    """The calls as pages list them. Two queries."""
    names = _Names(tenant, calls)
    return [
        NamedCall(
            call,
            names.projects.get(call.project_id, "") if call.project_id else "",
            names.keys.get(call.gateway_key_id, "") if call.gateway_key_id else "",
        )
        for call in calls
    ]


def has_calls(tenant: UUID, *, mode: str = "") -> bool:
    """Whether the tenant ever made a call, of this mode or of any: one look at an index."""
    rows = Call.objects.for_tenant(tenant)
    return (rows.filter(mode=mode) if mode else rows).exists()


def as_json(call: Call, attempts: list[Attempt] | None = None) -> dict[str, Any]:
    """The record of contract §7; with its attempts where they are given."""
    names = _Names(call.tenant_id, [call])
    return record(call, names, attempts)


def many_as_json(tenant: UUID, calls: list[Call]) -> list[dict[str, Any]]:
    names = _Names(tenant, calls)
    return [record(call, names) for call in calls]


class _Names:
    """What the projects and keys of some calls are called: two queries."""

    def __init__(self, tenant: UUID, calls: list[Call]) -> None:
        projects = Project.objects.for_tenant(tenant)
        keys = GatewayKey.objects.for_tenant(tenant)
        self.projects = dict(
            projects.filter(id__in={c.project_id for c in calls}).values_list("id", "name")
        )
        self.keys = dict(
            keys.filter(id__in={c.gateway_key_id for c in calls}).values_list("id", "name")
        )


def record(call: Call, names: _Names, attempts: list[Attempt] | None = None) -> dict[str, Any]:
    shown = {
        "id": ids.show("call", call.id),
        "created_at": call.created_at.isoformat(timespec="milliseconds"),
        "mode": call.mode,
        "purpose": call.purpose,
        "endpoint": call.endpoint,
        "requested_model": call.requested_model,
        "provider": call.provider or None,
        "model": call.model or None,
        "policy": call.policy or None,
        "policy_version": call.policy_version,
        "strategy": call.strategy,
        "reason": call.reason,
        "status": call.status,
        "http_status": call.http_status,
        "error_code": call.error_code or None,
        "finish_reason": call.finish_reason or None,
        "stream": call.stream,
        "cache": call.cache,
        "usage": _usage(call),
        "usage_source": call.usage_source,
        "cost_usd": _usd(call.cost),
        "cost_status": call.cost_status,
        "saved_usd": _usd(call.saved),
        "latency_ms": call.latency_ms,
        "first_token_ms": call.first_token_ms,
        "overhead_ms": call.overhead_us / 1000,
        "project": names.projects.get(call.project_id) if call.project_id else None,
        "gateway_key": (ids.show("key", call.gateway_key_id) if call.gateway_key_id else None),
        "gateway_key_name": names.keys.get(call.gateway_key_id) if call.gateway_key_id else None,
        "tags": call.tags,
        "session": call.session or None,
        "experiment": call.experiment or None,
        "attempts_count": call.attempts,
    }
    if attempts is not None:
        answered = next((a for a in attempts if a.outcome == "answered"), None)
        shown["price"] = _price(answered)
        shown["attempts"] = [_attempt(attempt) for attempt in attempts]
        _add_corrections(shown, call, attempts)
    return shown


def _add_corrections(shown: dict[str, Any], call: Call, attempts: list[Attempt]) -> None:
    """What the call costs under corrected prices, beside what it was settled at."""
    corrected = corrections.of_calls(call.tenant_id, [call.id])
    now = corrections.as_booked(call, attempts, corrected)
    settled = now.settled if corrected else None
    shown["corrected_cost_usd"] = _usd(settled.cost) if settled else None
    for one, attempt in zip(shown["attempts"], attempts, strict=True):
        row = corrected.get((attempt.call_id, attempt.number))
        one["corrected_cost_usd"] = _usd(row.cost) if row else None


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "provider": attempt.provider,
        "model": attempt.model,
        "role": attempt.role,
        "outcome": attempt.outcome,
        "http_status": attempt.http_status,
        "error_code": attempt.error_code or None,
        "message": attempt.message or None,
        "started_ms": attempt.started_ms,
        "first_token_ms": attempt.first_token_ms,
        "ended_ms": attempt.ended_ms,
        "usage": _usage(attempt),
        "usage_source": attempt.usage_source,
        "cost_usd": _usd(attempt.cost),
        "cost_status": attempt.cost_status,
        "reported_cost_usd": _usd(attempt.reported_cost),
        "price": _price(attempt),
    }


def _usage(row: Call | Attempt) -> dict[str, int]:
    usage = books.usage_of(row)
    return dict(zip(BUCKETS, usage.counts(), strict=True))


def _price(attempt: Attempt | None) -> dict[str, Any] | None:
    if attempt is None or not attempt.price:
        return None
    return pricing.to_builtins(pricing.from_json(attempt.price))


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else money.plain(amount)


def _filtered(rows: QuerySet[Call], wanted: CallFilter) -> QuerySet[Call]:
    rows = rows.filter(mode=wanted.mode)
    exact = {
        "provider": wanted.provider,
        "model": wanted.model,
        "status": wanted.status,
        "project_id": wanted.project,
        "gateway_key_id": wanted.key,
        "policy": wanted.policy,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.start:
        rows = rows.filter(id__gte=periods.first_id(wanted.start), created_at__gte=wanted.start)
    if wanted.end:
        rows = rows.filter(id__lt=periods.id_after(wanted.end), created_at__lt=wanted.end)
    if wanted.tag:
        rows = _with_tag(rows, wanted.tag)
    return rows


def _with_tag(rows: QuerySet[Call], tag: str) -> QuerySet[Call]:
    """JSON containment is PostgreSQL's; on SQLite the elements are looked at."""
    if connection.vendor == "postgresql":
        return rows.filter(tags__contains=[tag])
    return rows.extra(  # the tag is a parameter
        where=["EXISTS (SELECT 1 FROM json_each(billing_call.tags) WHERE value = %s)"],
        params=[tag],
    )
