"""Projects are made on first use, found from memory afterwards, and not without end."""

import asyncio
from uuid import UUID

import pytest

from accounts import changes, projects, signup, tenancy
from accounts.errors import InvalidRequest, Unavailable
from accounts.models import Project, Tenant
from tests.accounts.databases import away
from tests.accounts.threads import at_once, polled_after_reading
from tests.factories.accounts import ProjectFactory, TenantFactory

pytestmark = pytest.mark.django_db(transaction=True)


def found(tenant: Tenant, name: str) -> UUID:
    return asyncio.run(projects.find_or_make(tenant.pk, name))


def names(tenant: Tenant) -> list[str]:
    with tenancy.tenant_scope(tenant.pk):
        return list(Project.objects.for_tenant(tenant).values_list("name", flat=True))


def test_a_name_that_is_new_becomes_a_project(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()

    project = found(tenant, "web")

    assert names(tenant) == ["web"]
    assert found(tenant, "web") == project
    assert names(tenant) == ["web"]


def test_no_name_is_the_default_project(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    default = ProjectFactory.create(tenant=tenant, name=signup.DEFAULT_PROJECT)

    assert found(tenant, "") == default.pk
    assert projects.cached(tenant.pk, "") == default.pk
    assert projects.cached(tenant.pk, "default") == default.pk
    assert projects.cached(tenant.pk, "other") is None


def test_the_same_name_is_another_project_for_another_tenant(fresh: changes.Feed) -> None:
    one, other = TenantFactory.create(), TenantFactory.create()

    assert found(one, "web") != found(other, "web")


def test_the_201st_name_is_refused_and_the_200_go_on(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        Project.objects.for_tenant(tenant).bulk_create(
            Project(tenant=tenant, name=f"p{number}") for number in range(199)
        )
    found(tenant, "p199")

    with pytest.raises(InvalidRequest, match="200") as refusal:
        found(tenant, "one-too-many")
    assert refusal.value.param == "x-flo2-project"
    assert found(tenant, "p7")
    assert len(names(tenant)) == 200


def test_of_first_uses_at_once_all_get_the_same_project(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()

    answers = at_once(*[lambda: projects._find_or_make(tenant.pk, "web")] * 4)

    assert len(set(answers)) == 1
    assert names(tenant) == ["web"]


def test_without_the_database_known_projects_serve_and_new_ones_are_unavailable(
    fresh: changes.Feed,
) -> None:
    tenant = TenantFactory.create()
    project = found(tenant, "web")
    changes.feed.poll()
    assert found(tenant, "web") == project
    with away():
        assert projects.cached(tenant.pk, "web") == project
        with pytest.raises(Unavailable):
            found(tenant, "new")


def test_what_is_announced_of_a_project_drops_what_was_remembered(fresh: changes.Feed) -> None:
    tenant, other = TenantFactory.create(), TenantFactory.create()
    found(tenant, "web")
    found(other, "web")
    fresh.poll()
    assert projects.cached(tenant.pk, "web") is None
    found(tenant, "web")
    found(other, "web")
    changes.record("project", tenant=tenant.pk)
    fresh.poll()

    assert projects.cached(tenant.pk, "web") is None
    assert projects.cached(other.pk, "web") is not None


def test_projects_read_while_the_feed_brings_news_are_not_remembered(fresh: changes.Feed) -> None:
    tenant = TenantFactory.create()
    ProjectFactory.create(tenant=tenant, name="web")
    changes.record("project", tenant=tenant.pk)

    with polled_after_reading("accounts_project") as read:
        projects._find_or_make(tenant.pk, "web")

    assert len(read) == 1
    assert projects.cached(tenant.pk, "web") is None
