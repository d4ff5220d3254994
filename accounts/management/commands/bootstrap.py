"""`manage.py bootstrap`: a user, a tenant and their keys, for scripts."""

import json
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model
from django.utils import timezone

from accounts import audit, gateway_keys, members, signup, tokens, vault
from accounts.gateway_keys import KeyTerms
from accounts.models import Tenant, User
from accounts.tenancy import tenant_scope


class Command(BaseCommand):
    help = "Create the user and the tenant if they are absent, and print new keys of theirs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", required=True)
        parser.add_argument("--tenant", required=True, help="name of the tenant")
        parser.add_argument("--operator", action="store_true", help="make the user an operator")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            vault.master_keys(settings.FLO2_MASTER_KEYS)
            tokens.peppers(settings.FLO2_KEY_PEPPERS)
        except (vault.MasterKeyProblem, tokens.PepperProblem) as problem:
            raise CommandError(str(problem)) from None
        name = _checked(Tenant, "name", " ".join(options["tenant"].split()), option="--tenant")
        email = _checked(User, "email", options["email"].strip().lower(), option="--email")
        user = self._user(email, options["password"], operator=options["operator"])
        tenant = members.tenant_named(name, owner=user) or signup.create_tenant(user, name=name)
        keys = {"tenant": name, **_new_keys(tenant, user)}
        if options["json"]:
            self.stdout.write(json.dumps(keys))
        else:
            self.stdout.write("\n".join(f"{label}: {value}" for label, value in keys.items()))

    def _user(self, email: str, password: str, *, operator: bool) -> User:
        if len(password) < 12:
            raise CommandError("The password needs at least 12 characters.")
        user = User.objects.filter(email=email).first()
        if user is None:
            user = User.objects.create_user(email, password, terms_accepted_at=timezone.now())
        if operator and not user.is_staff:
            user.is_staff = user.is_superuser = True
            user.save(update_fields=["is_staff", "is_superuser"])
        return user


def _checked(model: type[Model], field: str, value: str, *, option: str) -> str:
    """The value, where this field of the model may have it."""
    try:
        model(**{field: value}).clean_fields(
            exclude=[one.name for one in model._meta.fields if one.name != field]
        )
    except ValidationError as problem:
        raise CommandError(f"{option}: {' '.join(problem.messages)}") from None
    return value


def _new_keys(tenant: Tenant, user: User) -> dict[str, str]:
    actor = audit.person(user)
    with tenant_scope(tenant.pk):
        texts = {
            f"{mode}_key": gateway_keys.issue(
                tenant, KeyTerms(name=f"Bootstrap {mode} key", mode=mode), actor=actor
            ).text
            for mode in ("live", "test")
        }
        texts["management_key"] = gateway_keys.issue_management_key(
            tenant, name="Bootstrap management key", actor=actor
        )
    return {label: secret.reveal() for label, secret in texts.items()}
