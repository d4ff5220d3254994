"""`/invitation/{token}/`: what an invitation's link opens, for people who are not members yet."""

from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts import invitations
from accounts.errors import Conflict, NotFound
from accounts.models import User
from accounts.roles import Role
from dashboard.account_adapter import INVITATION
from dashboard.decorators import MODE, TENANT
from dashboard.forms.team import MAY


@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who is logged in accepts by a POST; others log in or sign up first."""
    now, user = timezone.now(), request.user
    try:
        found = invitations.find(token, now=now)
        if request.method == "POST":
            return _answer(request, token)
    except NotFound as problem:
        raise Http404(str(problem)) from None
    request.session[INVITATION] = token  # signing up joins
    context = {
        "invitation": found,
        "may": MAY[Role(found.role)],
        "is_theirs": isinstance(user, User) and invitations.is_for(found, user.email),
        "may_sign_up": not User.objects.filter(email=found.email).exists(),
    }
    return render(request, "site/invitation.html", context)


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    user = request.user
    if "log_out" in request.POST:
        logout(request)
        return redirect("invitation", token)
    if not isinstance(user, User):
        return redirect("invitation", token)
    try:
        joined = invitations.accept(token, user=user, now=timezone.now())
    except Conflict as problem:
        messages.error(request, str(problem))
        return redirect("invitation", token)
    request.session.pop(INVITATION, None)
    request.session[TENANT] = str(joined.tenant_id)
    request.session.pop(MODE, None)
    return redirect("overview")
