"""`/api/v1/provider-keys`."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids, provider_keys
from accounts.models import ProviderKey, Tenant
from accounts.roles import Right
from accounts.secret import Secret
from accounts.tenancy import tenant_scope
from routing import key_checks
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, shown_id, valid
from routing.providers import catalog_index
from routing.upstream import guard

PREFIX = "pkey"
TAGS = ["provider keys"]


class NewProviderKey(StrictSerializer):
    provider = serializers.CharField(max_length=40)
    secret = serializers.CharField(max_length=4096, write_only=True)
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=100, required=False, allow_blank=True
    )
    weight = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    base_url = serializers.CharField(
        max_length=512, required=False, help_text="Of a custom provider, and of no other."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Own endpoints name their address, and it is a public one; others have none."""
        provider, url = catalog_index.current().providers[attrs["provider"]], attrs.get("base_url")
        if not provider.has_own_url and url:
            raise serializers.ValidationError({"base_url": f"{provider.label} has one already."})
        if provider.has_own_url:
            try:
                attrs["base_url"] = guard.check_base_url((url or "").rstrip("/"))
            except guard.AddressRefused as refused:
                raise serializers.ValidationError({"base_url": str(refused)}) from None
        return attrs

    def validate_provider(self, value: str) -> str:
        known = catalog_index.current().providers
        if value not in known:
            raise serializers.ValidationError(
                f"There is no such provider; known: {', '.join(known)}."
            )
        return value


class ProviderKeyChange(StrictSerializer):
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=100, required=False, allow_blank=True
    )
    weight = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    enabled = serializers.BooleanField(required=False)


class NewSecret(StrictSerializer):
    secret = serializers.CharField(max_length=4096, write_only=True)


class ProviderKeyShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    provider = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    last4 = serializers.CharField()
    base_url = serializers.CharField()
    weight = serializers.IntegerField()
    enabled = serializers.BooleanField()
    status = serializers.ChoiceField(["unverified", "valid", "limited", "no_credit", "invalid"])
    status_reason = serializers.CharField()
    models_found = serializers.IntegerField(allow_null=True)
    checked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class ProviderKeyList(serializers.Serializer[Any]):
    results = ProviderKeyShown(many=True)
    next = serializers.CharField(allow_null=True)


def shown(key: ProviderKey) -> dict[str, Any]:
    return {
        "id": shown_id(PREFIX, key),
        "provider": key.provider,
        "label": key.label,
        "last4": key.last4,
        "base_url": key.base_url,
        "weight": key.weight,
        "enabled": key.enabled,
        "status": key.status,
        "status_reason": key.status_reason,
        "models_found": key.models_found,
        "checked_at": key.checked_at,
        "created_at": key.created_at,
    }


def find(tenant: Tenant, key: str) -> ProviderKey:
    try:
        wanted = ids.read(PREFIX, key)
    except ids.InvalidId:
        wanted = ids.new()  # as unknown as any other
    rows = ProviderKey.objects.for_tenant(tenant).select_related("tenant")
    return rows.named("provider key", pk=wanted)


def checked(key: ProviderKey, secret: Secret) -> ProviderKey:
    """Ask the provider about a key outside of any transaction, and keep what it says."""
    finding = key_checks.ask(key, secret)
    with tenant_scope(key.tenant_id):
        return key_checks.record(key, finding, now=now())


class ProviderKeys(ManageView):
    rights = {"GET": Right.MANAGE_KEYS, "POST": Right.MANAGE_KEYS}

    @extend_schema(operation_id="list_provider_keys", responses=ProviderKeyList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        """The tenant's provider keys; secrets are never shown."""
        keys = ProviderKey.objects.for_tenant(self.manager.tenant)
        listed = [shown(key) for key in keys.order_by("provider", "created_at", "id")]
        return Response({"results": listed, "next": None})

    @extend_schema(request=NewProviderKey, responses={201: ProviderKeyShown}, tags=TAGS)
    def post(self, request: Request) -> Response:
        """Paste a key. It is checked with its provider at once, where that can be reached."""
        fields = valid(NewProviderKey, request)
        secret = provider_keys.tidy(fields.pop("secret"))
        with tenant_scope(self.manager.tenant.pk):
            key = provider_keys.add(
                self.manager.tenant, secret=secret, actor=self.manager.actor, **fields
            )
        return Response(shown(checked(key, secret)), status=201)


class ProviderKeyDetail(ManageView):
    rights = {
        "GET": Right.MANAGE_KEYS,
        "PATCH": Right.MANAGE_KEYS,
        "DELETE": Right.MANAGE_KEYS,
    }

    @extend_schema(responses=ProviderKeyShown, tags=TAGS)
    @scoped
    def get(self, request: Request, key: str) -> Response:
        return Response(shown(find(self.manager.tenant, key)))

    @extend_schema(request=ProviderKeyChange, responses=ProviderKeyShown, tags=TAGS)
    @scoped
    def patch(self, request: Request, key: str) -> Response:
        row = find(self.manager.tenant, key)
        before = {"label": row.label, "weight": row.weight, "enabled": row.enabled}
        fields = {**before, **valid(ProviderKeyChange, request)}
        return Response(shown(provider_keys.change(row, actor=self.manager.actor, **fields)))

    @extend_schema(responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, key: str) -> Response:
        provider_keys.remove(find(self.manager.tenant, key), actor=self.manager.actor)
        return Response(status=204)


class VerifyProviderKey(ManageView):
    rights = {"POST": Right.MANAGE_KEYS}

    @extend_schema(request=None, responses=ProviderKeyShown, tags=TAGS)
    def post(self, request: Request, key: str) -> Response:
        """Ask the provider about this key now."""
        with tenant_scope(self.manager.tenant.pk):
            row = find(self.manager.tenant, key)
            secret = provider_keys.open_secret(row)
        return Response(shown(checked(row, secret)))


class RotateProviderKey(ManageView):
    rights = {"POST": Right.MANAGE_KEYS}

    @extend_schema(request=NewSecret, responses=ProviderKeyShown, tags=TAGS)
    def post(self, request: Request, key: str) -> Response:
        """Put another secret in this key's place."""
        secret = provider_keys.tidy(valid(NewSecret, request)["secret"])
        with tenant_scope(self.manager.tenant.pk):
            row = provider_keys.rotate(
                find(self.manager.tenant, key), secret=secret, actor=self.manager.actor
            )
        return Response(shown(checked(row, secret)))
