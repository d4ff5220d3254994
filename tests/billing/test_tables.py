"""How the books lie in the database."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, models
from django.db.models import Sum

from accounts import tenancy
from billing import bulk, money, rows
from billing.models import (
    Attempt,
    Call,
    JournalCursor,
    PriceOverride,
    SpendDay,
    SpendDelta,
    SpendHour,
)
from billing.models.fields import UsdField
from billing.models.spend import DIMENSIONS, SUMS
from billing.partitions import CreatePartitionedModel
from billing.usage import BUCKETS
from tests.accounts.databases import postgresql_only, rows_of
from tests.factories.accounts import TenantFactory
from tests.factories.billing import book_call

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def columns(model: type[models.Model]) -> set[str]:
    return {field.attname for field in model._meta.concrete_fields}


def test_the_shipper_writes_every_column() -> None:
    assert set(rows.CALL_COLUMNS) == columns(Call)
    assert set(rows.ATTEMPT_COLUMNS) == columns(Attempt) - {"pk"}
    assert len(set(rows.CALL_COLUMNS)) == len(rows.CALL_COLUMNS)
    assert set(BUCKETS) <= set(rows.SETTLED_COLUMNS)


@pytest.mark.parametrize("model", [SpendDelta, SpendHour, SpendDay])
def test_roll_ups_have_every_dimension_and_every_sum(model: type[models.Model]) -> None:
    assert columns(model) - {"id", "tenant_id", "hour", "day"} == {*DIMENSIONS, *SUMS}


def test_money_is_kept_as_whole_pico_dollars() -> None:
    field = UsdField(null=True)

    assert field.get_prep_value(Decimal("0.002")) == 2 * 10**9
    assert field.get_prep_value(None) is None
    assert field.from_db_value(2 * 10**9) == Decimal("0.002")
    assert field.from_db_value(None) is None
    assert field.to_python("0.002") == Decimal("0.002")
    with pytest.raises(money.InexactMoney):
        field.get_prep_value(Decimal("1e-13"))


@pytest.mark.django_db
def test_money_can_be_summed_and_compared_in_the_database() -> None:
    tenant = TenantFactory.create()
    for _ in range(3):
        book_call(tenant)
    with tenancy.tenant_scope(tenant.pk):
        rows_of_tenant = Call.objects.for_tenant(tenant)
        assert rows_of_tenant.aggregate(Sum("cost"))["cost__sum"] == Decimal("0.006")
        assert rows_of_tenant.filter(cost__gt=Decimal("0.001")).count() == 3
        assert rows_of_tenant.filter(cost__gt=Decimal("0.002")).count() == 0
        assert rows_of("SELECT DISTINCT cost FROM billing_call") == [(2 * 10**9,)]


@pytest.mark.django_db
def test_an_hour_and_a_day_have_one_row_per_group() -> None:
    tenant = TenantFactory.create()
    group = dict.fromkeys(("mode", "purpose", "provider", "model", "policy"), "")
    for model, period in ((SpendHour, "hour"), (SpendDay, "day")):
        call = book_call(tenant)
        at = call.created_at if period == "hour" else call.created_at.date()
        ids = dict.fromkeys(("project_id", "gateway_key_id"), rows.NO_ID)
        with pytest.raises(IntegrityError), tenancy.tenant_scope(tenant.pk):
            for _ in range(2):
                model.objects.for_tenant(tenant).create(
                    tenant=tenant, **{period: at}, **group, **ids
                )


@pytest.mark.django_db
def test_how_many_rows_went_in_is_known() -> None:
    names, known, new = ["name", "position", "updated_at"], ("a", 1, NOON), ("b", 2, NOON)
    table = JournalCursor._meta.db_table

    assert bulk.insert(table, names, []) == 0
    assert bulk.insert(table, names, [known], conflict="(name)") == 1
    assert bulk.insert(table, names, [known, new, ("c", 3, NOON)], conflict="(name)") == 2
    assert bulk.insert(table, names, [known, new], conflict="(name)") == 0
    assert dict(JournalCursor.objects.values_list("name", "position")) == {"a": 1, "b": 2, "c": 3}


@postgresql_only
@pytest.mark.django_db
def test_calls_and_attempts_are_partitioned_by_the_id_of_the_call() -> None:
    partitioned = rows_of(
        "SELECT c.relname, pg_get_partkeydef(c.oid) FROM pg_class c"
        " WHERE c.relkind = 'p' ORDER BY c.relname"
    )
    defaults = rows_of(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'"
        " AND pg_get_expr(relpartbound, oid) = 'DEFAULT' ORDER BY relname"
    )

    assert partitioned == [
        ("billing_attempt", "RANGE (call_id)"),
        ("billing_call", "RANGE (id)"),
    ]
    assert defaults == [("billing_attempt_rest",), ("billing_call_rest",)]


def test_a_partitioned_table_can_be_written_into_a_migration() -> None:
    fields: list[tuple[str, models.Field[Any, Any]]] = [("id", models.UUIDField(primary_key=True))]
    name, arguments, named = CreatePartitionedModel("Call", fields=fields, by="id").deconstruct()

    assert (name, named["by"]) == ("CreatePartitionedModel", "id")
    assert CreatePartitionedModel(*arguments, **named).by == "id"


@pytest.mark.django_db
def test_a_tenants_prices_are_the_tenants() -> None:
    tenant = TenantFactory.create()
    with tenancy.tenant_scope(tenant.pk):
        PriceOverride.objects.for_tenant(tenant).create(
            tenant=tenant, provider="groq", model="m", price="{}", created_by="ada"
        )
        assert str(PriceOverride.objects.for_tenant(tenant).get()) == "groq/m"
        assert not PriceOverride.objects.for_tenant(TenantFactory.create()).exists()
