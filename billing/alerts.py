"""Mails about budgets that have reached a threshold. The alert's row is the outbox."""

import logging
from datetime import datetime
from smtplib import SMTPException
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from accounts.models import Membership
from accounts.roles import Role
from accounts.tenancy import system_scope, tenant_scope
from billing import budgets, money
from billing.models import BudgetAlert

log = logging.getLogger(__name__)

AT_ONCE = 100
PAGE = "/dashboard/budgets/"
RECIPIENTS = (Role.OWNER, Role.ADMIN)


def send_waiting(now: datetime) -> int:
    """Mail what waits; how many alerts were dealt with. Without mail they stand on the page."""
    with system_scope():
        waiting = BudgetAlert.objects.filter(sent_at=None).values_list("tenant_id", flat=True)
        tenants = list(waiting.order_by("tenant_id").distinct())
    return sum(_send_of(tenant, now) for tenant in tenants)


def _send_of(tenant: UUID, now: datetime) -> int:
    """One transaction per alert: a mail that cannot be sent waits, and holds up no other."""
    with tenant_scope(tenant):
        waiting = BudgetAlert.objects.for_tenant(tenant).filter(sent_at=None)
        chosen = list(waiting.order_by("created_at", "id").values_list("pk", flat=True)[:AT_ONCE])
    for alert in chosen:
        try:
            _send(tenant, alert, now)
        except (OSError, SMTPException):
            log.exception("a budget's alert could not be sent; it is tried again")
    return len(chosen)


def _send(tenant: UUID, alert: UUID, now: datetime) -> None:
    with tenant_scope(tenant):
        rows = BudgetAlert.objects.for_tenant(tenant).select_for_update()
        row = rows.filter(pk=alert, sent_at=None).first()
        if row:
            _mail(row, now)
            row.sent_at = now
            row.save(update_fields=["sent_at"])


def _mail(alert: BudgetAlert, now: datetime) -> None:
    recipients = list(
        Membership.objects.for_tenant(alert.tenant_id)
        .filter(role__in=RECIPIENTS)
        .values_list("user__email", flat=True)
    )
    if not settings.EMAIL_CONFIG or not recipients:
        return
    window = alert.window
    stands = budgets.standing(window.budget, calls=window.calls, now=now)
    budget, subject = stands.budget, stands.subject
    text = render_to_string(
        "emails/budget_alert.txt",
        {
            "percent": alert.percent,
            "tenant": alert.tenant.name,
            "whose": f"{budget.scope} {subject.name}" if subject else "the whole account",
            "window": budget.window,
            "calls": window.calls,
            "spent": money.plain(alert.spent),
            "limit": money.plain(alert.limit),
            "resets_at": stands.resets_at,
            "is_hard": budget.mode == "hard",
            "url": settings.FLO2_PUBLIC_URL + PAGE,
        },
    )
    title = f"{alert.percent} % of a budget of {alert.tenant.name} is spent"
    # A name may hold a line break, a header must not.
    send_mail(" ".join(title.split()), text, None, recipients)
