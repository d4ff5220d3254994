"""The form that drops kept answers."""

from typing import Any
from uuid import UUID

from django import forms

from accounts.models import GatewayKey


class PurgeForm(forms.Form):
    """Everything, or what was kept under a policy or for a gateway key."""

    what = forms.ChoiceField(label="Drop")

    def __init__(self, policies: list[str], keys: list[GatewayKey], data: Any = None) -> None:
        super().__init__(data)
        self.fields["what"].choices = [  # type: ignore[attr-defined]
            ("", [("everything", "Everything that is kept")]),
            ("Under a policy", [(f"policy:{name}", name) for name in policies]),
            (
                "For a gateway key",
                [(f"key:{one.lineage}", f"{one.name} ({one.shown})") for one in keys],
            ),
        ]

    @property
    def policy(self) -> str | None:
        kind, _, name = self.cleaned_data["what"].partition(":")
        return name if kind == "policy" else None

    @property
    def lineage(self) -> UUID | None:
        kind, _, name = self.cleaned_data["what"].partition(":")
        return UUID(name) if kind == "key" else None
