"""Answers from the cache stay out of figures of speed, and expired ones out of the table."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from billing import latency
from routing import tasks
from routing.models import CachedAnswer
from tests.factories.accounts import TenantFactory
from tests.factories.billing import book_call

pytestmark = pytest.mark.django_db


def test_hits_do_not_count_in_latencies() -> None:
    tenant = TenantFactory.create()
    book_call(tenant, settled={"latency_ms": 900})
    book_call(tenant, settled={"latency_ms": 1, "cache": "hit"}, attempts=())

    with tenant_scope(tenant.pk):
        found = latency.of_last_calls(tenant.pk, mode="live")

    assert (found.calls, found.p50_ms) == (1, 900)


def test_the_timetable_deletes_what_has_expired_and_nothing_else() -> None:
    tenant: Tenant = TenantFactory.create()
    now = timezone.now()
    with tenant_scope(tenant.pk):
        for number, ends_in in enumerate((-1, 60)):
            CachedAnswer.objects.for_tenant(tenant).create(
                tenant=tenant, key=bytes([number]) * 32, sealed=b"x", size=1, lineage=UUID(int=1),
                created_at=now, used_at=now, expires_at=now + timedelta(seconds=ends_in),
            )  # fmt: skip

    assert tasks.forget_expired_answers() == 1

    with tenant_scope(tenant.pk):
        assert [bytes(row.key)[0] for row in CachedAnswer.objects.for_tenant(tenant)] == [1]
