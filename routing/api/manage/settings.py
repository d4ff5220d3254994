"""`/api/v1/settings` and `/api/v1/cache`: what is switched on, and what is kept because of it."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids, tenant_settings, time_zones
from accounts.errors import NotFound
from accounts.models import GatewayKey, Tenant
from accounts.roles import Right
from routing import content
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, valid
from routing.cache import choice
from routing.training_data import filters, terms

SETTINGS, CACHE = ["settings"], ["cache"]


class CollectWish(StrictSerializer):
    """Which calls become training data. What is left out, or empty, restricts nothing."""

    projects = serializers.ListField(child=serializers.CharField(), required=False)
    gateway_keys = serializers.ListField(child=serializers.CharField(), required=False)
    models = serializers.ListField(child=serializers.CharField(), required=False)
    policies = serializers.ListField(child=serializers.CharField(), required=False)
    finish_reasons = serializers.ListField(
        child=serializers.ChoiceField(filters.FINISHES), required=False
    )
    share = serializers.FloatField(required=False)


class SettingsWish(StrictSerializer):
    cache_enabled = serializers.BooleanField(required=False)
    store_content = serializers.BooleanField(
        required=False, help_text="Collect prompts and replies as training data."
    )
    content_cap = serializers.IntegerField(
        required=False, help_text="Collected calls of each mode; beyond, the oldest go."
    )
    retention_days = serializers.IntegerField(
        required=False, help_text="Days until a collected call is deleted."
    )
    collect = CollectWish(required=False)
    time_zone = serializers.CharField(
        required=False, help_text="Of weekly reports, such as Europe/Berlin."
    )

    def validate_time_zone(self, name: str) -> str:
        if name not in time_zones.names():
            raise serializers.ValidationError("There is no such time zone.")
        return name


class SettingsShown(serializers.Serializer[Any]):
    cache_enabled = serializers.BooleanField()
    store_content = serializers.BooleanField()
    content_cap = serializers.IntegerField()
    retention_days = serializers.IntegerField()
    collect = CollectWish()
    time_zone = serializers.CharField()


class PurgeWish(StrictSerializer):
    policy = serializers.CharField(required=False, help_text="Answers kept under this policy.")
    gateway_key = serializers.CharField(required=False, help_text="Answers kept for this key.")


class Dropped(serializers.Serializer[Any]):
    cached_answers = serializers.IntegerField()


class Deleted(Dropped):
    collected_calls = serializers.IntegerField()
    samples = serializers.IntegerField(help_text="Of experiments.")
    comments = serializers.IntegerField(help_text="Of feedback; scores stay.")


class CacheShown(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    entries = serializers.IntegerField()
    bytes = serializers.IntegerField()


class SettingsView(ManageView):
    rights = {"GET": Right.VIEW, "PATCH": Right.MANAGE_TENANT}

    @extend_schema(operation_id="read_settings", responses=SettingsShown, tags=SETTINGS)
    @scoped
    def get(self, request: Request) -> Response:
        return Response(_shown(self.manager.tenant.pk))

    @extend_schema(request=SettingsWish, responses=SettingsShown, tags=SETTINGS)
    @scoped
    def patch(self, request: Request) -> Response:
        """Change settings. Caching switched off drops what is kept; collecting does not."""
        wishes = valid(SettingsWish, request)
        tenant, actor = self.manager.tenant, self.manager.actor
        terms.change(tenant, wishes, actor=actor, now=now())
        if "cache_enabled" in wishes:
            choice.switch(tenant, on=wishes["cache_enabled"], actor=actor)
        if "time_zone" in wishes:
            tenant_settings.change(tenant, {"time_zone": wishes["time_zone"]}, actor=actor)
        return Response(_shown(tenant.pk))


class DeleteContent(ManageView):
    rights = {"POST": Right.MANAGE_TENANT}

    @extend_schema(request=None, responses=Deleted, tags=SETTINGS)
    @scoped
    def post(self, request: Request) -> Response:
        """Delete all content that is kept. Calls, costs and settings stay."""
        gone = content.erase(self.manager.tenant, actor=self.manager.actor, now=now())
        return Response(asdict(gone))


class Cache(ManageView):
    rights = {"GET": Right.VIEW, "DELETE": Right.MANAGE_ROUTING}

    @extend_schema(operation_id="read_cache", responses=CacheShown, tags=CACHE)
    @scoped
    def get(self, request: Request) -> Response:
        """How much is kept."""
        tenant = self.manager.tenant.pk
        held = choice.holdings(tenant, now().timestamp())
        enabled = tenant_settings.read(tenant).cache_enabled
        return Response({"enabled": enabled, "entries": held.entries, "bytes": held.size})

    @extend_schema(request=PurgeWish, responses=Dropped, tags=CACHE)
    @scoped
    def delete(self, request: Request) -> Response:
        """Drop what is kept: all of it, or that of a policy or a gateway key."""
        wish = valid(PurgeWish, request)
        tenant, named = self.manager.tenant, wish.get("gateway_key")
        gone = choice.purge(
            tenant,
            actor=self.manager.actor,
            policy=wish.get("policy"),
            lineage=_key(tenant, named).lineage if named else None,
        )
        return Response({"cached_answers": gone})


def _key(tenant: Tenant, shown: str) -> GatewayKey:
    try:
        wanted = ids.read("key", shown)
    except ids.InvalidId:
        raise NotFound(kind="gateway key") from None
    return GatewayKey.objects.for_tenant(tenant).named("gateway key", pk=wanted)


def _shown(tenant: UUID) -> dict[str, Any]:
    its = tenant_settings.read(tenant)
    return {
        "cache_enabled": its.cache_enabled,
        "time_zone": its.time_zone,
        "store_content": its.store_content,
        "content_cap": its.content_cap,
        "retention_days": its.retention_days,
        "collect": filters.shown(tenant, filters.read(its.collect)),
    }
