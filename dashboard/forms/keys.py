"""Forms of the keys pages."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

from accounts.gateway_keys import MOST_RATES, KeyTerms
from accounts.models import Project
from accounts.models.gateway_key import Mode
from dashboard.forms import days
from dashboard.forms.days import DayField

OVERLAPS = {
    "0": "at once",
    "3600": "in an hour",
    "86400": "in a day",
    "604800": "in a week",
    "2592000": "in 30 days",
}


def _limit(label: str, name: str) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_RATES[name],
        label=label,
        widget=forms.NumberInput(attrs={"placeholder": "no limit"}),
    )


class NewKeyForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        label="Name",
        help_text="What the key is for: an app, a person, an environment.",
    )
    mode = forms.ChoiceField(
        choices=[
            (Mode.TEST, "Test: the built-in sandbox answers, nothing is charged"),
            (Mode.LIVE, "Live: your providers answer and charge you"),
        ],
        widget=forms.RadioSelect,
        initial=Mode.LIVE,
        label="Mode",
    )
    project = forms.ChoiceField(
        required=False,
        label="Project",
        help_text="Binds the key: its calls are booked under this project and no other.",
    )
    policy = forms.ChoiceField(
        required=False,
        label="Policy",
        help_text="How its calls are routed, where a request names no other policy.",
    )
    allowed_models = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "llama-*\nopenai/gpt-4.1-mini"}),
        label="Allowed models",
        help_text="One per line, * stands for any characters. Empty: every model.",
    )
    allowed_cidrs = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "203.0.113.0/24"}),
        label="Allowed networks",
        help_text="One address or network (CIDR) per line. Empty: from anywhere.",
    )
    requests_per_minute = _limit("Requests per minute", "requests_per_minute")
    tokens_per_minute = _limit("Tokens per minute", "tokens_per_minute")
    max_parallel = _limit("Calls at a time", "max_parallel")
    expires_on = DayField(
        required=False,
        label="Last day",
        help_text="The key works until the end of this day, UTC. Empty: until it is revoked.",
    )

    def __init__(
        self,
        projects: list[Project],
        *,
        policies: Sequence[str] = (),
        now: datetime,
        data: Any = None,
    ) -> None:
        super().__init__(data)
        names = [("", "The tenant's default"), *((name, name) for name in policies)]
        self.fields["policy"].choices = names  # type: ignore[attr-defined]
        self._now = now
        choices = [("", "Any project")] + [(project.name, project.name) for project in projects]
        self.fields["project"].choices = choices  # type: ignore[attr-defined]
        self.fields["expires_on"].widget.attrs["min"] = now.date().isoformat()

    def clean_expires_on(self) -> Any:
        last = self.cleaned_data["expires_on"]
        if last and last < self._now.astimezone(UTC).date():
            raise forms.ValidationError("This day is over. Choose today or a later day.")
        return last

    def terms(self) -> KeyTerms:
        """What the form asks for; it must be valid."""
        wishes = self.cleaned_data
        return KeyTerms(
            name=wishes["name"],
            mode=wishes["mode"],
            project=wishes["project"] or None,
            policy=wishes["policy"] or None,
            allowed_models=_lines(wishes["allowed_models"]),
            allowed_cidrs=_lines(wishes["allowed_cidrs"]),
            expires_at=days.ends_at(wishes["expires_on"]),
            **{name: wishes[name] for name in MOST_RATES},
        )


class RollForm(forms.Form):
    overlap = forms.ChoiceField(
        choices=list(OVERLAPS.items()),
        widget=forms.RadioSelect,
        initial="86400",
        label="The old key ends",
        help_text="Long enough to bring the new key to every place that uses the old one.",
    )

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=int(self.cleaned_data["overlap"]))


class NewManagementKeyForm(forms.Form):
    name = forms.CharField(max_length=100, label="Name")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="management_%s")  # it shares its page with NewKeyForm


def _lines(text: str) -> list[str] | None:
    """What stands on the lines of a text (or between its commas); None if there is nothing."""
    parts = [part.strip() for line in text.splitlines() for part in line.split(",")]
    return [part for part in parts if part] or None
