"""`/api/v1/training-data`: collected calls, looked at, taken along and deleted."""

import math
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids, tenant_settings
from accounts.errors import InvalidRequest, NotFound
from accounts.models import GatewayKey, Project, Tenant
from accounts.roles import Right
from accounts.tenant_settings import Settings
from routing.api.manage.calls import known, mode_of, parameters, period_of
from routing.api.manage.view import ManageView, now, scoped
from routing.models import CollectedCall
from routing.training_data import exporting, filters, rows
from routing.training_data.rows import Wanted

TAGS = ["training data"]
NO_ID = UUID(int=0)
FILTERS = ("from", "to", "mode", "project", "key", "model", "policy", "finish_reason", "min_score")
PAGING = ("cursor", "limit")
MOST = 100  # of a page


class Message(serializers.Serializer[Any]):
    """As OpenAI's chat takes it."""

    role = serializers.CharField()
    content = serializers.JSONField(required=False)
    tool_calls = serializers.JSONField(required=False)
    tool_call_id = serializers.CharField(required=False)


class CollectedShown(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="Of the call.")
    created_at = serializers.CharField()
    expires_at = serializers.CharField()
    mode = serializers.CharField()
    endpoint = serializers.CharField()
    requested_model = serializers.CharField()
    provider = serializers.CharField()
    model = serializers.CharField()
    policy = serializers.CharField(allow_null=True)
    project = serializers.CharField(allow_null=True)
    gateway_key = serializers.CharField(allow_null=True)
    finish_reason = serializers.CharField()
    stream = serializers.BooleanField()
    score = serializers.FloatField(allow_null=True)
    bytes = serializers.IntegerField()
    messages = Message(many=True)
    tools = serializers.ListField(child=serializers.JSONField(), required=False)
    parallel_tool_calls = serializers.BooleanField(required=False)


class CollectedPage(serializers.Serializer[Any]):
    results = CollectedShown(many=True)
    next = serializers.CharField(allow_null=True)


class Erased(serializers.Serializer[Any]):
    collected_calls = serializers.IntegerField()


class TrainingData(ManageView):
    rights = {"GET": Right.MANAGE_TENANT, "DELETE": Right.MANAGE_TENANT}

    @extend_schema(
        operation_id="list_training_data",
        parameters=parameters((*FILTERS, *PAGING)),
        responses=CollectedPage,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Collected calls, newest first; `next` is the cursor of the page after."""
        tenant, query = self.manager.tenant, known(request, (*FILTERS, *PAGING))
        its = tenant_settings.read(tenant.pk)
        found = rows.of(tenant.pk, wanted(tenant, query), since=rows.kept_since(its, now()))
        cursor = query.get("cursor")
        some, more = rows.page(found, before=_call(cursor) if cursor else None, limit=_limit(query))
        return Response(
            {
                "results": shown(tenant, some, its),
                "next": ids.show("call", some[-1].pk) if more else None,
            }
        )

    @extend_schema(operation_id="delete_training_data", request=None, responses=Erased, tags=TAGS)
    @scoped
    def delete(self, request: Request) -> Response:
        """Delete all of it, live and test, whatever was collected and is on its way."""
        known(request, ())
        gone = rows.erase(self.manager.tenant, actor=self.manager.actor, now=now())
        return Response({"collected_calls": gone})


class CollectedCallDetail(ManageView):
    rights = {"GET": Right.MANAGE_TENANT, "DELETE": Right.MANAGE_TENANT}

    @extend_schema(operation_id="read_collected_call", responses=CollectedShown, tags=TAGS)
    @scoped
    def get(self, request: Request, call: str) -> Response:
        known(request, ())
        its = tenant_settings.read(self.manager.tenant.pk)
        found = shown(self.manager.tenant, [self._find(call, its)], its)
        if not found:
            raise NotFound(kind="collected call")
        return Response(found[0])

    @extend_schema(operation_id="delete_collected_call", responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, call: str) -> Response:
        """Delete one. The call itself and its cost stay on the books."""
        tenant = self.manager.tenant.pk
        rows.erase_one(self._find(call, tenant_settings.read(tenant)))
        return Response(status=204)

    def _find(self, call: str, its: Settings) -> CollectedCall:
        tenant = self.manager.tenant.pk
        return rows.find(tenant, _call(call), since=rows.kept_since(its, now()))


class TrainingDataExport(ManageView):
    rights = {"GET": Right.MANAGE_TENANT}

    @extend_schema(
        operation_id="export_training_data",
        parameters=parameters(FILTERS),
        responses={(200, "application/jsonl"): OpenApiResponse(OpenApiTypes.STR)},
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> HttpResponseBase:
        """A line of JSON per call, oldest first, in OpenAI's form for fine-tuning chat models.

        `x-flo2-lines` says how many are to come.
        """
        tenant = self.manager.tenant
        return exporting.answer(tenant, wanted(tenant, known(request, FILTERS)), now())


def wanted(tenant: Tenant, query: dict[str, str]) -> Wanted:
    """Raises InvalidRequest."""
    project, lineage = None, None
    if name := query.get("project"):
        row = Project.objects.for_tenant(tenant).filter(name=name).first()
        project = row.pk if row else NO_ID
    if key := query.get("key"):
        try:
            lineage = filters.lineage_of(tenant, key)
        except InvalidRequest:
            lineage = NO_ID
    bounded = period_of(query) if query.get("from") or query.get("to") else None
    return Wanted(
        mode=mode_of(query),
        project=project,
        lineage=lineage,
        model=query.get("model", ""),
        policy=query.get("policy", ""),
        finish_reason=query.get("finish_reason", ""),
        min_score=_score(query.get("min_score")),
        start=bounded.start if bounded else None,
        end=bounded.end if bounded else None,
    )


def shown(tenant: Tenant, some: list[CollectedCall], its: Settings) -> list[dict[str, Any]]:
    """The rows with their words; what does not open any more is left out."""
    names = dict(
        Project.objects.for_tenant(tenant)
        .filter(pk__in=[row.project_id for row in some if row.project_id])
        .values_list("pk", "name")
    )
    keys = set(
        GatewayKey.objects.for_tenant(tenant)
        .filter(pk__in=[row.gateway_key_id for row in some if row.gateway_key_id])
        .values_list("pk", flat=True)
    )
    scores = rows.scores_of(tenant.pk, some)
    kept = timedelta(days=its.retention_days)
    return [
        {
            "id": ids.show("call", row.pk),
            "created_at": row.created_at.isoformat(),
            "expires_at": (row.created_at + kept).isoformat(),
            "mode": row.mode,
            "endpoint": row.endpoint,
            "requested_model": row.requested_model,
            "provider": row.provider,
            "model": row.model,
            "policy": row.policy or None,
            "project": names.get(row.project_id) if row.project_id else None,
            "gateway_key": _key(row) if row.gateway_key_id in keys else None,
            "finish_reason": row.finish_reason,
            "stream": row.stream,
            "score": scores.get(row.pk),
            "bytes": row.size,
            **msgspec.json.decode(line),
        }
        for row, line in rows.opened(tenant, some)
    ]


def _key(row: CollectedCall) -> str | None:
    return ids.show("key", row.gateway_key_id) if row.gateway_key_id else None


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", "20")
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise InvalidRequest("limit must be a whole number.", param="limit")
    return min(max(1, int(text)), MOST)


def _score(text: str | None) -> float | None:
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not -1 <= found <= 1:
        raise InvalidRequest("min_score must be a number from -1 to 1.", param="min_score")
    return found


def _call(text: str) -> UUID:
    try:
        return ids.read("call", text)
    except ids.InvalidId:
        raise NotFound(kind="collected call") from None
