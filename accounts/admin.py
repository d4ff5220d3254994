"""What operators see of people and keys: never a secret, never its hash."""

from django.contrib import admin

from accounts.models import (
    AuditEvent,
    GatewayKey,
    Impersonation,
    ManagementKey,
    OperatorEvent,
    ProviderKey,
    User,
)
from accounts.operator_site import ReadOnly, site


@admin.register(User, site=site)
class UserAdmin(ReadOnly):
    list_display = ("email", "is_staff", "is_active", "created_at", "terms_accepted_at")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email",)
    ordering = ("-created_at", "id")
    fields = ("email", "is_staff", "is_active", "created_at", "terms_accepted_at", "last_login")


@admin.register(GatewayKey, site=site)
class GatewayKeyAdmin(ReadOnly):
    list_display = ("name", "tenant", "mode", "last4", "created_at", "expires_at", "revoked_at")
    list_filter = ("mode",)
    list_select_related = ("tenant",)
    search_fields = ("name", "last4", "tenant__name")
    fields = (
        "tenant", "name", "mode", "last4", "project", "allowed_models", "allowed_cidrs",
        "created_at", "created_by", "expires_at", "revoked_at",
    )  # fmt: skip


@admin.register(ManagementKey, site=site)
class ManagementKeyAdmin(ReadOnly):
    list_display = ("name", "tenant", "last4", "created_at", "revoked_at")
    list_select_related = ("tenant",)
    search_fields = ("name", "last4", "tenant__name")
    fields = ("tenant", "name", "last4", "created_at", "created_by", "revoked_at")


@admin.register(ProviderKey, site=site)
class ProviderKeyAdmin(ReadOnly):
    list_display = ("provider", "tenant", "last4", "status", "enabled", "checked_at")
    list_filter = ("provider", "status", "enabled")
    list_select_related = ("tenant",)
    search_fields = ("last4", "tenant__name")
    fields = (
        "tenant", "provider", "label", "last4", "status", "status_reason", "models_found",
        "enabled", "weight", "checked_at", "created_at",
    )  # fmt: skip


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "tenant", "actor", "action", "subject")
    list_filter = ("action",)
    list_select_related = ("tenant",)
    search_fields = ("actor", "subject", "tenant__name")
    ordering = ("-at", "-id")
    fields = ("tenant", "number", "at", "actor", "action", "subject", "details")


@admin.register(OperatorEvent, site=site)
class OperatorEventAdmin(ReadOnly):
    list_display = ("at", "actor", "action", "tenant", "subject")
    list_filter = ("action",)
    search_fields = ("actor", "subject", "action")
    ordering = ("-number",)
    fields = ("number", "at", "actor", "action", "subject", "details")

    @admin.display(description="Tenant")
    def tenant(self, event: OperatorEvent) -> str:
        return str(event.details.get("of_tenant", {}).get("name", "–"))


@admin.register(Impersonation, site=site)
class ImpersonationAdmin(ReadOnly):
    list_display = ("started_at", "operator", "tenant", "reason", "until", "ended_at")
    list_select_related = ("tenant", "operator")
    search_fields = ("operator__email", "tenant__name", "reason")
    ordering = ("-started_at", "id")
    fields = ("tenant", "operator", "reason", "started_at", "until", "ended_at")
