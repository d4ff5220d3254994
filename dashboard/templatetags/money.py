"""`{{ amount|money }}` and the other figures, each in its one form."""

from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import books
from billing.models import Attempt, Call
from billing.money import plain
from dashboard import figures

register = template.Library()


@register.filter
def money(amount: Decimal | None, status: str = "") -> SafeString:
    """US dollars, rounded, with the exact amount in the title; None is unpriced, never 0."""
    if amount is None:
        return format_html(
            '<span class="unpriced" title="{}">unpriced</span>',
            "The price of this model is not known, so the cost is not known either.",
        )
    exact = plain(amount)
    title = f"${exact} (estimated)" if status == "estimated" else f"${exact}"
    return format_html(
        '<data class="money" value="{}" title="{}">{}{}</data>',
        exact,
        title,
        "≈ " if status == "estimated" else "",
        figures.usd(amount),
    )


@register.filter
def usd(amount: Decimal) -> str:
    """The same without markup, for drawings."""
    return figures.usd(amount)


@register.filter
def rate(amount: Decimal) -> str:
    """A unit price, exact."""
    return f"${plain(amount)}"


@register.filter
def exact(amount: Decimal) -> str:
    """An amount with all its digits, where sums have to be followed."""
    return f"${plain(amount)}" if amount else "$0"


@register.filter
def input_tokens(row: Call | Attempt) -> int:
    return books.usage_of(row).input_tokens


@register.filter
def output_tokens(row: Call | Attempt) -> int:
    return books.usage_of(row).output_tokens


@register.filter
def whole(count: int | None) -> str:
    return "–" if count is None else figures.whole(count)


@register.filter
def duration(count: int | None) -> str:
    return "–" if count is None else figures.milliseconds(count)


@register.filter
def percent(share: float | None) -> str:
    return "–" if share is None else figures.percent(share)


@register.filter
def growth(change: float) -> str:
    """A relative change, with its sign."""
    return f"{'+' if change > 0 else figures.MINUS if change < 0 else ''}{abs(change):.0%}"
