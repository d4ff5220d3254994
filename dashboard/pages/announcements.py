"""`POST /dashboard/announcements/dismiss/`: seen, and not to be shown to this person again."""

from typing import cast
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from accounts import ids
from accounts.errors import NotFound
from accounts.models import User
from dashboard import announcements
from dashboard.decorators import TenantRequest


@require_POST
def dismiss(request: TenantRequest) -> HttpResponse:
    user = cast("User", request.user)
    announcements.dismiss(_id(request), user=user, now=timezone.now())
    back = request.POST.get("next", "")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if is_ours else "overview")


def _id(request: TenantRequest) -> UUID:
    try:
        return ids.read("ann", request.POST.get("announcement", ""))
    except ids.InvalidId:
        raise NotFound(kind="announcement") from None
