"""The filters of the audit page."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.models import AuditEvent


class AuditForm(forms.Form):
    action = forms.ChoiceField(required=False, label="What")
    actor = forms.CharField(
        required=False,
        max_length=254,
        label="Who",
        widget=forms.TextInput(attrs={"placeholder": "part of an address"}),
    )

    def __init__(self, data: Any, *, actions: list[str]) -> None:
        super().__init__(data)
        for name, label in (("from", "From"), ("to", "To")):
            self.fields[name] = forms.DateField(
                required=False, label=label, widget=forms.DateInput(attrs={"type": "date"})
            )
        choices = [("", "Anything"), *((action, plain(action)) for action in actions)]
        self.fields["action"].choices = choices  # type: ignore[attr-defined]

    def applied(self, rows: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """The rows that fit; a field that is not valid does not restrict, and says so."""
        self.is_valid()
        wishes = self.cleaned_data
        if wishes.get("action"):
            rows = rows.filter(action=wishes["action"])
        if wishes.get("actor"):
            rows = rows.filter(actor__icontains=wishes["actor"])
        if wishes.get("from"):
            rows = rows.filter(at__gte=_midnight(wishes["from"]))
        if wishes.get("to"):
            rows = rows.filter(at__lt=_midnight(wishes["to"]) + timedelta(days=1))
        return rows

    @property
    def in_use(self) -> int:
        """How many filters restrict the list."""
        return sum(1 for value in self.cleaned_data.values() if value)


def plain(action: str) -> str:
    """`provider_key.added` as people say it: Provider key added."""
    subject, _, verb = action.partition(".")
    subject = {"gatewaykey": "gateway key", "managementkey": "management key"}.get(subject, subject)
    said = f"{subject} {verb}".replace("_", " ").strip()
    return said[:1].upper() + said[1:]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
