"""`/api/v1/policies`: saved whole, every change a new version; replayed before they are saved."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import Right
from routing import policies, policy_terms, replay
from routing.api.manage.view import FieldErrors, ManageView, StrictSerializer, now, scoped, valid
from routing.dry_run import Desk
from routing.models import Policy, PolicyVersion
from routing.policy_terms import PolicyInForce
from routing.replay import MOST_DAYS

TAGS = ["policies"]


class RollBack(StrictSerializer):
    version = serializers.IntegerField(min_value=1)


class Replay(StrictSerializer):
    days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS, default=7)
    draft = serializers.JSONField(required=False, help_text="Without one: the policy as it is.")
    mode = serializers.ChoiceField(["live", "test"], default="live")


class Warned(serializers.Serializer[Any]):
    field = serializers.CharField()
    message = serializers.CharField()


class Document(serializers.Serializer[Any]):
    """The fields of a policy. Only `strategy` is required."""

    strategy = serializers.ChoiceField(policy_terms.STRATEGIES)
    targets = serializers.ListField(required=False)
    fallbacks = serializers.ListField(child=serializers.CharField(), required=False)
    race = serializers.DictField(required=False)
    hedge = serializers.DictField(required=False)
    hedge_budget = serializers.FloatField(required=False)
    retries = serializers.IntegerField(required=False)
    timeouts = serializers.DictField(required=False)
    cache = serializers.DictField(required=False)
    quality = serializers.FloatField(required=False)
    good_enough = serializers.FloatField(required=False)
    max_price = serializers.DictField(required=False)
    require = serializers.ListField(child=serializers.CharField(), required=False)
    sticky = serializers.ChoiceField(["session"], required=False)
    lock = serializers.BooleanField(required=False)


class PolicyShown(Document):
    name = serializers.CharField()
    version = serializers.IntegerField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    warnings = Warned(many=True)


class PolicyList(serializers.Serializer[Any]):
    results = PolicyShown(many=True)
    next = serializers.CharField(allow_null=True)


class Policies(ManageView):
    rights = {"GET": Right.VIEW}

    @extend_schema(operation_id="list_policies", responses=PolicyList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        desk = _desk(self)
        rows = policies.in_force(self.manager.tenant)
        return Response({"results": [_shown(row, desk) for row in rows], "next": None})


class PolicyDetail(ManageView):
    rights = {
        "GET": Right.VIEW, "PUT": Right.MANAGE_ROUTING, "DELETE": Right.MANAGE_ROUTING,
    }  # fmt: skip

    @extend_schema(responses=PolicyShown, tags=TAGS)
    @scoped
    def get(self, request: Request, name: str) -> Response:
        """The version in force."""
        return Response(_shown(policies.version(_find(self, name)), _desk(self)))

    @extend_schema(request=Document, responses={200: PolicyShown, 201: PolicyShown}, tags=TAGS)
    @scoped
    def put(self, request: Request, name: str) -> Response:
        """Save the policy as its next version; the same document again changes nothing."""
        tenant, actor = self.manager.tenant, self.manager.actor
        saved = policies.save(tenant, name, request.data, actor=actor)
        return Response(_shown(saved.version, _desk(self)), status=201 if saved.is_new else 200)

    @extend_schema(responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, name: str) -> Response:
        """Refused while a gateway key has the policy."""
        policies.delete(self.manager.tenant, name, actor=self.manager.actor, now=now())
        return Response(status=204)


class PolicyVersions(ManageView):
    rights = {"GET": Right.VIEW}

    @extend_schema(operation_id="list_policy_versions", responses=PolicyList, tags=TAGS)
    @scoped
    def get(self, request: Request, name: str) -> Response:
        """Every version, the newest first."""
        desk = _desk(self)
        rows = policies.versions(_find(self, name))
        return Response({"results": [_shown(row, desk) for row in rows], "next": None})


class RollBackPolicy(ManageView):
    rights = {"POST": Right.MANAGE_ROUTING}

    @extend_schema(request=RollBack, responses=PolicyShown, tags=TAGS)
    @scoped
    def post(self, request: Request, name: str) -> Response:
        """Save an earlier version again, as the newest."""
        number = valid(RollBack, request)["version"]
        tenant, actor = self.manager.tenant, self.manager.actor
        return Response(
            _shown(policies.roll_back(tenant, name, number, actor=actor).version, _desk(self))
        )


class ReplayPolicy(ManageView):
    rights = {"POST": Right.CALL}

    @extend_schema(request=Replay, responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def post(self, request: Request, name: str) -> Response:
        """What the last days would have cost under a draft: an estimate, with its basis."""
        wishes = valid(Replay, request)
        number, document = 0, wishes.get("draft")
        if document is None:
            current = policies.version(_find(self, name))
            number, document = current.number, current.document
        try:
            terms = policy_terms.read(document)
        except policy_terms.WrongFields as wrong:
            problems = {f"draft.{field}": texts for field, texts in wrong.by_field.items()}
            raise FieldErrors(problems) from None
        desk = Desk(self.manager.tenant.pk, mode=wishes["mode"], now=now())
        draft = PolicyInForce(name, number, terms)
        return Response(replay.of_policy(desk, name, draft, days=wishes["days"]))


def _find(view: ManageView, name: str) -> Policy:
    return policies.find(view.manager.tenant, name)


def _desk(view: ManageView) -> Desk:
    return Desk(view.manager.tenant.pk, mode="live", now=now())


def _shown(row: PolicyVersion, desk: Desk) -> dict[str, Any]:
    return {
        **row.document,
        "name": row.policy.name,
        "version": row.number,
        "note": row.note,
        "created_at": row.created_at,
        "created_by": row.created_by,
        "warnings": desk.warnings(policy_terms.read(row.document)),
    }
