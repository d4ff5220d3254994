"""What every template may use."""

from functools import partial
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts import installation
from accounts.models import User
from accounts.models.gateway_key import Mode
from dashboard import announcements, impersonating, navigation
from dashboard.models import Announcement


def site(request: HttpRequest) -> dict[str, Any]:
    """The menu and the mode switch for members of a tenant; for all: who may sign up."""
    shared = {
        "signup": SimpleLazyObject(installation.signup),
        "operator_mail": _operator_mail(),
        "impersonation": impersonating.of(request),
        "demo": settings.FLO2_DEMO,
        "mail_is_sent": bool(settings.EMAIL_CONFIG),
    }
    membership = getattr(request, "membership", None)
    if membership is None:
        return shared
    match = request.resolver_match
    page = (match.url_name if match else "") or ""
    return {
        **shared,
        "menu": navigation.menu(membership.role, page),
        "mode": getattr(request, "mode", ""),
        "modes": [(mode.value, mode.label) for mode in (Mode.TEST, Mode.LIVE)],
        "tenant": membership.tenant,
        "membership": membership,
        "announcements": SimpleLazyObject(partial(_announcements, request)),
        "memberships": getattr(request, "memberships", []),
    }


def _announcements(request: HttpRequest) -> list[Announcement]:
    return announcements.for_user(cast("User", request.user), timezone.now())


def _operator_mail() -> str:
    """The address that mails come from, where the operator has set one."""
    address: str = settings.DEFAULT_FROM_EMAIL
    return "" if address.endswith("@localhost") else address
