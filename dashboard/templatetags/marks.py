"""Small drawn things: `{% icon "keys" %}`, `{% provider_mark slug %}`, words for codes."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from dashboard import marks, words
from dashboard.icons import ICONS
from dashboard.words import Word

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon; without a label it is decoration and hidden from screen readers."""
    drawing = mark_safe(ICONS[name])  # noqa: S308  our own drawings
    if label:
        return format_html(
            '<svg class="icon" viewBox="0 0 16 16" role="img" aria-label="{}">{}</svg>',
            label,
            drawing,
        )
    return format_html('<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">{}</svg>', drawing)


@register.simple_tag
def provider_mark(slug: str) -> SafeString:
    """The tile with a provider's two letters."""
    mark = marks.of_provider(slug)
    return format_html(
        '<span class="mark tint-{}" aria-hidden="true">{}</span>', mark.tint, mark.letters
    )


@register.filter
def provider_label(slug: str) -> str:
    return marks.label_of(slug)


@register.filter
def call_status(code: str) -> Word:
    return words.call_status(code)


@register.filter
def key_status(code: str) -> Word:
    return words.key_status(code)


@register.filter
def key_advice(code: str) -> str:
    """What the status of a provider key means for calls."""
    return words.KEY_ADVICE.get(code, "")


@register.filter
def outcome(code: str) -> Word:
    return words.outcome(code)


@register.filter
def reason(code: str) -> str:
    return words.reason(code)


@register.filter
def finish(code: str) -> str:
    """How a collected reply ended."""
    return words.FINISHES.get(code, code)
