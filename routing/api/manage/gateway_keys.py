"""`/api/v1/gateway-keys`."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import gateway_keys, ids
from accounts.gateway_keys import Issued, KeyTerms
from accounts.models import GatewayKey, Tenant
from accounts.roles import Right
from routing import policies
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, shown_id, valid

PREFIX = "key"
TAGS = ["gateway keys"]
LONGEST_OVERLAP_SECONDS = 30 * 24 * 3600


class GatewayKeyChange(StrictSerializer):
    name = serializers.CharField(max_length=100, required=False)
    project = serializers.CharField(max_length=64, required=False, allow_null=True)
    allowed_models = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, allow_null=True
    )
    allowed_cidrs = serializers.ListField(
        child=serializers.CharField(max_length=50), required=False, allow_null=True
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    policy = serializers.CharField(max_length=64, required=False, allow_null=True)
    requests_per_minute = serializers.IntegerField(required=False, allow_null=True)
    tokens_per_minute = serializers.IntegerField(required=False, allow_null=True)
    max_parallel = serializers.IntegerField(required=False, allow_null=True)


class NewGatewayKey(GatewayKeyChange):
    name = serializers.CharField(max_length=100)
    mode = serializers.ChoiceField(["live", "test"])


class Roll(StrictSerializer):
    overlap_s = serializers.IntegerField(
        min_value=0, max_value=LONGEST_OVERLAP_SECONDS, required=False, default=0
    )


class GatewayKeyShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    mode = serializers.ChoiceField(["live", "test"])
    last4 = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    policy = serializers.CharField(allow_null=True)
    allowed_models = serializers.ListField(child=serializers.CharField(), allow_null=True)
    allowed_cidrs = serializers.ListField(child=serializers.CharField(), allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    requests_per_minute = serializers.IntegerField(allow_null=True)
    tokens_per_minute = serializers.IntegerField(allow_null=True)
    max_parallel = serializers.IntegerField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class GatewayKeyIssued(GatewayKeyShown):
    key = serializers.CharField(help_text="The key itself, shown this once.")


class GatewayKeyList(serializers.Serializer[Any]):
    results = GatewayKeyShown(many=True)
    next = serializers.CharField(allow_null=True)


def shown(key: GatewayKey) -> dict[str, Any]:
    return {
        "id": shown_id(PREFIX, key),
        "name": key.name,
        "mode": key.mode,
        "last4": key.last4,
        "project": key.project.name if key.project else None,
        "policy": key.policy or None,
        "allowed_models": key.allowed_models,
        "allowed_cidrs": key.allowed_cidrs,
        "expires_at": key.expires_at,
        "requests_per_minute": key.requests_per_minute,
        "tokens_per_minute": key.tokens_per_minute,
        "max_parallel": key.max_parallel,
        "revoked_at": key.revoked_at,
        "created_at": key.created_at,
    }


def find(tenant: Tenant, key: str) -> GatewayKey:
    try:
        wanted = ids.read(PREFIX, key)
    except ids.InvalidId:
        wanted = ids.new()
    rows = GatewayKey.objects.for_tenant(tenant).select_related("tenant", "project")
    return rows.named("gateway key", pk=wanted)


def issued(new: Issued, *, status: int = 201) -> Response:
    """The record with the key: the only answer that ever holds it."""
    body = {**shown(new.record), "key": new.text.reveal()}
    return Response(body, status=status, headers={"Cache-Control": "no-store"})


class GatewayKeys(ManageView):
    rights = {"GET": Right.MANAGE_KEYS, "POST": Right.MANAGE_KEYS}

    @extend_schema(operation_id="list_gateway_keys", responses=GatewayKeyList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        keys = GatewayKey.objects.for_tenant(self.manager.tenant).select_related("project")
        listed = [shown(key) for key in keys.order_by("-created_at", "id")]
        return Response({"results": listed, "next": None})

    @extend_schema(request=NewGatewayKey, responses={201: GatewayKeyIssued}, tags=TAGS)
    @scoped
    def post(self, request: Request) -> Response:
        """Create a key; its text is in this answer and nowhere else."""
        terms = KeyTerms(**valid(NewGatewayKey, request))
        policies.check_name(self.manager.tenant, terms.policy)
        return issued(gateway_keys.issue(self.manager.tenant, terms, actor=self.manager.actor))


class GatewayKeyDetail(ManageView):
    rights = {"GET": Right.MANAGE_KEYS, "PATCH": Right.MANAGE_KEYS}

    @extend_schema(responses=GatewayKeyShown, tags=TAGS)
    @scoped
    def get(self, request: Request, key: str) -> Response:
        return Response(shown(find(self.manager.tenant, key)))

    @extend_schema(request=GatewayKeyChange, responses=GatewayKeyShown, tags=TAGS)
    @scoped
    def patch(self, request: Request, key: str) -> Response:
        row = gateway_keys.locked(find(self.manager.tenant, key))
        changed_fields = valid(GatewayKeyChange, request)
        policies.check_name(self.manager.tenant, changed_fields.get("policy"))
        fields = {**vars(gateway_keys.terms_of(row)), **changed_fields}
        changed = gateway_keys.revise(row, KeyTerms(**fields), actor=self.manager.actor)
        return Response(shown(changed))


class RevokeGatewayKey(ManageView):
    rights = {"POST": Right.MANAGE_KEYS}

    @extend_schema(request=None, responses=GatewayKeyShown, tags=TAGS)
    @scoped
    def post(self, request: Request, key: str) -> Response:
        """End the key: within a second everywhere."""
        row = gateway_keys.revoke(
            find(self.manager.tenant, key), actor=self.manager.actor, now=now()
        )
        return Response(shown(row))


class RollGatewayKey(ManageView):
    rights = {"POST": Right.MANAGE_KEYS}

    @extend_schema(request=Roll, responses={201: GatewayKeyIssued}, tags=TAGS)
    @scoped
    def post(self, request: Request, key: str) -> Response:
        """A new key on the same terms; the old one works on for `overlap_s` seconds."""
        overlap = timedelta(seconds=valid(Roll, request)["overlap_s"])
        new = gateway_keys.roll(
            find(self.manager.tenant, key), overlap=overlap, actor=self.manager.actor, now=now()
        )
        return issued(new)
