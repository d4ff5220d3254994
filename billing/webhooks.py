"""Webhooks: who is told of budgets' alerts, what is sent, and how each delivery stands.

Messages are signed as https://www.standardwebhooks.com has it (read 2026-11-20): HMAC-SHA256 over
id, time and body, in three headers. A delivery is tried again with growing pauses; a webhook of
which one was tried to the end in vain is switched off. Sending is routing's: see
`routing.deliveries`.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import audit, ids, vault
from accounts.errors import Conflict
from accounts.models import Tenant
from accounts.secret import Secret
from accounts.tenancy import system_scope, tenant_scope
from billing import budgets, money
from billing.models import Budget, BudgetAlert, Webhook, WebhookDelivery

EVENTS = ("budget.alert",)
TEST = "webhook.test"
MOST = 20  # of a tenant
SHOWN = 20
AT_ONCE = 100
PAUSES = (
    timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1),
    timedelta(hours=4), timedelta(hours=12),
)  # fmt: skip
CLAIMED_FOR = timedelta(minutes=5)  # a try whose process died is made again after that
KEPT_FOR = timedelta(days=30)
GONE = 410
USE = b"webhook"


@dataclass(frozen=True)
class Message:
    """One try, ready to be sent."""

    tenant: UUID
    delivery: UUID
    url: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What became of a try: a status, or why there was none."""

    http_status: int | None = None
    problem: str = ""

    @property
    def is_good(self) -> bool:
        return self.http_status is not None and 200 <= self.http_status < 300

    @property
    def trouble(self) -> str:
        return "" if self.is_good else self.problem or f"answered HTTP {self.http_status}"


def create(
    tenant: Tenant, *, url: str, budget: Budget | None, actor: audit.Actor, now: datetime
) -> tuple[Webhook, Secret]:
    """A webhook and its secret, which is shown this once. The URL is checked already."""
    if Webhook.objects.for_tenant(tenant).count() >= MOST:
        raise Conflict(f"There are {MOST} webhooks already; remove one first.")
    hook = Webhook(tenant=tenant, url=url, budget=budget, created_at=now)
    secret = _put_secret(hook)
    hook.save(force_insert=True)
    audit.record(tenant, actor=actor, action="webhook.created", subject=str(hook))
    return hook, secret


def change(hook: Webhook, *, url: str, budget: Budget | None, actor: audit.Actor) -> Webhook:
    hook.url, hook.budget = url, budget
    hook.save(update_fields=["url", "budget"])
    audit.record(hook.tenant, actor=actor, action="webhook.changed", subject=str(hook))
    return hook


def switch(hook: Webhook, *, on: bool, actor: audit.Actor, note: str = "") -> Webhook:
    """On or off; what waits for a webhook that is off is not sent any more."""
    hook.enabled, hook.note = on, note[:300]
    hook.save(update_fields=["enabled", "note"])
    if not on:
        waiting = WebhookDelivery.objects.for_tenant(hook.tenant_id).filter(
            webhook=hook, next_at__isnull=False
        )
        waiting.update(next_at=None, problem="the webhook was switched off")
    action = "webhook.switched_on" if on else "webhook.switched_off"
    audit.record(hook.tenant, actor=actor, action=action, subject=str(hook))
    return hook


def roll_secret(hook: Webhook, *, actor: audit.Actor) -> Secret:
    """Another secret, shown this once; the one of before signs nothing any more."""
    secret = _put_secret(hook)
    hook.save(update_fields=["sealed_secret", "last4"])
    audit.record(hook.tenant, actor=actor, action="webhook.secret_rolled", subject=str(hook))
    return secret


def remove(hook: Webhook, *, actor: audit.Actor) -> None:
    """Delete the webhook with its deliveries."""
    audit.record(hook.tenant, actor=actor, action="webhook.removed", subject=str(hook))
    hook.delete()


def find(tenant: Tenant, hook: UUID) -> Webhook:
    """Raises NotFound."""
    rows = Webhook.objects.for_tenant(tenant).select_related("tenant", *_OF_BUDGET)
    return rows.named("webhook", pk=hook)


def listed(tenant: Tenant) -> list[Webhook]:
    return list(Webhook.objects.for_tenant(tenant).select_related(*_OF_BUDGET))


def last_deliveries(tenant: Tenant, hook: Webhook | None = None) -> list[WebhookDelivery]:
    """The newest, of one webhook or of all."""
    rows = WebhookDelivery.objects.for_tenant(tenant).select_related("webhook")
    return list((rows.filter(webhook=hook) if hook else rows)[:SHOWN])


def announce_waiting(now: datetime) -> int:
    """Make a delivery for each webhook that is to be told of an alert; how many alerts."""
    with system_scope():
        waiting = BudgetAlert.objects.filter(announced_at=None).order_by("created_at", "id")
        chosen = list(waiting.values_list("tenant_id", "pk")[:AT_ONCE])
    for tenant, alert in chosen:
        with tenant_scope(tenant):
            rows = BudgetAlert.objects.for_tenant(tenant).select_for_update()
            row = rows.filter(pk=alert, announced_at=None).first()
            if row:
                _announce(row, now)
    return len(chosen)


def add_test(hook: Webhook, *, now: datetime) -> WebhookDelivery:
    """A message that says only that it is a test. It is tried once."""
    said = {"message": "This is a test of your webhook.", "url": _page()}
    return _add(hook, TEST, said, now)


def due(now: datetime) -> list[tuple[UUID, UUID]]:
    """Tenants and deliveries whose time has come, the oldest first."""
    with system_scope():
        rows = WebhookDelivery.objects.filter(next_at__lte=now).order_by("next_at", "id")
        return list(rows.values_list("tenant_id", "pk")[:AT_ONCE])


def claim(tenant: UUID, delivery: UUID, *, now: datetime) -> Message | None:
    """The next try of a delivery; None where somebody else is at it. In the tenant's scope.

    Raises SealBroken, or MasterKeyProblem.
    """
    rows = WebhookDelivery.objects.for_tenant(tenant).select_for_update()
    row = rows.filter(pk=delivery, next_at__lte=now).first()
    if row is None:
        return None
    row.tries, row.next_at = row.tries + 1, now + CLAIMED_FOR
    row.save(update_fields=["tries", "next_at"])
    hook = Webhook.objects.for_tenant(tenant).select_related("tenant").get(pk=row.webhook_id)
    return Message(tenant, delivery, hook.url, _signed(hook, row, now), row.body.encode())


def settle(tenant: UUID, delivery: UUID, answer: Answer, *, now: datetime) -> WebhookDelivery:
    """What became of a try; the next one, or the end. In the tenant's scope."""
    rows = WebhookDelivery.objects.for_tenant(tenant).select_related("webhook__tenant")
    row = rows.named("delivery", pk=delivery)
    row.http_status, row.problem, row.next_at = answer.http_status, answer.trouble[:300], None
    if answer.is_good:
        row.delivered_at = now
    elif row.event != TEST:
        gave_up = answer.http_status == GONE or row.tries > len(PAUSES)
        row.next_at = None if gave_up else now + PAUSES[row.tries - 1]
    row.save(update_fields=["http_status", "problem", "next_at", "delivered_at"])
    if row.status == "failed" and row.event != TEST and row.webhook.enabled:
        note = f"Switched off on {now:%Y-%m-%d %H:%M} UTC after {_tries(row.tries)}: {row.problem}."
        switch(row.webhook, on=False, actor=audit.SYSTEM, note=note)
    return row


def forget_old(tenant: UUID, now: datetime) -> int:
    """Delete deliveries that have ended long ago."""
    rows = WebhookDelivery.objects.for_tenant(tenant)
    return rows.filter(next_at=None, created_at__lt=now - KEPT_FOR).delete()[0]


def signature(secret: Secret, *, message: str, seconds: int, body: bytes) -> str:
    """`v1,` and the HMAC-SHA256 over `id.time.body` in base64."""
    key = base64.b64decode(secret.reveal().removeprefix("whsec_"))
    signed = f"{message}.{seconds}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


_OF_BUDGET = ("budget__project",)


def _tries(count: int) -> str:
    return "a try" if count == 1 else f"{count} tries"


def _announce(alert: BudgetAlert, now: datetime) -> None:
    hooks = Webhook.objects.for_tenant(alert.tenant_id).filter(enabled=True)
    budget = alert.window.budget_id
    told: Sequence[Webhook] = [one for one in hooks if one.budget_id in {None, budget}]
    if told:
        said = _said(alert, now)
        for hook in told:
            _add(hook, EVENTS[0], said, now)
    alert.announced_at = now
    alert.save(update_fields=["announced_at"])


def _said(alert: BudgetAlert, now: datetime) -> dict[str, Any]:
    window = alert.window
    stands = budgets.standing(window.budget, calls=window.calls, now=now)
    budget = stands.budget
    return {
        "budget_id": ids.show("bud", budget.pk),
        "scope": budget.scope,
        "scope_name": stands.subject.name if stands.subject else None,
        "window": budget.window,
        "window_started_at": window.starts_at.isoformat(),
        "resets_at": stands.resets_at.isoformat() if stands.resets_at else None,
        "mode": budget.mode,
        "calls": window.calls,
        "percent": alert.percent,
        "spent_usd": money.plain(alert.spent or money.ZERO),
        "limit_usd": money.plain(alert.limit or money.ZERO),
        "url": _page(),
    }


def _page() -> str:
    return f"{settings.FLO2_PUBLIC_URL}/dashboard/budgets/"


def _add(hook: Webhook, event: str, said: dict[str, Any], now: datetime) -> WebhookDelivery:
    body = {"type": event, "timestamp": now.isoformat(timespec="milliseconds"), "data": said}
    row = WebhookDelivery(
        tenant_id=hook.tenant_id,
        webhook=hook,
        event=event,
        body=json.dumps(body, ensure_ascii=False),
        next_at=now,
        created_at=now,
    )
    row.save(force_insert=True)
    return row


def _signed(hook: Webhook, row: WebhookDelivery, now: datetime) -> dict[str, str]:
    """The id is the same at every try, so that a receiver can tell a repetition."""
    message, seconds = ids.show("whd", row.pk), int(now.timestamp())
    signed = signature(_secret(hook), message=message, seconds=seconds, body=row.body.encode())
    return {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signed,
    }


def _put_secret(hook: Webhook) -> Secret:
    secret = Secret("whsec_" + base64.b64encode(os.urandom(32)).decode())
    hook.sealed_secret = vault.seal(
        secret.reveal().encode(),
        data_key=_data_key(hook.tenant),
        tenant=hook.tenant_id,
        use=USE,
        row=hook.pk.bytes,
    )
    hook.last4 = secret.last4
    return secret


def _secret(hook: Webhook) -> Secret:
    plain = vault.open_sealed(
        bytes(hook.sealed_secret),
        data_key=_data_key(hook.tenant),
        tenant=hook.tenant_id,
        use=USE,
        row=hook.pk.bytes,
    )
    return Secret(plain.decode())


def _data_key(tenant: Tenant) -> bytes:
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    return vault.unwrap(bytes(tenant.sealed_data_key), tenant=tenant.pk, masters=masters)
