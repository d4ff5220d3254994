"""`/api/v1/reports/…` beside spend: overheads and forecast, doubts, what-if, pricing again."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidRequest
from accounts.models.gateway_key import Mode
from accounts.roles import Right
from billing import cost_reports, money, reports
from billing.corrections import Span
from billing.pricing import Price
from billing.usage import BUCKETS
from routing import repricing
from routing.api.manage.calls import TAGS, known, mode_of, parameters, period_of
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, valid
from routing.providers import catalog_index

SPAN = ("from", "to", "mode")


class Summary(ManageView):
    @extend_schema(
        operation_id="retrieve_cost_summary",
        parameters=parameters(SPAN),
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """What a period cost, what went beside the answers, and where the month is heading."""
        query = known(request, SPAN)
        tenant, mode, period = self.manager.tenant.pk, mode_of(query), period_of(query)
        total = reports.total(tenant, period, mode=mode)
        beside = cost_reports.overhead(tenant, period, mode=mode)
        return Response(
            {
                "from": period.first,
                "to": period.last,
                "time_zone": "UTC",
                "calls": total.calls,
                "succeeded": total.succeeded,
                "cost_usd": money.plain(total.cost),
                "cost_per_success_usd": _rounded(total.cost_per_success),
                "saved_by_cache_usd": money.plain(total.saved),
                "estimated_usd": money.plain(total.estimated),
                "estimated_share": cost_reports.estimated_share(total),
                "unpriced_calls": total.unpriced_calls,
                "overhead": {
                    "race_usd": money.plain(beside.race),
                    "judge_usd": money.plain(beside.judge),
                    "shadow_usd": money.plain(beside.shadow),
                },
                "forecast": _forecast(cost_reports.forecast(tenant, mode=mode, now=now())),
            }
        )


class UnpricedModels(ManageView):
    @extend_schema(
        operation_id="list_unpriced_models",
        parameters=parameters(SPAN),
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Models that were called at an unknown price; set one at `catalog/models/…`."""
        query = known(request, SPAN)
        rows = cost_reports.unpriced(self.manager.tenant.pk, period_of(query), mode=mode_of(query))
        results = [
            {
                "provider": row.provider,
                "model": row.model,
                "attempts": row.attempts,
                "usage": dict(zip(BUCKETS, row.usage.counts(), strict=True)),
            }
            for row in rows
        ]
        return Response({"results": results, "next": None})


class ReportedCosts(ManageView):
    @extend_schema(
        operation_id="list_reported_costs",
        parameters=parameters(SPAN),
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Providers' own figures beside ours; `off` where they are more than 1 % apart."""
        query = known(request, SPAN)
        rows = cost_reports.reported(self.manager.tenant.pk, period_of(query), mode=mode_of(query))
        results = [
            {
                "provider": row.provider,
                "model": row.model,
                "attempts": row.attempts,
                "cost_usd": money.plain(row.ours),
                "reported_cost_usd": money.plain(row.theirs),
                "difference_usd": money.plain(row.difference),
                "off": row.is_off,
            }
            for row in rows
        ]
        return Response({"results": results, "next": None})


class WhatIf(ManageView):
    @extend_schema(
        operation_id="retrieve_what_if",
        parameters=parameters((*SPAN, "model")),
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """What the answered calls would have cost on `model=provider/model`: same tokens."""
        query = known(request, (*SPAN, "model"))
        tenant = self.manager.tenant.pk
        target, price = priced_target(tenant, query.get("model", ""))
        found = cost_reports.what_if(tenant, period_of(query), price, mode=mode_of(query))
        return Response(
            {
                "model": target,
                "price_source": price.source,
                "calls": found.calls,
                "unpriced_calls": found.unpriced,
                "actual_usd": money.plain(found.actual),
                "instead_usd": money.plain(found.instead),
                "change_usd": money.plain(found.change),
                "basis": "the stored token counts of succeeded calls, at the price in force today",
            }
        )


class RepriceFields(StrictSerializer):
    """The span to price again; without `apply` it only tells what would change."""

    mode = serializers.ChoiceField(Mode.choices, default=Mode.LIVE)
    provider = serializers.CharField(max_length=40, required=False)
    model = serializers.CharField(max_length=200, required=False)
    apply = serializers.BooleanField(default=False)

    def get_fields(self) -> dict[str, Any]:
        days = {name: serializers.CharField(required=True) for name in ("from", "to")}
        return {**days, **super().get_fields()}


class Reprice(ManageView):
    rights = {"POST": Right.MANAGE_ROUTING}

    @extend_schema(
        operation_id="reprice_calls",
        request=RepriceFields,
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def post(self, request: Request) -> Response:
        """Price past calls again under the prices in force now, as new rows."""
        fields = valid(RepriceFields, request)
        span = Span(
            period=period_of(fields),
            mode=fields["mode"],
            provider=fields.get("provider", ""),
            model=fields.get("model", ""),
        )
        outcome = repricing.reprice(
            self.manager.tenant,
            span,
            actor=self.manager.actor,
            now=now(),
            apply=fields["apply"],
        )
        return Response(
            {
                "applied": fields["apply"],
                "attempts": outcome.attempts,
                "newly_priced": outcome.newly_priced,
                "before_usd": money.plain(outcome.before),
                "after_usd": money.plain(outcome.after),
                "change_usd": money.plain(outcome.change),
                "complete": outcome.is_complete,
            }
        )


def priced_target(tenant: UUID, text: str) -> tuple[str, Price]:
    """A model, by its name or an alias, and its price today. Raises InvalidRequest."""
    provider, _, model = text.partition("/")
    if provider not in catalog_index.current().providers or not model:
        raise InvalidRequest("model must be provider/model of the catalogue.", param="model")
    offer = catalog_index.current().find(provider, model)
    name = offer.model_id if offer else model
    price = repricing.price_on(tenant)(provider, name, now().date())
    if price is None:
        raise InvalidRequest(f"The price of {text} is not known.", param="model")
    return f"{provider}/{name}", price


def _forecast(found: cost_reports.Forecast) -> dict[str, Any]:
    basis = None
    if found.basis:
        basis = {
            "from": found.basis[0],
            "to": found.basis[1],
            "per_day_usd": money.plain(found.per_day),
            "method": "spent so far, and each day left at the mean of these days",
        }
    return {
        "month": f"{found.month:%Y-%m}",
        "spent_usd": money.plain(found.spent),
        "total_usd": _rounded(found.total),
        "days_left": found.days_left,
        "basis": basis,
    }


def _rounded(amount: Decimal | None) -> str | None:
    return None if amount is None else money.plain(amount.quantize(money.PICO))
