"""On PostgreSQL the database itself keeps tenants apart, whatever the code forgets."""

import os
import shutil
import subprocess
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from accounts import ids, tenancy
from accounts.models import Project
from tests.accounts.databases import postgresql_only, rows_of
from tests.factories.accounts import ProjectFactory

pytestmark = [postgresql_only, pytest.mark.django_db(transaction=True)]

WITH_TENANT = """
    SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
           (SELECT count(*) FROM pg_policies p WHERE p.tablename = c.relname)
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p')
    ORDER BY c.relname
"""


def names() -> set[str]:
    """The names of all projects that raw SQL can see."""
    return {name for (name,) in rows_of("SELECT name FROM accounts_project")}


@pytest.fixture
def two_projects() -> tuple[Project, Project]:
    return ProjectFactory.create(name="mine"), ProjectFactory.create(name="foreign")


def test_every_table_with_a_tenant_has_row_security_enabled_forced_and_a_policy() -> None:
    tables = rows_of(WITH_TENANT)

    assert len(tables) >= 14
    assert [name for name, *secured in tables if secured != [True, True, 1]] == []


def test_every_policy_is_the_same_for_reading_and_writing() -> None:
    policies = rows_of(
        "SELECT DISTINCT cmd, permissive, roles::text, qual, with_check FROM pg_policies"
        " WHERE schemaname = 'public'"
    )

    assert len(policies) == 1
    command, permissive, roles, using, check = policies[0]
    assert (command, permissive, roles) == ("ALL", "PERMISSIVE", "{public}")
    assert using == check
    assert "app.tenant" in using


def test_the_role_of_the_gateway_cannot_pass_by_the_policies() -> None:
    role = rows_of("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")

    assert role == [(False, False)]


def test_raw_sql_without_a_scope_sees_nothing(two_projects: tuple[Project, Project]) -> None:
    assert names() == set()
    with transaction.atomic():
        assert names() == set()


def test_raw_sql_sees_the_rows_of_its_tenant_alone(two_projects: tuple[Project, Project]) -> None:
    mine, foreign = two_projects
    with tenancy.tenant_scope(mine.tenant_id):
        assert names() == {"mine"}
    with tenancy.tenant_scope(foreign.tenant_id):
        assert names() == {"foreign"}
    with tenancy.tenant_scope(ids.new()):
        assert names() == set()
    with tenancy.system_scope():
        assert names() == {"mine", "foreign"}


def test_a_scope_does_not_outlive_its_transaction(two_projects: tuple[Project, Project]) -> None:
    mine, _ = two_projects
    backend = rows_of("SELECT pg_backend_pid()")
    with tenancy.system_scope():
        assert names() == {"mine", "foreign"}
    assert names() == set()
    with pytest.raises(ZeroDivisionError), tenancy.tenant_scope(mine.tenant_id):
        _ = 1 // 0
    assert names() == set()
    assert rows_of("SELECT pg_backend_pid()") == backend


def test_a_scope_does_not_outlive_its_block(two_projects: tuple[Project, Project]) -> None:
    mine, _ = two_projects
    with transaction.atomic():
        with tenancy.system_scope():
            assert names() == {"mine", "foreign"}
        assert names() == set()
        with pytest.raises(ZeroDivisionError), tenancy.system_scope():
            _ = 1 // 0
        assert names() == set()
        with tenancy.tenant_scope(mine.tenant_id):
            with tenancy.system_scope():
                pass
            assert names() == {"mine"}
            with pytest.raises(DatabaseError), tenancy.system_scope():
                rows_of("SELECT 1 / 0")
            assert names() == {"mine"}
        assert names() == set()


def test_a_tenant_cannot_insert_rows_of_another(two_projects: tuple[Project, Project]) -> None:
    mine, foreign = two_projects
    with (
        pytest.raises(DatabaseError, match="row-level security"),
        tenancy.tenant_scope(mine.tenant_id),
    ):
        Project.objects.for_tenant(foreign.tenant).create(tenant=foreign.tenant, name="planted")


def test_a_tenant_cannot_change_or_delete_rows_of_another(
    two_projects: tuple[Project, Project],
) -> None:
    mine, foreign = two_projects
    with tenancy.tenant_scope(mine.tenant_id):
        assert Project.objects.for_tenant(foreign.tenant).update(name="taken") == 0
        with connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_project SET name = name || '2'")
            assert cursor.rowcount == 1
            cursor.execute("DELETE FROM accounts_project WHERE name = 'foreign'")
            assert cursor.rowcount == 0
    with tenancy.system_scope():
        assert names() == {"mine2", "foreign"}


def test_a_tenant_cannot_give_its_rows_to_another(two_projects: tuple[Project, Project]) -> None:
    mine, foreign = two_projects
    with (
        pytest.raises(DatabaseError, match="row-level security"),
        tenancy.tenant_scope(mine.tenant_id),
    ):
        Project.objects.for_tenant(mine.tenant).update(tenant=foreign.tenant)


@pytest.mark.parametrize("setting", ["", "not a uuid", str(UUID(int=0))])
def test_a_scope_that_names_no_tenant_shows_nothing(
    two_projects: tuple[Project, Project], setting: str
) -> None:
    with transaction.atomic():
        rows_of("SELECT set_config('app.tenant', %s, true)", setting)
        try:
            with transaction.atomic():
                seen = names()
        except DatabaseError:
            seen = set()
        assert seen == set()


def test_a_partition_is_no_way_around() -> None:
    partitions = rows_of("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")

    assert {"billing_call_rest", "billing_attempt_rest"} <= {name for (name,) in partitions}
    secured = {name for name, *_ in rows_of(WITH_TENANT)}
    assert {name for (name,) in partitions} <= secured


@pytest.mark.usefixtures("two_projects")
@pytest.mark.skipif(shutil.which("pg_dump") is None, reason="pg_dump is not installed")
def test_a_dump_as_the_operations_page_has_it_holds_the_rows_of_all_tenants() -> None:
    database = connection.settings_dict
    server = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD"}
    reached = {name: str(database[key]) for key, name in server.items() if database[key]}

    dumped = subprocess.run(
        ["pg_dump", "--enable-row-security", "--table=accounts_project", database["NAME"]],
        env={**os.environ, **reached, "PGOPTIONS": "-c app.scope=system"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert dumped.returncode == 0, dumped.stderr
    assert "\tmine\t" in dumped.stdout
    assert "\tforeign\t" in dumped.stdout
