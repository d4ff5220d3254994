"""Days of forms, within years that the books and all arithmetic with days can take."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

FIRST, LAST = date(1971, 1, 1), date(9997, 12, 31)
_MESSAGE = f"A day lies between {FIRST} and {LAST}."


class DayField(forms.DateField):
    """A day of UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            widget=forms.DateInput(attrs={"type": "date"}),
            validators=[MinValueValidator(FIRST, _MESSAGE), MaxValueValidator(LAST, _MESSAGE)],
            **options,
        )


def bounds() -> dict[str, DayField]:
    """The two optional ends of a period: `from` and `to`."""
    return {
        "from": DayField(required=False, label="From"),
        "to": DayField(required=False, label="To"),
    }


def begins_at(day: date | None) -> datetime | None:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def ends_at(day: date | None) -> datetime | None:
    """The instant after the day."""
    return begins_at(day + timedelta(days=1)) if day else None
