"""`manage.py bootstrap` and `manage.py grant_operator`."""

import asyncio
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts import audit, callers, changes, members, tenancy, tokens
from accounts.models import GatewayKey, Membership, Project, Tenant, User
from accounts.roles import Role
from tests.factories.accounts import UserFactory

PERSON = {"email": "Ada@Example.org", "password": "correct horse battery", "tenant": "Acme"}


def bootstrap(**options: Any) -> str:
    out = io.StringIO()
    call_command("bootstrap", **{**PERSON, **options}, stdout=out)
    return out.getvalue()


def keys(**options: Any) -> dict[str, str]:
    read: dict[str, str] = json.loads(bootstrap(json=True, **options))
    return read


@pytest.mark.django_db
def test_the_first_run_makes_user_tenant_and_keys() -> None:
    made = keys()
    user = User.objects.get()

    assert set(made) == {"tenant", "live_key", "test_key", "management_key"}
    assert made["tenant"] == "Acme"
    assert all(tokens.is_well_formed(made[name]) for name in made if name != "tenant")
    assert [made[name][:10] for name in ("live_key", "test_key", "management_key")] == [
        "flo2_live_",
        "flo2_test_",
        "flo2_mgmt_",
    ]
    assert user.email == "ada@example.org"
    assert user.check_password(PERSON["password"])
    assert user.terms_accepted_at is not None
    assert not user.is_staff
    (membership,) = members.of_user(user)
    assert (membership.tenant.name, membership.role) == ("Acme", Role.OWNER)


@pytest.mark.django_db
def test_another_run_makes_new_keys_and_nothing_else() -> None:
    first, second = keys(), keys(password="another password entirely")

    assert User.objects.count() == Tenant.objects.count() == 1
    assert User.objects.get().check_password(PERSON["password"])
    with tenancy.system_scope():
        assert (Membership.objects.count(), Project.objects.count()) == (1, 1)
        assert GatewayKey.objects.count() == 4
        assert audit.first_broken(Tenant.objects.get()) is None
    assert not {*first.values()} & {*second.values()} - {"Acme"}


@pytest.mark.django_db
def test_another_name_is_another_tenant_of_the_same_person() -> None:
    keys()
    keys(tenant="Other")

    assert User.objects.count() == 1
    assert {tenant.name for tenant in Tenant.objects.all()} == {"Acme", "Other"}


@pytest.mark.django_db
def test_the_tenant_of_somebody_else_is_not_taken_over() -> None:
    keys()
    keys(email="eve@example.org")

    assert Tenant.objects.filter(name="Acme").count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_keys_work_at_once(fresh: changes.Feed) -> None:
    made = keys()
    caller = asyncio.run(callers.recognise(made["test_key"]))

    assert caller.is_test
    assert caller.tenant_id == Tenant.objects.get().pk


@pytest.mark.django_db
def test_without_json_each_key_has_a_line() -> None:
    lines = bootstrap().splitlines()

    assert [line.partition(": ")[0] for line in lines] == [
        "tenant",
        "live_key",
        "test_key",
        "management_key",
    ]


@pytest.mark.django_db
def test_the_user_becomes_an_operator_when_asked_to() -> None:
    keys()
    keys(operator=True)

    assert User.objects.get().is_staff
    assert User.objects.get().is_superuser


@pytest.mark.django_db
def test_a_short_password_is_refused_in_one_sentence() -> None:
    with pytest.raises(CommandError, match="at least 12 characters"):
        bootstrap(password="short")

    assert User.objects.count() == 0


@pytest.mark.django_db
def test_a_user_is_made_an_operator_by_command() -> None:
    user = UserFactory.create(email="ada@example.org")
    out = io.StringIO()
    call_command("grant_operator", " Ada@example.org ", stdout=out)
    user.refresh_from_db()

    assert (user.is_staff, user.is_superuser) == (True, True)
    assert out.getvalue() == "ada@example.org is an operator now.\n"


@pytest.mark.django_db
def test_nobody_is_made_an_operator_by_mistake() -> None:
    with pytest.raises(CommandError, match=r"There is no user eve@example\.org\."):
        call_command("grant_operator", "eve@example.org")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"email": "ada"}, "--email: Enter a valid email address."),
        ({"email": " "}, "--email: This field cannot be blank."),
        ({"tenant": " "}, "--tenant: This field cannot be blank."),
        ({"tenant": "x" * 101}, "--tenant: Ensure this value has at most 100 characters"),
    ],
)
def test_what_nobody_could_be_named_is_refused_before_anybody_is_made(
    options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(CommandError) as problem:
        bootstrap(**options)

    assert str(problem.value).startswith(sentence)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_blanks_around_a_tenant_s_name_make_no_second_tenant() -> None:
    bootstrap()
    bootstrap(tenant=" Acme ")

    assert Tenant.objects.count() == 1
