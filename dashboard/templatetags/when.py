"""`{{ at|when }}`: a moment in UTC, which the page's script turns into the reader's own zone."""

from datetime import UTC, date, datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

_CLOCKS = {"minutes": "%H:%M", "seconds": "%H:%M:%S", "row": "%H:%M:%S"}


@register.filter
def when(at: datetime | None, form: str = "minutes") -> SafeString | str:
    """A moment to the minute, with `seconds` to the second; `row` leaves the zone to the head."""
    if at is None:
        return "–"
    at = at.astimezone(UTC)
    full = f"{day(at.date())}, {at:{_CLOCKS.get(form, '%H:%M')}} UTC"
    return format_html(
        '<time datetime="{}" data-when="{}" title="{}">{}</time>',
        at.isoformat(timespec="milliseconds"),
        form,
        full,
        f"{at.day} {at:%b, %H:%M:%S}" if form == "row" else full,
    )


@register.filter
def day(value: date | None) -> str:
    """A day as it is written everywhere: 9 Nov 2026."""
    return f"{value.day} {value:%b %Y}" if value else "–"


@register.filter
def ago(at: datetime | None, now: datetime) -> SafeString | str:
    """How long ago, in its largest unit; the moment itself in the title."""
    if at is None:
        return "never"
    seconds = max(0, int((now - at).total_seconds()))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(timespec="seconds"),
        f"{day(at.date())}, {at.astimezone(UTC):%H:%M} UTC",
        _distance(seconds),
    )


def _distance(seconds: int) -> str:
    if seconds < 60:
        return "just now"
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = seconds // size
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
