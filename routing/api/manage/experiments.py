"""`/api/v1/experiments`: drawn up, forecast, started, stopped, promoted; and what they showed."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Right
from billing import money
from routing import experiment_report, experiments, lab
from routing.api.manage.budgets import Usd
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, valid
from routing.lab import ArmWish, Wish
from routing.models import Arm, Experiment

TAGS = ["experiments"]
UNTOLD = {"warnings": None, "forecast": None}  # in lists: each takes a look at the catalogue


class ArmFields(StrictSerializer):
    name = serializers.CharField(max_length=16)
    model = serializers.CharField(max_length=200, required=False, default="")
    policy = serializers.CharField(max_length=64, required=False, default="")
    weight = serializers.FloatField(required=False, default=1.0)


class JudgeFields(StrictSerializer):
    model = serializers.CharField(max_length=200)
    instructions = serializers.CharField(max_length=2000, required=False, default="")


class NewExperiment(StrictSerializer):
    name = serializers.CharField(max_length=64)
    mode = serializers.ChoiceField(["live", "test"], default="live")
    policy = serializers.CharField(
        max_length=64, required=False, default="", help_text="Whose calls; empty: of no policy."
    )
    arms = ArmFields(many=True)
    assignment = serializers.ChoiceField(["session", "call"], default="session")
    shadow_rate = serializers.FloatField(default=0.0, min_value=0, max_value=1)
    judge = JudgeFields(required=False, allow_null=True)
    target_pairs = serializers.IntegerField(default=200, min_value=1)
    max_judge_spend_usd = Usd(required=False)
    keep_examples = serializers.BooleanField(default=False)


class Promote(StrictSerializer):
    arm = serializers.CharField(max_length=16)


class ExperimentShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    mode = serializers.ChoiceField(["live", "test"])
    status = serializers.ChoiceField(Experiment.Status.choices)
    policy = serializers.CharField(allow_null=True)
    arms = serializers.ListField(child=serializers.DictField())
    assignment = serializers.ChoiceField(["session", "call"])
    shadow_rate = serializers.FloatField()
    judge = serializers.DictField(allow_null=True)
    target_pairs = serializers.IntegerField()
    max_judge_spend_usd = serializers.CharField()
    keep_examples = serializers.BooleanField()
    judging_ended = serializers.CharField(allow_null=True)
    promoted = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    stopped_at = serializers.DateTimeField(allow_null=True)
    warnings = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="null in lists."
    )
    forecast = serializers.DictField(
        allow_null=True,
        help_text="Of a draft, read by itself; null in lists and once it was started.",
    )


class ExperimentList(serializers.Serializer[Any]):
    results = ExperimentShown(many=True)
    next = serializers.CharField(allow_null=True)


class Experiments(ManageView):
    rights = {"GET": Right.VIEW, "POST": Right.MANAGE_ROUTING}

    @extend_schema(operation_id="list_experiments", responses=ExperimentList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        """The newest first."""
        rows, arms = lab.listed(self.manager.tenant), lab.arms_by_experiment(self.manager.tenant)
        results = [{**_terms(row, arms.get(row.pk, [])), **UNTOLD} for row in rows]
        return Response({"results": results, "next": None})

    @extend_schema(request=NewExperiment, responses={201: ExperimentShown}, tags=TAGS)
    @scoped
    def post(self, request: Request) -> Response:
        """Draw one up; it changes nothing before it is started."""
        wish = _wish(valid(NewExperiment, request))
        row = lab.draw_up(self.manager.tenant, wish, actor=self.manager.actor, now=now())
        return Response(_shown(row), status=201)


class ExperimentDetail(ManageView):
    rights = {"GET": Right.VIEW, "DELETE": Right.MANAGE_ROUTING}

    @extend_schema(responses=ExperimentShown, tags=TAGS)
    @scoped
    def get(self, request: Request, experiment: str) -> Response:
        """Its terms, and what judging it would cost."""
        return Response(_shown(_find(self, experiment)))

    @extend_schema(responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, experiment: str) -> Response:
        """With all that was judged. Refused while it runs."""
        lab.delete(_find(self, experiment), actor=self.manager.actor)
        return Response(status=204)


class StartExperiment(ManageView):
    rights = {"POST": Right.MANAGE_ROUTING}

    @extend_schema(request=None, responses=ExperimentShown, tags=TAGS)
    @scoped
    def post(self, request: Request, experiment: str) -> Response:
        """From now on its arms share the calls; its terms are fixed."""
        row = _find(self, experiment)
        lab.start(row, actor=self.manager.actor, now=now())
        return Response(_shown(row))


class StopExperiment(ManageView):
    rights = {"POST": Right.MANAGE_ROUTING}

    @extend_schema(request=None, responses=ExperimentShown, tags=TAGS)
    @scoped
    def post(self, request: Request, experiment: str) -> Response:
        """Calls go on without it; what was sampled is erased, what was judged stays."""
        row = _find(self, experiment)
        lab.stop(row, actor=self.manager.actor, now=now())
        return Response(_shown(row))


class PromoteArm(ManageView):
    rights = {"POST": Right.MANAGE_ROUTING}

    @extend_schema(request=Promote, responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def post(self, request: Request, experiment: str) -> Response:
        """What the arm does becomes the policy's next version; a running experiment stops."""
        row = _find(self, experiment)
        arm = valid(Promote, request)["arm"]
        saved = lab.promote(row, arm, actor=self.manager.actor, now=now())
        promoted = {"policy": saved.policy.name, "version": saved.version.number}
        return Response({**_shown(row), "promoted_to": promoted})


class ExperimentReport(ManageView):
    rights = {"GET": Right.VIEW}

    @extend_schema(responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request, experiment: str) -> Response:
        """Per arm what it cost and how fast it was; per challenger who is better."""
        return Response(experiment_report.as_json(experiment_report.of(_find(self, experiment))))


def _find(view: ManageView, shown: str) -> Experiment:
    return lab.find(view.manager.tenant, shown)


def _wish(fields: dict[str, Any]) -> Wish:
    judge = fields.get("judge") or {}
    return Wish(
        name=fields["name"],
        mode=fields["mode"],
        policy=fields["policy"],
        arms=tuple(ArmWish(**arm) for arm in fields["arms"]),
        assignment=fields["assignment"],
        shadow_rate=fields["shadow_rate"],
        judge_model=judge.get("model", ""),
        judge_instructions=judge.get("instructions", ""),
        target_pairs=fields["target_pairs"],
        max_judge_spend=fields.get("max_judge_spend_usd") or Decimal(0),
        keeps_examples=fields["keep_examples"],
    )


def _shown(row: Experiment) -> dict[str, Any]:
    """An experiment by itself, with what may mislead and, of a draft, what it will cost."""
    wish, at = lab.wish_of(row), now()
    shown = _terms(row, experiments.arms_of(row))
    shown |= {"warnings": lab.warnings(row.tenant, wish, now=at), "forecast": None}
    if row.status == Experiment.Status.DRAFT:
        shown["forecast"] = {
            name: None if value is None else f"{value:.6f}" if name.endswith("cost") else value
            for name, value in asdict(lab.foresee(row.tenant, wish, now=at)).items()
        }
    return shown


def _terms(row: Experiment, arms: list[Arm]) -> dict[str, Any]:
    judge = {"model": row.judge_model, "instructions": row.judge_instructions or None}
    return {
        "id": row.shown_id,
        "name": row.name,
        "mode": row.mode,
        "status": row.status,
        "policy": row.policy or None,
        "arms": [
            {
                "name": arm.name,
                "model": arm.model or None,
                "policy": arm.policy or None,
                "weight": arm.weight,
                "halted": arm.halted or None,
                "verdict": arm.verdict or None,
            }
            for arm in arms
        ],
        "assignment": row.assignment,
        "shadow_rate": row.shadow_rate,
        "judge": judge if row.judge_model else None,
        "target_pairs": row.target_pairs,
        "max_judge_spend_usd": money.plain(row.max_judge_spend or Decimal(0)),
        "keep_examples": row.keeps_examples,
        "judging_ended": row.judging_ended or None,
        "promoted": row.promoted or None,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "started_at": row.started_at,
        "stopped_at": row.stopped_at,
    }
