"""`/api/v1/reports/feedback`: how each model fared with those who were answered by it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidRequest
from accounts.roles import Right
from routing import feedback
from routing.api.manage.view import ManageView, scoped

MODES = ("live", "test")


class OfModelShown(serializers.Serializer[Any]):
    provider = serializers.CharField()
    model = serializers.CharField()
    scores = serializers.IntegerField()
    mean_score = serializers.FloatField()


class FeedbackList(serializers.Serializer[Any]):
    results = OfModelShown(many=True)
    next = serializers.CharField(allow_null=True)


class FeedbackByModel(ManageView):
    rights = {"GET": Right.VIEW}

    @extend_schema(
        operation_id="list_feedback_by_model",
        parameters=[OpenApiParameter("mode", str, enum=MODES)],
        responses=FeedbackList,
        tags=["feedback"],
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Scores per model, the most often scored first."""
        mode = request.query_params.get("mode", "live")
        if mode not in MODES:
            raise InvalidRequest("mode must be live or test.", param="mode")
        rows = feedback.by_model(self.manager.tenant.pk, mode=mode)
        shown = [
            {"provider": row.provider, "model": row.model, "scores": row.scores,
             "mean_score": round(row.mean, 4)}
            for row in rows
        ]  # fmt: skip
        return Response({"results": shown, "next": None})
