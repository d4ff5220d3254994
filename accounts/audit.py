"""The audit list: who changed what. Rows are only ever added; each is hashed over its predecessor.

Editing, removing or inserting a row breaks the chain from there on (`verify_audit` names it).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.utils import timezone

from accounts import operator_audit
from accounts.models import AuditEvent, Tenant, User

FIRST = b"\x00" * 32


@dataclass(frozen=True)
class Actor:
    """Who acts: a person, a management key, an operator, or the installation itself."""

    name: str
    user: User | None = None
    is_operator: bool = False


SYSTEM = Actor("flo2")


def person(user: User) -> Actor:
    return Actor(user.email, user)


def operator(user: User) -> Actor:
    return Actor(f"operator: {user.email}", user, is_operator=True)


def record(tenant: Tenant, *, actor: Actor, action: str, subject: str = "", **details: Any) -> None:
    """Append an event, in the caller's transaction. The tenant's row is locked to order events.

    What an operator does stands on the operators' list, too.
    """
    # Not against rows that refer to the tenant: its calls are booked and paid for meanwhile.
    rows = Tenant.objects.select_for_update(no_key=True)
    rows.filter(pk=tenant.pk).values_list("pk").first()
    last = AuditEvent.objects.for_tenant(tenant).order_by("-number").first()
    event = AuditEvent(
        tenant=tenant,
        number=last.number + 1 if last else 1,
        at=timezone.now(),
        actor=actor.name,
        action=action,
        subject=subject[:200],
        details=details,
        previous_hash=last.hash if last else FIRST,
    )
    event.hash = hash_of(event)
    event.save(force_insert=True)
    if actor.is_operator:
        whose = {"tenant": str(tenant.pk), "name": tenant.name}
        operator_audit.record(
            actor.name, action=action, subject=subject, **details, of_tenant=whose
        )


def hash_of(event: AuditEvent) -> bytes:
    """SHA-256 over the previous hash and every field of the event."""
    fields = [
        str(event.tenant_id),
        event.number,
        _instant(event.at),
        event.actor,
        event.action,
        event.subject,
        event.details,
    ]
    canonical = msgspec.json.encode(fields, order="sorted")
    return hashlib.sha256(bytes(event.previous_hash) + canonical).digest()


def last_number(tenant: Tenant) -> int:
    """The number of the newest event; 0 where there is none."""
    numbers = AuditEvent.objects.for_tenant(tenant).order_by("-number")
    return numbers.values_list("number", flat=True).first() or 0


def first_broken(tenant: Tenant, *, since: int = 1) -> int | None:
    """The number of the first event that does not follow from its predecessor, or None.

    Of the events from number `since` on; the one before it is taken as it stands.
    """
    rows = AuditEvent.objects.for_tenant(tenant)
    before = rows.filter(number=since - 1).first() if since > 1 else None
    previous = bytes(before.hash) if before else FIRST
    events = rows.filter(number__gte=since).order_by("number").iterator()
    for number, event in enumerate(events, start=since):
        fits = event.number == number and bytes(event.previous_hash) == previous
        if not fits or hash_of(event) != bytes(event.hash):
            return number
        previous = bytes(event.hash)
    return None


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")
