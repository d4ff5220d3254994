"""The operators' own audit list: what they did, at which tenant, and why.

It stays when a tenant is erased. Its rows are chained as those of a tenant are (`audit`).
"""

import hashlib
from typing import Any

import msgspec
from django.utils import timezone

from accounts.models import Installation, OperatorEvent

FIRST = b"\x00" * 32


def record(actor: str, *, action: str, subject: str = "", **details: Any) -> None:
    """Append an event, in the caller's transaction. The installation's row is locked for order."""
    Installation.objects.get_or_create(pk=1)
    Installation.objects.select_for_update().get(pk=1)
    last = OperatorEvent.objects.order_by("-number").first()
    event = OperatorEvent(
        number=last.number + 1 if last else 1,
        at=timezone.now(),
        actor=actor,
        action=action,
        subject=subject[:300],
        details=details,
        previous_hash=last.hash if last else FIRST,
    )
    event.hash = hash_of(event)
    event.save(force_insert=True)


def hash_of(event: OperatorEvent) -> bytes:
    """SHA-256 over the previous hash and every field of the event."""
    fields = [
        event.number,
        event.at.isoformat(timespec="microseconds"),
        event.actor,
        event.action,
        event.subject,
        event.details,
    ]
    canonical = msgspec.json.encode(fields, order="sorted")
    return hashlib.sha256(bytes(event.previous_hash) + canonical).digest()


def first_broken() -> int | None:
    """The number of the first event that does not follow from its predecessor, or None."""
    previous = FIRST
    for number, event in enumerate(OperatorEvent.objects.order_by("number").iterator(), start=1):
        fits = event.number == number and bytes(event.previous_hash) == previous
        if not fits or hash_of(event) != bytes(event.hash):
            return number
        previous = bytes(event.hash)
    return None
