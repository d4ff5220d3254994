"""`/api/v1/calls` and `/api/v1/reports/spend`: read-only."""

import csv
import io
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids, whole_numbers
from accounts.errors import InvalidRequest, NotFound
from accounts.models import GatewayKey, Project, Tenant
from accounts.models.gateway_key import Mode
from accounts.whole_numbers import NotAWholeNumber
from billing import call_search, money, periods, records, reports
from billing.call_search import CallFilter
from billing.reports import SpendRow, Totals
from routing.api.manage.view import ManageView, now, scoped

TAGS = ["calls and reports"]
NO_ID = UUID(int=0)
MOST = 10**9  # a page holds fewer in any case
FILTERS = ("from", "to", "provider", "model", "status", "project", "key", "tag", "policy", "mode",
           "cursor", "limit")  # fmt: skip
REPORT_FIELDS = ("group_by", "from", "to", "mode", "format")
AMOUNTS = ("calls", "attempts", "failed", "input_tokens", "output_tokens")
MONEY = ("cost_usd", "saved_usd", "unpriced_calls", "estimated_usd", "succeeded",
         "cost_per_success_usd")  # fmt: skip
# What spreadsheets compute, wide letters and line feeds included (OWASP, "CSV Injection").
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def parameters(names: tuple[str, ...]) -> list[OpenApiParameter]:
    return [OpenApiParameter(name, str, required=False) for name in names]


class Calls(ManageView):
    @extend_schema(
        operation_id="list_calls",
        parameters=parameters(FILTERS),
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Calls newest first; `next` is the cursor of the page after.

        A page looks at a limited number of calls: with filters that fit few of them it may hold
        less than `limit`, or none. There are no more when `next` is null.
        """
        tenant = self.manager.tenant.pk
        query = known(request, FILTERS)
        limit = limit_of(query, default=50, least=0)
        try:
            page = call_search.list_calls(
                tenant,
                wanted(self.manager.tenant, query),
                cursor=query.get("cursor", ""),
                limit=limit,
            )
        except ids.InvalidId:
            raise InvalidRequest("cursor is not one of ours.", param="cursor") from None
        return Response({"results": records.many_as_json(tenant, page.calls), "next": page.next})


class CallDetail(ManageView):
    @extend_schema(responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request, call: str) -> Response:
        """One call with its attempts."""
        try:
            found = records.find_call(self.manager.tenant.pk, ids.read("call", call))
        except ids.InvalidId:
            found = None
        if found is None:
            raise NotFound(kind="call")
        return Response(records.as_json(*found))


class SpendReport(ManageView):
    @extend_schema(parameters=parameters(REPORT_FIELDS), responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response | HttpResponse:
        """Spend by any of day, provider, model, project, key, policy, purpose; or by tag."""
        query = known(request, REPORT_FIELDS)
        group_by = [name for name in query.get("group_by", "").split(",") if name]
        period = period_of(query)
        try:
            rows = reports.spend(
                self.manager.tenant.pk, period, mode=mode_of(query), group_by=group_by
            )
        except reports.UnknownGroup as problem:
            raise InvalidRequest(f"group_by: {problem}.", param="group_by") from None
        if query.get("format", "json") == "csv":
            return as_csv(rows, group_by, f"spend-{period.first}-{period.last}.csv")
        results = [as_json(row) for row in rows]
        return Response({"results": results, "next": None, "time_zone": "UTC"})


def known(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """The query by name; a misspelt name is refused. Raises InvalidRequest."""
    query = {name: str(value) for name, value in request.query_params.items() if value}
    for name in query:
        if name not in names:
            raise InvalidRequest(f"There is no parameter {name}.", param=name)
    return query


def limit_of(query: dict[str, str], *, default: int, least: int = 1, most: int = MOST) -> int:
    """How many rows are asked for. Raises InvalidRequest."""
    try:
        return whole_numbers.read(query.get("limit", str(default)), least=least, most=most)
    except NotAWholeNumber:
        raise InvalidRequest(
            f"limit must be a whole number from {least} to {most}.", param="limit"
        ) from None


def mode_of(query: dict[str, str]) -> str:
    mode = query.get("mode", Mode.LIVE)
    if mode not in Mode.values:
        raise InvalidRequest("mode must be live or test.", param="mode")
    return mode


def period_of(query: dict[str, str]) -> periods.Period:
    try:
        return periods.read(query.get("from", ""), query.get("to", ""), now=now())
    except periods.BadPeriod as problem:
        raise InvalidRequest(f"from, to: {problem}.", param="from") from None


def wanted(tenant: Tenant, query: dict[str, str]) -> CallFilter:
    project, key = None, None
    if name := query.get("project"):
        row = Project.objects.for_tenant(tenant).filter(name=name).first()
        project = row.pk if row else NO_ID
    if text := query.get("key"):
        try:
            key = ids.read("key", text)
        except ids.InvalidId:
            key = NO_ID
        if not GatewayKey.objects.for_tenant(tenant).filter(pk=key).exists():
            key = NO_ID
    bounded = period_of(query) if query.get("from") or query.get("to") else None
    return CallFilter(
        mode=mode_of(query),
        start=bounded.start if bounded else None,
        end=bounded.end if bounded else None,
        provider=query.get("provider", ""),
        model=query.get("model", ""),
        status=query.get("status", ""),
        project=project,
        key=key,
        tag=query.get("tag", ""),
        policy=query.get("policy", ""),
    )


def as_json(row: SpendRow) -> dict[str, Any]:
    totals = row.totals
    return {
        **row.group,
        **{name: getattr(totals, name) for name in AMOUNTS},
        "cost_usd": money.plain(totals.cost),
        "saved_usd": money.plain(totals.saved),
        "unpriced_calls": totals.unpriced_calls,
        "estimated_usd": money.plain(totals.estimated),
        "succeeded": totals.succeeded,
        "cost_per_success_usd": _per_success(totals),
    }


def _per_success(totals: Totals) -> str | None:
    """What each call that succeeded cost, with all that went beside it; None where none did."""
    amount = totals.cost_per_success
    return None if amount is None else money.plain(amount.quantize(money.PICO))


def as_csv(rows: list[SpendRow], group_by: list[str], name: str) -> HttpResponse:
    """The same rows and sums as JSON; cells that a spreadsheet would compute are quoted."""
    text = io.StringIO()
    columns = [*group_by, *AMOUNTS, *MONEY]
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({column: safe(value) for column, value in as_json(row).items()})
    answer = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def safe(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
