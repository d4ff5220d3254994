"""Forms of the budgets pages."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms

from accounts.models import GatewayKey, Project
from billing import money
from billing.budgets import Wish
from billing.models import Budget
from billing.models.budget import BudgetMode, WindowKind
from dashboard.forms import days
from dashboard.forms.days import DayField

THRESHOLDS = [(str(percent), f"{percent} %") for percent in (50, 80, 90, 100)]
WINDOWS = [
    (WindowKind.DAY, "a day"),
    (WindowKind.WEEK, "a week, from Monday"),
    (WindowKind.MONTH, "a month"),
    (WindowKind.TOTAL, "for good: it never resets"),
]
MODES = [
    (BudgetMode.HARD, "Hard: calls that could pass the limit are refused"),
    (BudgetMode.SOFT, "Soft: only mails tell, calls go on"),
]


class LimitFields(forms.Form):
    """What can be changed later, too."""

    limit = forms.DecimalField(
        min_value=Decimal(0),
        max_value=money.LARGEST,
        max_digits=19,
        decimal_places=12,
        label="Limit in US dollars",
        widget=forms.NumberInput(attrs={"step": "any", "placeholder": "50"}),
    )
    mode = forms.ChoiceField(
        choices=MODES, widget=forms.RadioSelect, initial=BudgetMode.HARD, label="At the limit"
    )
    alert_at = forms.MultipleChoiceField(
        choices=THRESHOLDS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=["50", "80", "100"],
        label="Tell owners and admins at",
        help_text="Once per window and threshold: by webhook, and by mail where that is set up.",
    )

    @property
    def shares(self) -> list[float]:
        return [int(percent) / 100 for percent in self.cleaned_data["alert_at"]]


class NewBudgetForm(LimitFields):
    subject = forms.ChoiceField(label="What it limits")
    window = forms.ChoiceField(choices=WINDOWS, initial=WindowKind.MONTH, label="Per")
    field_order = ("subject", "limit", "window", "mode", "alert_at")

    def __init__(self, projects: list[Project], keys: list[GatewayKey], data: Any = None) -> None:
        super().__init__(data)
        self._subjects: dict[str, Project | GatewayKey | None] = {"": None}
        self._subjects |= {f"project:{project.pk}": project for project in projects}
        self._subjects |= {f"key:{key.pk}": key for key in keys}
        choices = [
            ("", [("", "Everything of this account")]),
            ("Projects", [(f"project:{one.pk}", one.name) for one in projects]),
            ("Gateway keys", [(f"key:{one.pk}", f"{one.name} ({one.shown})") for one in keys]),
        ]
        subject = self.fields["subject"]
        subject.required = False
        subject.choices = [  # type: ignore[attr-defined]
            group if group[0] else group[1][0] for group in choices if group[1]
        ]

    def wish(self) -> Wish:
        """What the form asks for; it must be valid."""
        wanted = self.cleaned_data
        return Wish(
            limit=wanted["limit"],
            window=wanted["window"],
            mode=wanted["mode"],
            alert_at=self.shares,
            subject=self._subjects[wanted["subject"]],
        )


class ChangeBudgetForm(LimitFields):
    def __init__(self, budget: Budget, data: Any = None) -> None:
        initial = {
            "limit": money.plain(budget.limit),
            "mode": budget.mode,
            "alert_at": [str(round(share * 100)) for share in budget.alert_at],
        }
        super().__init__(data, initial=initial)
        shown = {value for value, _ in THRESHOLDS}
        own = [(value, f"{value} %") for value in initial["alert_at"] if value not in shown]
        field = self.fields["alert_at"]
        field.choices = sorted(THRESHOLDS + own, key=lambda one: int(one[0]))  # type: ignore[attr-defined]


class RaiseForm(forms.Form):
    by = forms.DecimalField(
        min_value=Decimal(0),
        max_value=money.LARGEST,
        max_digits=19,
        decimal_places=12,
        label="More by, in US dollars",
        help_text="On top of the limit. 0 ends a raise.",
        widget=forms.NumberInput(attrs={"step": "any", "placeholder": "10"}),
    )
    until = DayField(
        required=False,
        label="Last day",
        help_text="To the end of this day, UTC. Empty: until the budget resets.",
    )

    @property
    def ends_at(self) -> datetime | None:
        return days.ends_at(self.cleaned_data["until"])
