"""A call and its attempts as the API, the pages and exports show them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts import ids
from accounts.models import GatewayKey, Project
from billing import books, corrections, money, pricing
from billing.models import Attempt, Call
from billing.usage import BUCKETS


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
        "task": call.task or None,
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
