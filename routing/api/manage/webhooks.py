"""`/api/v1/webhooks`."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids
from accounts.models import Tenant
from accounts.roles import Right
from accounts.secret import Secret
from accounts.tenancy import tenant_scope
from billing import webhooks
from billing.models import Budget, Webhook, WebhookDelivery
from routing import deliveries
from routing.api.manage import budgets
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, shown_id, valid

PREFIX = "wh"
TAGS = ["webhooks"]


class WebhookChange(StrictSerializer):
    url = serializers.CharField(max_length=512, required=False)
    budget = serializers.CharField(
        required=False, allow_null=True, help_text="The id of one budget; null for all of them."
    )
    enabled = serializers.BooleanField(required=False)


class NewWebhook(StrictSerializer):
    url = serializers.CharField(max_length=512)
    events = serializers.ListField(
        child=serializers.ChoiceField(list(webhooks.EVENTS)), required=False, allow_empty=False
    )
    budget = serializers.CharField(
        required=False, allow_null=True, help_text="The id of one budget; null for all of them."
    )


class WebhookShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    budget = serializers.CharField(allow_null=True)
    enabled = serializers.BooleanField()
    note = serializers.CharField(help_text="Why it was switched off, where nobody did it.")
    secret_last4 = serializers.CharField()
    created_at = serializers.DateTimeField()


class WebhookWithSecret(WebhookShown):
    secret = serializers.CharField(help_text="Shown this once.")


class WebhookList(serializers.Serializer[Any]):
    results = WebhookShown(many=True)
    next = serializers.CharField(allow_null=True)


class DeliveryShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    event = serializers.CharField()
    status = serializers.ChoiceField(["waiting", "delivered", "failed"])
    tries = serializers.IntegerField()
    http_status = serializers.IntegerField(allow_null=True, help_text="Of the last try.")
    problem = serializers.CharField()
    next_try_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class DeliveryList(serializers.Serializer[Any]):
    results = DeliveryShown(many=True)
    next = serializers.CharField(allow_null=True)


def shown(hook: Webhook, secret: Secret | None = None) -> dict[str, Any]:
    its = {
        "id": shown_id(PREFIX, hook),
        "url": hook.url,
        "events": list(webhooks.EVENTS),
        "budget": ids.show(budgets.PREFIX, hook.budget_id) if hook.budget_id else None,
        "enabled": hook.enabled,
        "note": hook.note,
        "secret_last4": hook.last4,
        "created_at": hook.created_at,
    }
    return {**its, "secret": secret.reveal()} if secret else its


def shown_delivery(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": shown_id("whd", row),
        "event": row.event,
        "status": row.status,
        "tries": row.tries,
        "http_status": row.http_status,
        "problem": row.problem,
        "next_try_at": row.next_at,
        "delivered_at": row.delivered_at,
        "created_at": row.created_at,
    }


def find(tenant: Tenant, hook: str) -> Webhook:
    try:
        wanted = ids.read(PREFIX, hook)
    except ids.InvalidId:
        wanted = ids.new()
    return webhooks.find(tenant, wanted)


def _with_secret(hook: Webhook, secret: Secret, *, status: int) -> Response:
    """The one answer that holds the secret; nobody may keep a copy of it on the way."""
    return Response(shown(hook, secret), status=status, headers={"Cache-Control": "no-store"})


class _WebhookView(ManageView):
    rights = {
        "GET": Right.VIEW,
        "POST": Right.MANAGE_ROUTING,
        "PATCH": Right.MANAGE_ROUTING,
        "DELETE": Right.MANAGE_ROUTING,
    }

    def budget(self, name: str | None) -> Budget | None:
        return budgets.find(self.manager.tenant, name) if name else None


class Webhooks(_WebhookView):
    @extend_schema(operation_id="list_webhooks", responses=WebhookList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        found = webhooks.listed(self.manager.tenant)
        return Response({"results": [shown(one) for one in found], "next": None})

    @extend_schema(request=NewWebhook, responses={201: WebhookWithSecret}, tags=TAGS)
    @scoped
    def post(self, request: Request) -> Response:
        """Have an https address told of budgets' alerts; the answer shows its secret this once."""
        fields = valid(NewWebhook, request)
        hook, secret = webhooks.create(
            self.manager.tenant,
            url=deliveries.checked(fields["url"]),
            budget=self.budget(fields.get("budget")),
            actor=self.manager.actor,
            now=now(),
        )
        return _with_secret(hook, secret, status=201)


class WebhookDetail(_WebhookView):
    @extend_schema(responses=WebhookShown, tags=TAGS)
    @scoped
    def get(self, request: Request, hook: str) -> Response:
        return Response(shown(find(self.manager.tenant, hook)))

    @extend_schema(request=WebhookChange, responses=WebhookShown, tags=TAGS)
    @scoped
    def patch(self, request: Request, hook: str) -> Response:
        """Another address or budget; on or off."""
        row, fields = find(self.manager.tenant, hook), valid(WebhookChange, request)
        if "url" in fields or "budget" in fields:
            budget = self.budget(fields["budget"]) if "budget" in fields else row.budget
            url = deliveries.checked(fields["url"]) if "url" in fields else row.url
            webhooks.change(row, url=url, budget=budget, actor=self.manager.actor)
        if "enabled" in fields and fields["enabled"] != row.enabled:
            webhooks.switch(row, on=fields["enabled"], actor=self.manager.actor)
        return Response(shown(row))

    @extend_schema(responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, hook: str) -> Response:
        webhooks.remove(find(self.manager.tenant, hook), actor=self.manager.actor)
        return Response(status=204)


class WebhookDeliveries(_WebhookView):
    @extend_schema(operation_id="list_deliveries", responses=DeliveryList, tags=TAGS)
    @scoped
    def get(self, request: Request, hook: str) -> Response:
        """The newest deliveries, and how each stands."""
        row = find(self.manager.tenant, hook)
        found = webhooks.last_deliveries(self.manager.tenant, row)
        return Response({"results": [shown_delivery(one) for one in found], "next": None})


class TestWebhook(_WebhookView):
    @extend_schema(request=None, responses=DeliveryShown, tags=TAGS)
    def post(self, request: Request, hook: str) -> Response:
        """Send a test now, and say what became of it."""
        with tenant_scope(self.manager.tenant.pk):
            row = find(self.manager.tenant, hook)
        return Response(shown_delivery(deliveries.send_test(self.manager.tenant, row, now=now())))


class RollWebhookSecret(_WebhookView):
    @extend_schema(request=None, responses=WebhookWithSecret, tags=TAGS)
    @scoped
    def post(self, request: Request, hook: str) -> Response:
        """Another secret, from the next message on."""
        row = find(self.manager.tenant, hook)
        secret = webhooks.roll_secret(row, actor=self.manager.actor)
        return _with_secret(row, secret, status=200)
