"""`/api/v1/reports/feedback` and `/labels`: how models fared, and what `auto` learned of it."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidRequest
from accounts.roles import Right
from routing import feedback, labels
from routing.api.manage.view import ManageView, now, scoped

MODES = ("live", "test")


class OfModelShown(serializers.Serializer[Any]):
    provider = serializers.CharField()
    model = serializers.CharField()
    scores = serializers.IntegerField()
    mean_score = serializers.FloatField()


class FeedbackList(serializers.Serializer[Any]):
    results = OfModelShown(many=True)
    next = serializers.CharField(allow_null=True)


class OfTaskModel(serializers.Serializer[Any]):
    model = serializers.CharField()
    quality = serializers.FloatField(help_text="From 0 to 1, pulled towards the model's prior.")
    against = serializers.CharField(
        allow_null=True, help_text="The best of the models compared; its own name for that one."
    )
    judged = serializers.FloatField(
        allow_null=True, help_text="Pairs against it, older ones counting less."
    )
    win_or_tie = serializers.FloatField(allow_null=True, help_text="What good_enough looks at.")


class OfTaskShown(serializers.Serializer[Any]):
    pairs = serializers.IntegerField()
    scores = serializers.IntegerField()
    models = OfTaskModel(many=True)

    def get_fields(self) -> dict[str, Any]:
        """`class` is no name that Python allows."""
        return {"class": serializers.CharField(allow_null=True), **super().get_fields()}


class LabelList(serializers.Serializer[Any]):
    results = OfTaskShown(many=True)
    next = serializers.CharField(allow_null=True)


class Labels(ManageView):
    rights = {"GET": Right.VIEW}

    @extend_schema(
        operation_id="list_labels",
        parameters=[OpenApiParameter("mode", str, enum=MODES)],
        responses=LabelList,
        tags=["feedback"],
    )
    @scoped
    def get(self, request: Request) -> Response:
        """What judged pairs and scores have taught `auto`, by kind of work."""
        found = labels.told(self.manager.tenant.pk, _mode(request), now())
        return Response({"results": labels.as_json(found), "next": None})


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
        rows = feedback.by_model(self.manager.tenant.pk, mode=_mode(request))
        shown = [
            {"provider": row.provider, "model": row.model, "scores": row.scores,
             "mean_score": round(row.mean, 4)}
            for row in rows
        ]  # fmt: skip
        return Response({"results": shown, "next": None})


def _mode(request: Request) -> str:
    mode = request.query_params.get("mode", "live")
    if mode not in MODES:
        raise InvalidRequest("mode must be live or test.", param="mode")
    return str(mode)
