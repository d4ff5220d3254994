"""Every query says whose rows it wants."""

import threading

import pytest
from django.db import IntegrityError, connection, models, transaction

from accounts import tenancy
from accounts.errors import NotFound
from accounts.models import Project, Tenant
from accounts.tenancy import TenantOwned, UnscopedQuery
from tests.factories.accounts import ProjectFactory, TenantFactory


def _heirs(of: list[type[TenantOwned]]) -> set[type[TenantOwned]]:
    return {heir for one in of for heir in (one, *_heirs(one.__subclasses__()))}


CONCRETE = [
    model
    for model in sorted(_heirs(TenantOwned.__subclasses__()), key=lambda model: model.__name__)
    if not model._meta.abstract
]


@pytest.mark.parametrize("model", CONCRETE)
def test_no_rows_without_saying_whose(model: type[TenantOwned]) -> None:
    for ask in (
        model.objects.all,
        model.objects.get,
        model.objects.filter,
        model.objects.create,
        model.objects.count,
        model.objects.first,
        lambda: model.objects.exclude(pk=None),
        lambda: model.objects.bulk_create([]),
        lambda: model.objects.get_or_create(pk=None),
        lambda: model.objects.values_list("pk"),
    ):
        with pytest.raises(UnscopedQuery, match=model.__name__):
            ask()


def test_every_model_with_a_tenant_is_tenant_owned() -> None:
    from django.apps import apps

    with_tenant = {
        model
        for model in apps.get_models()
        if any(field.attname == "tenant_id" for field in model._meta.concrete_fields)
    }

    assert with_tenant == set(CONCRETE)
    assert len(CONCRETE) >= 11


@pytest.mark.django_db
def test_a_tenants_rows_and_no_others() -> None:
    mine, foreign = ProjectFactory.create(name="mine"), ProjectFactory.create(name="foreign")

    with tenancy.tenant_scope(mine.tenant_id):
        rows = Project.objects.for_tenant(mine.tenant)

        assert list(rows) == [mine]
        assert list(Project.objects.for_tenant(mine.tenant_id)) == [mine]
        assert rows.filter(pk=foreign.pk).first() is None


@pytest.mark.django_db
def test_unknown_and_foreign_rows_look_the_same() -> None:
    mine, foreign = ProjectFactory.create(), ProjectFactory.create()
    refusals = []
    with tenancy.tenant_scope(mine.tenant_id):
        rows = Project.objects.for_tenant(mine.tenant)
        assert rows.named("project", name=mine.name) == mine
        for name in (foreign.name, "no such"):
            with pytest.raises(NotFound) as refusal:
                rows.named("project", name=name)
            refusals.append(str(refusal.value))

    assert refusals == ["There is no such project."] * 2


@pytest.mark.django_db
def test_the_system_sees_the_rows_of_all_tenants() -> None:
    ProjectFactory.create()
    ProjectFactory.create()

    with tenancy.system_scope():
        assert Project.objects.count() == 2


@pytest.mark.django_db
def test_nested_scopes_give_way_to_the_one_around_them() -> None:
    mine, foreign = ProjectFactory.create(), ProjectFactory.create()

    with tenancy.system_scope():
        with tenancy.tenant_scope(mine.tenant_id):
            with pytest.raises(UnscopedQuery):
                Project.objects.count()
            with tenancy.system_scope():
                assert Project.objects.count() == 2
            with pytest.raises(UnscopedQuery):
                Project.objects.count()
        assert set(Project.objects.all()) == {mine, foreign}
    with pytest.raises(UnscopedQuery):
        Project.objects.count()


@pytest.mark.django_db
def test_a_scope_that_fails_gives_way_too() -> None:
    tenant = TenantFactory.create()

    with tenancy.system_scope():
        with pytest.raises(ZeroDivisionError), tenancy.tenant_scope(tenant.pk):
            _ = 1 // 0
        assert Project.objects.count() == 0
    with pytest.raises(UnscopedQuery):
        Project.objects.count()


@pytest.mark.django_db
def test_a_refusal_of_the_database_within_nested_scopes_is_the_one_that_is_seen() -> None:
    one = ProjectFactory.create(name="one")
    ProjectFactory.create(tenant=one.tenant, name="other")

    with tenancy.system_scope():
        with pytest.raises(IntegrityError), tenancy.tenant_scope(one.tenant_id):
            Project.objects.for_tenant(one.tenant).filter(name="other").update(name="one")
        assert Project.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_fails_within_a_scope_is_undone() -> None:
    tenant = TenantFactory.create()

    with pytest.raises(ZeroDivisionError), tenancy.tenant_scope(tenant.pk):
        Project.objects.for_tenant(tenant).create(tenant=tenant, name="half")
        _ = 1 // 0

    with tenancy.system_scope():
        assert Project.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_scope_belongs_to_its_thread() -> None:
    answers: list[str] = []

    def ask() -> None:
        try:
            answers.append(str(Project.objects.count()))
        except UnscopedQuery:
            answers.append("refused")
        finally:
            connection.close()

    with tenancy.system_scope():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    assert answers == ["refused"]


@pytest.mark.django_db(transaction=True)
def test_a_scope_is_a_transaction_and_a_savepoint_within_another() -> None:
    tenant = TenantFactory.create(name="as it was")

    with tenancy.tenant_scope(tenant.pk):
        with pytest.raises(ZeroDivisionError), tenancy.tenant_scope(tenant.pk):
            Tenant.objects.filter(pk=tenant.pk).update(name="undone")
            _ = 1 // 0
        Tenant.objects.filter(pk=tenant.pk).update(suspended_reason="kept")
    tenant.refresh_from_db()

    assert (tenant.name, tenant.suspended_reason) == ("as it was", "kept")


@pytest.mark.django_db
def test_a_scope_that_is_marked_for_rollback_is_undone_without_a_complaint() -> None:
    tenant = TenantFactory.create(name="as it was")

    with transaction.atomic(), tenancy.tenant_scope(tenant.pk):
        Tenant.objects.filter(pk=tenant.pk).update(name="undone")
        transaction.set_rollback(True)

    tenant.refresh_from_db()
    assert tenant.name == "as it was"


def test_rows_of_a_tenant_are_asked_for_by_its_id_or_by_itself() -> None:
    tenant = TenantFactory.build()
    by_id = str(Project.objects.for_tenant(tenant.pk).query)

    assert str(Project.objects.for_tenant(tenant).query) == by_id
    assert tenant.pk.hex in by_id.replace("-", "")
    assert issubclass(Project, models.Model)
