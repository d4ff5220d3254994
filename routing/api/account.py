"""`GET /v1/key` and `GET /v1/generation`: where the caller stands, and what a call was."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import close_old_connections
from django.db.models import Sum
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

from accounts import ids
from accounts.callers import Caller
from accounts.errors import NotFound
from accounts.models import GatewayKey
from accounts.tenancy import tenant_scope
from billing import budgets, money, records
from billing.models import Attempt, Call, SpendDay, SpendDelta
from routing import runtime
from routing.api import responses
from routing.api.async_view import GatewayView
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse

WAIT_SECONDS = 1.0  # for a call that has just ended to reach the database
POLL_SECONDS = 0.05
BODY_PREFIXES = ("chatcmpl-", "msg_", "resp_", "call_")


class Key(GatewayView):
    @extend_schema(
        summary="This key: usage and limits",
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def get(self, request: LeanRequest, caller: Caller) -> RawResponse:
        now = datetime.now(UTC)
        shown = await sync_to_async(_key, thread_sensitive=False)(caller, now)
        return responses.of_json({"data": shown}, request.call)


class Generation(GatewayView):
    @extend_schema(
        summary="The record of a call",
        parameters=[OpenApiParameter("id", str, required=True)],
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def get(self, request: LeanRequest, caller: Caller) -> RawResponse:
        call = _call_id(request.GET.get("id", ""))
        loop = asyncio.get_running_loop()
        give_up = loop.time() + WAIT_SECONDS
        while True:
            shown = await sync_to_async(_generation, thread_sensitive=False)(caller, call)
            if shown is not None or loop.time() > give_up:
                break
            runtime.current().ledger.shipper.nudge()
            await asyncio.sleep(POLL_SECONDS)
        if shown is None:
            raise NotFound(kind="call of this key")
        return responses.of_json({"data": shown}, request.call)


def _call_id(text: str) -> UUID:
    for prefix in BODY_PREFIXES:
        text = text.removeprefix(prefix)
    try:
        return ids.decode(text)
    except ids.InvalidId:
        raise NotFound(kind="call of this key") from None


def _generation(caller: Caller, call: UUID) -> dict[str, Any] | None:
    """The record, once the call is settled; None as long as it is not."""
    try:
        with tenant_scope(caller.tenant_id):
            found = records.find_call(caller.tenant_id, call)
            if found is None or found[0].gateway_key_id != caller.key_id:
                return None
            row, attempts = found
            if row.status == "open":
                return None
            return {**records.as_json(row, attempts), **_openrouter_names(row, attempts)}
    finally:
        close_old_connections()


def _openrouter_names(call: Call, attempts: list[Attempt]) -> dict[str, Any]:
    """The same facts by the names that OpenRouter's clients know."""
    prompt = call.input_uncached + call.cache_read + call.cache_write_5m + call.cache_write_1h
    prompt += call.audio_in + call.image_in
    completion = call.output_visible + call.reasoning + call.audio_out
    first = call.first_token_ms
    return {
        "total_cost": None if call.cost is None else float(call.cost),
        "provider_name": call.provider or None,
        "tokens_prompt": prompt,
        "tokens_completion": completion,
        "native_tokens_prompt": prompt,
        "native_tokens_completion": completion,
        "native_tokens_reasoning": call.reasoning,
        "native_tokens_cached": call.cache_read,
        "latency": first if first is not None else call.latency_ms,
        "generation_time": call.latency_ms - (first or 0),
        "streamed": call.stream,
        "cancelled": call.status == "cancelled",
        "finish_reason": call.finish_reason or None,
    }


def _key(caller: Caller, now: datetime) -> dict[str, Any]:
    try:
        with tenant_scope(caller.tenant_id):
            key = GatewayKey.objects.for_tenant(caller.tenant_id).get(pk=caller.key_id)
            today = now.date()
            since = {
                "usage": None,
                "usage_daily": today,
                "usage_weekly": today - timedelta(days=today.weekday()),
                "usage_monthly": today.replace(day=1),
            }
            usage = {name: _spent(caller, start) for name, start in since.items()}
            tightest = budgets.tightest(
                caller.tenant_id,
                project=key.project_id,
                lineage=key.lineage,
                calls=caller.mode,
                now=now,
            )
    finally:
        close_old_connections()
    return {
        "id": caller.key,
        "name": key.name,
        "label": key.shown,
        "mode": key.mode,
        **{name: float(amount) for name, amount in usage.items()},
        "usage_usd": money.plain(usage["usage"]),
        **_limit(tightest),
        "limits": {
            "requests_per_minute": key.requests_per_minute,
            "tokens_per_minute": key.tokens_per_minute,
            "max_parallel": key.max_parallel,
        },
        "allowed_models": key.allowed_models,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }


def _limit(tightest: budgets.Standing | None) -> dict[str, Any]:
    """The hard budget that has the least left, by OpenRouter's names."""
    if tightest is None:
        return {"limit": None, "limit_remaining": None, "limit_reset": None, "limit_scope": None}
    resets_at = tightest.resets_at
    return {
        "limit": float(tightest.limit),
        "limit_remaining": float(tightest.remaining),
        "limit_reset": _RESETS[tightest.budget.window],
        "limit_resets_at": resets_at.isoformat() if resets_at else None,
        "limit_scope": tightest.budget.scope,
    }


_RESETS = {"day": "daily", "week": "weekly", "month": "monthly", "total": None}


def _spent(caller: Caller, since: date | None) -> Decimal:
    """USD that this key has cost since a day, all of it if no day is named."""
    days = SpendDay.objects.for_tenant(caller.tenant_id).filter(gateway_key_id=caller.key_id)
    waiting = SpendDelta.objects.for_tenant(caller.tenant_id).filter(gateway_key_id=caller.key_id)
    if since:
        start = datetime(since.year, since.month, since.day, tzinfo=UTC)
        days, waiting = days.filter(day__gte=since), waiting.filter(hour__gte=start)
    sums = (rows.aggregate(total=Sum("cost"))["total"] for rows in (days, waiting))
    return sum((amount for amount in sums if amount), start=money.ZERO)
