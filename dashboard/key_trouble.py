"""Mails about provider keys that died: once while the trouble lasts, to owner and admins.

A row is opened when a key is found in trouble, and closed when it works again, is replaced,
switched off or deleted. What the mail server does not take is tried again by the next turn.
"""

import logging
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from accounts.models import Membership, ProviderKey
from accounts.models.provider_key import KeyStatus
from accounts.roles import Role
from accounts.tenancy import system_scope, tenant_scope
from dashboard import mails, marks, snippets
from dashboard.models import KeyTrouble

log = logging.getLogger(__name__)

DEAD = (KeyStatus.INVALID, KeyStatus.NO_CREDIT)
RECIPIENTS = (Role.OWNER, Role.ADMIN)
AT_ONCE = 100


def send_waiting(now: datetime) -> int:
    """Open and close troubles as the keys stand, and mail the new ones; how many were mailed."""
    if not mails.can_send():
        return 0
    with system_scope():
        _close()
        _open(now)
        waiting = KeyTrouble.objects.filter(mailed_at=None).order_by("since", "pk")
        chosen = list(waiting.values_list("tenant_id", "pk")[:AT_ONCE])
    return sum(_send(tenant, row, now) for tenant, row in chosen)


def _close() -> None:
    """What is over, or has become another trouble."""
    rows = KeyTrouble.objects.select_related("key")
    over = [row.pk for row in rows if not row.key.enabled or row.key.status != row.status]
    KeyTrouble.objects.filter(pk__in=over).delete()


def _open(now: datetime) -> None:
    known = KeyTrouble.objects.values("key")
    dead = ProviderKey.objects.filter(
        enabled=True, status__in=DEAD, tenant__deleting_since=None, tenant__suspended_at=None
    )
    KeyTrouble.objects.bulk_create(
        [
            KeyTrouble(
                tenant_id=key.tenant_id, key=key, status=key.status, since=key.checked_at or now
            )
            for key in dead.exclude(pk__in=known)
        ],
        ignore_conflicts=True,
    )


def _send(tenant: UUID, trouble: UUID, now: datetime) -> bool:
    """Claim, then send to each; one mail that was taken is enough."""
    with tenant_scope(tenant):
        rows = KeyTrouble.objects.for_tenant(tenant).filter(pk=trouble)
        if not rows.filter(mailed_at=None).update(mailed_at=now):
            return False
        row = rows.select_related("key", "tenant").get()
        people = Membership.objects.for_tenant(tenant).filter(role__in=RECIPIENTS)
        recipients = list(people.order_by("pk").values_list("user__email", flat=True))
    subject, context = _told(row)
    sent = [
        mails.send("key_trouble", to=one, subject=subject, context=context) for one in recipients
    ]
    if recipients and not any(sent):
        with tenant_scope(tenant):
            KeyTrouble.objects.for_tenant(tenant).filter(pk=trouble).update(mailed_at=None)
    return any(sent)


def _told(row: KeyTrouble) -> tuple[str, dict[str, object]]:
    key = row.key
    provider = marks.label_of(key.provider)
    is_broke = row.status == KeyStatus.NO_CREDIT
    what = f"{provider} says that your account is out of credit"
    if not is_broke:
        what = f"{provider} refuses a key"
    return f"{what}: {row.tenant.name}", {
        "what": what,
        "tenant": row.tenant.name,
        "provider": provider,
        "key": f"{key.label} …{key.last4}" if key.label else f"…{key.last4}",
        "reason": key.status_reason,
        "since": row.since,
        "is_broke": is_broke,
        "url": f"{snippets.public_url()}{reverse('providers')}#{key.provider}",
    }
