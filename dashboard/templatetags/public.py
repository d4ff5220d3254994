"""`{{ key.pk|public:"key" }}`: ids as they stand in URLs."""

from uuid import UUID

from django import template

from accounts import ids

register = template.Library()


@register.filter
def public(value: UUID, prefix: str) -> str:
    return ids.show(prefix, value)
