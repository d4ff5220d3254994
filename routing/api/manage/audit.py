"""`/api/v1/audit`: who changed what. Read-only: events are only ever added."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidRequest
from accounts.models import AuditEvent
from accounts.roles import Right
from routing.api.manage.calls import known, parameters
from routing.api.manage.view import ManageView, scoped

TAGS = ["audit"]
FILTERS = ("action", "actor", "cursor", "limit")
USUAL, MOST = 50, 500


class AuditEventShown(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="From 1 on, without gaps.")
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    subject = serializers.CharField()
    details = serializers.DictField()
    hash = serializers.CharField(help_text="SHA-256 over the hash before it and this event.")


class AuditList(serializers.Serializer[Any]):
    results = AuditEventShown(many=True)
    next = serializers.CharField(allow_null=True)


class Audit(ManageView):
    rights = {"GET": Right.MANAGE_TENANT}

    @extend_schema(
        operation_id="list_audit_events",
        parameters=parameters(FILTERS),
        responses=AuditList,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Events newest first; `next` is the cursor of the page after."""
        query = known(request, FILTERS)
        limit = min(_whole(query, "limit", USUAL), MOST)
        rows = AuditEvent.objects.for_tenant(self.manager.tenant).order_by("-number")
        if query.get("action"):
            rows = rows.filter(action=query["action"])
        if query.get("actor"):
            rows = rows.filter(actor=query["actor"])
        if query.get("cursor"):
            rows = rows.filter(number__lt=_whole(query, "cursor", 0))
        found = list(rows[: limit + 1])
        after = str(found[limit - 1].number) if len(found) > limit else None
        return Response({"results": [_shown(row) for row in found[:limit]], "next": after})


def _whole(query: dict[str, str], name: str, usual: int) -> int:
    """A number from 1 up. Raises InvalidRequest."""
    text = query.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise InvalidRequest(f"{name} must be a whole number from 1 up.", param=name)
    return int(text)


def _shown(row: AuditEvent) -> dict[str, Any]:
    return {
        "number": row.number,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "details": row.details,
        "hash": bytes(row.hash).hex(),
    }
