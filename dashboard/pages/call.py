"""`/dashboard/calls/{id}/`: one call: its attempts, why it went there, and its receipt."""

import json
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts import ids
from accounts.errors import NotFound
from billing import books, corrections, pricing, records
from billing.cost_reports import differs
from billing.models import Attempt, Call, Correction
from billing.money import ZERO
from billing.pricing import Price
from billing.records import NamedCall
from dashboard import charts, words
from dashboard.charts import Span
from dashboard.decorators import TenantRequest
from routing import feedback

TICKS = 4


@dataclass(frozen=True)
class Line:
    """One line of a receipt: tokens × USD per million = USD."""

    what: str
    tokens: int | None
    rate: Decimal | None
    amount: Decimal


@dataclass(frozen=True)
class Tried:
    """An attempt with its place on the time line and its part of the receipt."""

    attempt: Attempt
    span: Span
    price: Price | None
    lines: tuple[Line, ...]
    role: str
    cost_status: str
    corrected: Correction | None = None

    @property
    def is_off(self) -> bool:
        """Whether the provider's own figure is more than 1 % away from ours."""
        theirs, ours = self.attempt.reported_cost, self.attempt.cost
        ours = self.corrected.cost if self.corrected else ours
        return theirs is not None and ours is not None and differs(ours, theirs)

    @property
    def lines_add_up(self) -> bool:
        return sum((line.amount for line in self.lines), start=ZERO) == self.attempt.cost


@require_GET
def call(request: TenantRequest, call: str) -> HttpResponse:
    row, attempts = _find(request, call)
    total = max([row.latency_ms, *(attempt.ended_ms for attempt in attempts)], default=0)
    shown = records.as_json(row, attempts)
    corrected = corrections.of_calls(request.tenant.pk, [row.id])
    after = corrections.as_booked(row, attempts, corrected).settled if corrected else None
    context = {
        "corrected_cost": after.cost if after else None,
        "call": row,
        "feedback": feedback.of_call(request.tenant.pk, row.id),
        "named": NamedCall(row, shown["project"] or "", shown["gateway_key_name"] or ""),
        "usage": books.usage_of(row),
        "overhead": f"{row.overhead_us / 1000:.1f} ms",
        "tried": [
            _tried(attempt, total, corrected.get((row.id, attempt.number))) for attempt in attempts
        ],
        "ticks": [round(total * step / TICKS) for step in range(TICKS + 1)],
        "cost_status": words.COST_STATUSES.get(row.cost_status, ""),
        "as_json": json.dumps(shown, indent=2, ensure_ascii=False),
    }
    return render(request, "dashboard/call.html", context)


def _find(request: TenantRequest, call: str) -> tuple[Call, list[Attempt]]:
    try:
        found = records.find_call(request.tenant.pk, ids.read("call", call))
    except ids.InvalidId:
        found = None
    if found is None:
        raise NotFound(kind="call")
    return found


def _tried(attempt: Attempt, total: int, corrected: Correction | None) -> Tried:
    price = pricing.from_json(attempt.price) if attempt.price else None
    return Tried(
        attempt=attempt,
        span=charts.span(attempt.started_ms, attempt.first_token_ms, attempt.ended_ms, total=total),
        price=price,
        lines=_receipt(attempt, price),
        role=words.ROLES.get(attempt.role, attempt.role),
        cost_status=words.COST_STATUSES.get(attempt.cost_status, ""),
        corrected=corrected,
    )


def _receipt(attempt: Attempt, price: Price | None) -> tuple[Line, ...]:
    """How the cost of an attempt comes about; empty where there is nothing to multiply."""
    usage = books.usage_of(attempt)
    if price is None or attempt.cost is None or not usage.total_tokens:
        return ()
    rates = price.rates_for(usage.input_tokens)
    lines = [
        Line(words.BUCKETS[bucket], tokens, rate, amount)
        for bucket, tokens, rate, amount in pricing.receipt(usage, rates)
    ]
    if rates.per_request:
        lines.append(Line("Fee per request", None, None, rates.per_request))
    return tuple(lines)
