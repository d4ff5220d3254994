"""What operators decide while the installation runs, in place of its environment."""

from django.conf import settings

from accounts import operator_audit
from accounts.audit import Actor
from accounts.models import Installation
from accounts.tenancy import system_scope

SIGNUP = ("open", "invite", "closed")


def signup() -> str:
    """Who may sign up: as an operator has decided, else as FLO2_SIGNUP says."""
    return decided_signup() or by_environment()


def by_environment() -> str:
    return str(settings.FLO2_SIGNUP)


def decided_signup() -> str:
    row = Installation.objects.filter(pk=1).first()
    return row.signup if row else ""


def decide_signup(mode: str, *, actor: Actor) -> None:
    """`mode` is one of SIGNUP, or empty to do as the environment says."""
    with system_scope():
        row, _ = Installation.objects.get_or_create(pk=1)
        before, row.signup = row.signup, mode
        if before != mode:
            row.save(update_fields=["signup"])
            operator_audit.record(
                actor.name,
                action="signup.changed",
                subject=mode or "as the environment says",
                before=before or "as the environment says",
            )
