"""`/api/v1/account/…`: take everything along, and go."""

from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import deletion, export
from accounts.errors import RoleNotAllowed
from accounts.models import ManagementKey, Membership
from accounts.roles import Right, Role
from routing.api.manage.view import (
    FieldErrors,
    Manager,
    ManageView,
    StrictSerializer,
    now,
    scoped,
    valid,
)

TAGS = ["account"]


class DeleteFields(StrictSerializer):
    """By session the password is asked for, too."""

    name = serializers.CharField(help_text="The account's name, to confirm.")
    password = serializers.CharField(required=False, trim_whitespace=False, write_only=True)


class DeletionBegun(serializers.Serializer[Any]):
    deleted = serializers.BooleanField()
    erased_within_s = serializers.IntegerField()


class ExportAccount(ManageView):
    rights = {"POST": Right.MANAGE_TENANT}

    @extend_schema(
        operation_id="export_account",
        request=None,
        responses={(200, export.CONTENT_TYPE): OpenApiTypes.BINARY},
        tags=TAGS,
    )
    @scoped
    def post(self, request: Request) -> HttpResponseBase:
        """Everything but secrets as JSON lines: `{"table", "row"}`; the last line counts rows."""
        tenant, at = self.manager.tenant, now()
        export.note(tenant, actor=self.manager.actor)
        name = export.file_name(tenant, at)
        return StreamingHttpResponse(
            export.lines(tenant.pk, now=at),
            content_type=export.CONTENT_TYPE,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
        )


class DeleteAccount(ManageView):
    rights = {"POST": Right.MANAGE_TENANT}

    @extend_schema(
        operation_id="delete_account", request=DeleteFields, responses=DeletionBegun, tags=TAGS
    )
    @scoped
    def post(self, request: Request) -> Response:
        """Delete the account: its owner, or a management key that its owner has made."""
        _must_be_the_owners(self.manager)
        _confirm(self.manager, valid(DeleteFields, request))
        deletion.begin(self.manager.tenant, actor=self.manager.actor, now=now())
        within = int(deletion.ERASED_WITHIN.total_seconds())
        return Response({"deleted": True, "erased_within_s": within})


def _must_be_the_owners(manager: Manager) -> None:
    """A key is no way around a role: one that an admin made does not delete the account."""
    if manager.key is None:
        manager.must(Right.OWN)
    elif not _is_of_the_owner(manager.key):
        raise RoleNotAllowed("Only a management key that the owner has made deletes the account.")


def _is_of_the_owner(key: ManagementKey) -> bool:
    owners = Membership.objects.for_tenant(key.tenant_id).filter(role=Role.OWNER)
    return owners.filter(user=key.created_by).exists() if key.created_by_id else False


def _confirm(manager: Manager, fields: dict[str, Any]) -> None:
    """Raises FieldErrors."""
    if fields["name"] != manager.tenant.name:
        raise FieldErrors({"name": ["This is not the account's name."]})
    user = manager.actor.user
    if user is not None and not user.check_password(fields.get("password", "")):
        raise FieldErrors({"password": ["This is not your password."]})
