"""The filters of the audit page."""

import re
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.models import AuditEvent
from dashboard.forms import days

ACTION = re.compile(r"[a-z_]{1,30}\.[a-z_]{1,29}")


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
        self.fields.update(days.bounds())
        wanted = data.get("action", "")
        if ACTION.fullmatch(wanted) and wanted not in actions:
            actions = [*actions, wanted]  # older than those that are offered
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
        if start := days.begins_at(wishes.get("from")):
            rows = rows.filter(at__gte=start)
        if end := days.ends_at(wishes.get("to")):
            rows = rows.filter(at__lt=end)
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
