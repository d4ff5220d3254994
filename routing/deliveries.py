"""Send what waits for webhooks, through the guard that providers' own addresses pass."""

import asyncio
import logging
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings

from accounts.errors import InvalidRequest
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from accounts.vault import MasterKeyProblem, SealBroken
from billing import webhooks
from billing.models import Webhook, WebhookDelivery
from billing.webhooks import Answer, Message
from routing.upstream import client, endpoints, guard
from routing.upstream.client import CannotReach

log = logging.getLogger(__name__)


def checked(url: str) -> str:
    """A URL that a webhook may have. Raises InvalidRequest."""
    try:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" in settings.FLO2_WEBHOOK_ORIGINS:
            return url
        return guard.check_url(url)
    except (guard.AddressRefused, ValueError) as problem:
        raise InvalidRequest(str(problem), param="url") from None


def send_due(now: datetime) -> int:
    """One try of everything whose time has come, side by side; how many."""
    messages = [one for tenant, row in webhooks.due(now) if (one := _claim(tenant, row, now))]
    answers = asyncio.run(_send_all(messages))
    for message, answer in zip(messages, answers, strict=True):
        with tenant_scope(message.tenant):
            webhooks.settle(message.tenant, message.delivery, answer, now=now)
    return len(messages)


def send_test(tenant: Tenant, hook: Webhook, *, now: datetime) -> WebhookDelivery:
    """Send a test, and say what became of it. Not within a transaction."""
    with tenant_scope(tenant.pk):
        row = webhooks.add_test(hook, now=now)
        message = webhooks.claim(tenant.pk, row.pk, now=now)
    [answer] = asyncio.run(_send_all([message])) if message else [Answer()]
    with tenant_scope(tenant.pk):
        return webhooks.settle(tenant.pk, row.pk, answer, now=now)


def _claim(tenant: UUID, row: UUID, now: datetime) -> Message | None:
    try:
        with tenant_scope(tenant):
            return webhooks.claim(tenant, row, now=now)
    except (SealBroken, MasterKeyProblem):
        log.exception("a webhook's secret does not open", extra={"tenant": str(tenant)})
        with tenant_scope(tenant):
            webhooks.settle(tenant, row, Answer(problem="its secret does not open"), now=now)
        return None


async def _send_all(messages: list[Message]) -> list[Answer]:
    return await asyncio.gather(*map(_send, messages))


async def _send(message: Message) -> Answer:
    try:
        endpoint = endpoints.webhook(message.url)
        return Answer(await client.post(endpoint, message.body, message.headers))
    except CannotReach as problem:
        return Answer(problem=str(problem))
