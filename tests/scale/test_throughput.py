"""How fast books are written and folded: the shipper, and the roll-up of a busy hour."""

import time
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from accounts import ids
from accounts.tenancy import system_scope
from billing import bulk, deltas, rollups
from billing.journal import Journal
from billing.models import SpendDelta, SpendHour
from billing.shipper import Shipper
from tests.accounts.databases import postgresql_only
from tests.factories.accounts import TenantFactory
from tests.factories.billing import call_id, story
from tests.scale import measuring
from tests.scale.measuring import FULL

pytestmark = [
    pytest.mark.skipif(not FULL, reason="the long form: FLO2_TEST_FULL=1"),
    pytest.mark.full,
    pytest.mark.django_db(transaction=True),
]
CALLS = 20_000
ROWS_PER_SECOND = 5_000
BUSY_HOUR_S = 5.0
BATCHES, GROUPS = 14_400, 12  # of an hour, four a second; groups of sums in each


@postgresql_only
def test_the_shipper_keeps_up_with_5_000_rows_a_second(tmp_path: Path) -> None:
    """A call is two rows: the call and its attempt. Sums and the cursor come on top."""
    tenant = TenantFactory.create()
    journal = Journal(tmp_path)
    at = int(timezone.now().timestamp() * 1000)
    for number in range(CALLS):
        journal.append(*story(tenant, opened_at=at, call=call_id(at), key=_key(number)))
    shipper = Shipper(journal, tmp_path)

    began = time.perf_counter()
    shipper._turn(everything=False)
    seconds = time.perf_counter() - began
    journal.close()

    with connection.cursor() as cursor, system_scope():
        cursor.execute("SELECT (SELECT count(*) FROM billing_call), count(*) FROM billing_attempt")
        assert cursor.fetchone() == (CALLS, CALLS)
    rate = 2 * CALLS / seconds
    print(f"\n{rate:,.0f} rows/s ({rate / 2:,.0f} calls/s), load {measuring.load()}")
    assert rate >= ROWS_PER_SECOND


def test_a_busy_hour_is_folded_in_five_seconds() -> None:
    """All of an hour at once, as if no worker had run: the timetable folds every 20 seconds."""
    tenant = TenantFactory.create()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    names = [f"model-{number}" for number in range(GROUPS)]
    sums = (5, 5, 0, 0, 0, 5, 0, 1000, 500, 0, 10**9, 0, 0, 0, 0)
    row = [
        (tenant.pk, hour, "live", "user", "groq", name, _key(n), _key(n), "default", *sums)
        for n, name in enumerate(names)
    ]
    for _ in range(100):
        with system_scope():
            bulk.insert(SpendDelta._meta.db_table, deltas.DELTA_COLUMNS, row * (BATCHES // 100))

    began = time.perf_counter()
    folded = rollups.add_up()
    seconds = time.perf_counter() - began

    print(f"\n{folded:,} deltas folded in {seconds:.1f} s, load {measuring.load()}")
    assert folded == BATCHES * GROUPS
    with system_scope():
        assert SpendHour.objects.get(model=names[0]).calls == 5 * BATCHES
    assert seconds <= BUSY_HOUR_S


def _key(number: int) -> UUID:
    return ids.first_after(1 + number % GROUPS)
