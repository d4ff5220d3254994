"""`/api/v1/invoices`: a provider's invoice lines, held against the books."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids
from accounts.errors import NotFound
from accounts.roles import Right
from billing import invoices, money
from billing.invoices import Reconciled
from routing.api.manage.calls import known
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, shown_id, valid
from routing.providers import overrides

TAGS = ["invoices"]
PREFIX = "inv"


class InvoiceFields(StrictSerializer):
    """One line, typed: provider, from, to, amount_usd; or many as `csv` with those columns."""

    csv = serializers.CharField(required=False, max_length=900_000, trim_whitespace=False)

    def get_fields(self) -> dict[str, Any]:
        # `from` is no name for a class attribute.
        line = {
            name: serializers.CharField(required=False, allow_blank=True, max_length=300)
            for name in invoices.COLUMNS
        }
        return {**line, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in invoices.NEEDED if not attrs.get(name)]
        if "csv" in attrs and len(attrs) > 1:
            raise ValidationError({"csv": ["Send a line or a csv, not both."]})
        if "csv" not in attrs and missing:
            raise ValidationError({name: ["This field is required."] for name in missing})
        return attrs


class Invoices(ManageView):
    rights = {"GET": Right.VIEW, "POST": Right.MANAGE_ROUTING}

    @extend_schema(operation_id="list_invoices", responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        """Lines, the newest first, each beside what the books say of its span."""
        known(request, ())
        found = invoices.reconcile(self.manager.tenant.pk)
        return Response({"results": [_shown(one) for one in found], "next": None})

    @extend_schema(
        operation_id="add_invoices",
        request=InvoiceFields,
        responses={201: OpenApiTypes.OBJECT},
        tags=TAGS,
    )
    @scoped
    def post(self, request: Request) -> Response:
        """Take in a line, or a CSV of lines; those that are there already are left alone."""
        fields = valid(InvoiceFields, request)
        text = fields.get("csv")
        lines = [invoices.read_line(fields)] if text is None else invoices.read_csv(text)
        done = invoices.add(
            self.manager.tenant,
            lines,
            providers=overrides.read(self.manager.tenant.pk).providers,
            actor=self.manager.actor,
            now=now(),
        )
        return Response({"added": done.added, "known": done.known}, status=201)


class InvoiceDetail(ManageView):
    rights = {"GET": Right.VIEW, "DELETE": Right.MANAGE_ROUTING}

    @extend_schema(operation_id="retrieve_invoice", responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request, invoice: str) -> Response:
        return Response(_shown(invoices.find(self.manager.tenant.pk, read_id(invoice))))

    @extend_schema(operation_id="remove_invoice", responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, invoice: str) -> Response:
        invoices.remove(self.manager.tenant, read_id(invoice), actor=self.manager.actor)
        return Response(status=204)


def read_id(text: str) -> Any:
    """Raises NotFound."""
    try:
        return ids.read(PREFIX, text)
    except ids.InvalidId:
        raise NotFound(kind="invoice") from None


def _shown(found: Reconciled) -> dict[str, Any]:
    row = found.invoice
    return {
        "id": shown_id(PREFIX, row),
        "provider": row.provider,
        "model": row.model or None,
        "reference": row.reference or None,
        "from": row.first,
        "to": row.last,
        "theirs_usd": money.plain(found.theirs),
        "ours_usd": money.plain(found.ours),
        "difference_usd": money.plain(found.difference),
        "explained_share": found.explained,
        "estimated_usd": money.plain(found.totals.estimated),
        "unpriced_calls": found.totals.unpriced_calls,
        "created_at": row.created_at.isoformat(timespec="seconds"),
    }
