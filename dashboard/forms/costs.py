"""What the costs page shows: a period and a dimension."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms

from billing.periods import EARLIEST, LONGEST_DAYS, Period, last_days
from dashboard.forms import days

DIMENSIONS = {
    "provider": "Provider",
    "model": "Model",
    "project": "Project",
    "key": "Gateway key",
    "policy": "Policy",
    "purpose": "Purpose",
    "tag": "Tag",
}
DEFAULT_DAYS = 30


class CostsForm(forms.Form):
    by = forms.ChoiceField(choices=list(DIMENSIONS.items()), required=False, label="Break down by")

    def __init__(self, data: Any, *, now: datetime) -> None:
        super().__init__(data)
        self._now = now
        self.fields.update(days.bounds())

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("from"), self.cleaned_data.get("to")
        if first and last and last < first:
            self.add_error("to", "The period ends before it starts.")
        elif first and ((last or self._today) - first).days >= LONGEST_DAYS:
            self.add_error("from", f"A period has at most {LONGEST_DAYS} days.")
        return self.cleaned_data

    @property
    def _today(self) -> date:
        return self._now.astimezone(UTC).date()

    @property
    def period(self) -> Period:
        """The days asked for; the last 30 where the form is empty or wrong."""
        self.is_valid()
        if self.errors:
            return last_days(DEFAULT_DAYS, self._now)
        last = self.cleaned_data.get("to") or self._today
        first = self.cleaned_data.get("from") or last - timedelta(days=DEFAULT_DAYS - 1)
        return Period(min(first, last), last)

    @property
    def dimension(self) -> str:
        self.is_valid()
        return self.cleaned_data.get("by") or "provider"

    def filled_in(self) -> "CostsForm":
        """The form with what is shown now in its fields, unless something in it is wrong."""
        period = self.period
        if self.errors:
            return self
        shown = {"by": self.dimension, "from": period.first, "to": period.last}
        return CostsForm(shown, now=self._now)


@dataclass(frozen=True)
class Preset:
    label: str
    first: date
    last: date


def presets(now: datetime) -> list[Preset]:
    """Periods that are often asked for."""
    today = now.astimezone(UTC).date()
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    spans = [(f"{count} days", today - timedelta(days=count - 1), today) for count in (7, 30, 90)]
    spans += [("This month", month, today), ("Last month", before.replace(day=1), before)]
    return [Preset(*span) for span in spans]


def previous(period: Period) -> Period:
    """As many days right before, as far as there are any."""
    last = period.first - timedelta(days=1)
    return Period(max(last - timedelta(days=period.days - 1), EARLIEST), last)
