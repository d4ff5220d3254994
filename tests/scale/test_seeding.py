"""The seeded books are books: they agree with themselves."""

import pytest
from django.utils import timezone

from accounts.tenancy import tenant_scope
from billing import call_search, periods, reports, verification
from billing.call_search import CallFilter
from tests.scale import seeding

pytestmark = pytest.mark.django_db(transaction=True)


def test_seeded_books_agree_with_themselves() -> None:
    now = timezone.now()
    _, orders = seeding.make_tenant(2_000, now=now, days=3)

    assert list(seeding.fill(orders)) == [2_000]

    verdict = verification.verify(orders.tenant)
    assert verdict.differences == []
    assert verdict.counted.calls == 2_000
    with tenant_scope(orders.tenant):
        total = reports.total(orders.tenant, periods.last_days(4, now), mode="live")
        page = call_search.list_calls(orders.tenant, CallFilter(mode="live", status="failed"))
    assert total.calls == 1_898
    assert min(total.rescued, total.cache_hits, total.unpriced_calls) >= 10
    assert len(page.calls) == total.failed_calls == 39
