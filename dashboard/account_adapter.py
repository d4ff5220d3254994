"""How people get in: who may sign up, what signing up makes, where one lands afterwards."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from accounts import installation, invitations, members, signup
from accounts.errors import NotFound
from accounts.models import Invitation, User
from accounts.roles import Right, has_right

INVITATION = "invitation"  # the token of the session's last opened invitation


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth comes without types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """For all, or for people with an invitation; `closed` is closed for them, too."""
        mode = installation.signup()
        return _invitation(request) is not None if mode == "invite" else mode == "open"

    def clean_email(self, email: str) -> str:
        """Where sign-up needs an invitation, it is for its receiver and nobody else."""
        if installation.signup() == "invite":
            invited = _invitation(self.request)
            if invited and not invitations.is_for(invited, email):
                raise ValidationError(f"The invitation is for {invited.email}.")
        return email

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The user, with the consent just given, and a tenant: all of it or nothing.

        The tenant is a new one, or the one that the user was invited to.
        """
        user.terms_accepted_at = now = timezone.now()
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit=commit)
            invited = _invitation(request)
            if commit and invited and invitations.is_for(invited, saved.email):
                invitations.accept(request.session.pop(INVITATION), user=saved, now=now)
            elif commit:
                signup.create_tenant(saved)
        return saved

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return self.get_login_redirect_url(request)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """The first keys until they were shown; the admin for operators without a tenant."""
        user = request.user
        membership = members.current(user, None) if isinstance(user, User) else None
        if membership is None:
            is_operator = user.is_authenticated and user.is_staff
            return reverse("admin:index") if is_operator else reverse("overview")
        may_see_keys = has_right(membership.role, Right.MANAGE_KEYS)
        if membership.tenant.first_keys_shown_at is None and may_see_keys:
            return reverse("first_keys")
        return reverse("overview")


def _invitation(request: HttpRequest) -> Invitation | None:
    """The invitation that this browser has opened, while it counts."""
    try:
        return invitations.find(request.session.get(INVITATION, ""), now=timezone.now())
    except NotFound:
        return None
