"""Mails that pages send: plain text and HTML, made of two templates of one name."""

import logging
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

log = logging.getLogger(__name__)


def can_send() -> bool:
    """Whether the operator has set up mail."""
    return bool(settings.EMAIL_CONFIG)


def send(
    name: str,
    *,
    to: str,
    subject: str,
    context: dict[str, Any],
    headers: dict[str, str] | None = None,
) -> bool:
    """Send `emails/<name>.txt` and `.html`; whether the mail server took it."""
    if not can_send():
        return False
    mail = EmailMultiAlternatives(
        " ".join(subject.split()),  # a name may hold a line break, a header must not
        render_to_string(f"emails/{name}.txt", context).strip(),
        None,
        [to],
        headers=headers,
    )
    mail.attach_alternative(render_to_string(f"emails/{name}.html", context), "text/html")
    try:
        return mail.send() == 1
    except (OSError, SMTPException):
        log.exception("a mail could not be sent", extra={"mail": name})
        return False
