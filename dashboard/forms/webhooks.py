"""The form of a webhook."""

from typing import Any

from django import forms

from accounts import ids
from accounts.errors import InvalidRequest
from billing.budgets import Standing
from billing.models import Budget
from billing.money import plain
from routing import deliveries


class WebhookForm(forms.Form):
    url = forms.CharField(
        max_length=512,
        label="Address",
        help_text="https, reachable from the public internet.",
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.com/flo2"}),
    )
    budget = forms.ChoiceField(required=False, label="Told of")

    def __init__(self, standings: list[Standing], data: Any = None, **rest: Any) -> None:
        super().__init__(data, **rest)
        self._budgets = {ids.show("bud", one.budget.pk): one for one in standings}
        self.fields["budget"].choices = [  # type: ignore[attr-defined]
            ("", "All budgets"),
            *((key, _named(one)) for key, one in self._budgets.items()),
        ]

    def clean_url(self) -> str:
        try:
            return deliveries.checked(self.cleaned_data["url"])
        except InvalidRequest as problem:
            raise forms.ValidationError(str(problem)) from None

    @property
    def budget_chosen(self) -> Budget | None:
        found = self._budgets.get(self.cleaned_data["budget"])
        return found.budget if found else None


def _named(stands: Standing) -> str:
    budget, subject = stands.budget, stands.subject
    window = "in total" if budget.window == "total" else f"per {budget.window}"
    whose = f"{budget.scope} {subject.name}" if subject else "everything"
    return f"${plain(budget.limit)} {window} for {whose}"
