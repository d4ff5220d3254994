"""Pages over many calls: how often they ask, and (FLO2_TEST_FULL=1) how long they take."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Membership
from tests.accounts.databases import postgresql_only
from tests.scale import measuring, seeding
from tests.scale.measuring import FULL, MOST_QUERIES
from tests.scale.seeding import Orders

MANY, MOST = 200_000, 5_000_000
full = pytest.mark.skipif(not FULL, reason="the long form: FLO2_TEST_FULL=1")


def seeded(calls: int) -> tuple[Membership, Orders]:
    owner, orders = seeding.make_tenant(calls, now=timezone.now())
    for _ in seeding.fill(orders):
        pass
    return owner, orders


@postgresql_only  # one of the two runs is enough, and this one the quicker
@pytest.mark.django_db
def test_no_page_asks_more_often_when_there_are_200_000_calls() -> None:
    owner, orders = seeded(MANY)
    client = measuring.logged_in(owner)

    asked = {page.name: measuring.queries(client, page) for page in measuring.pages(orders)}

    assert max(asked.values()) <= MOST_QUERIES, asked


@pytest.fixture
def emptied(transactional_db: None) -> Iterator[None]:
    """Row by row it would take longer than all the rest."""
    yield
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE billing_call, billing_attempt, billing_spendhour, billing_tagday"
            )


@full
@pytest.mark.full
def test_pages_are_quick_over_very_many_calls(emptied: None) -> None:
    """The median of nine: at most 300 ms over 5,000,000 on PostgreSQL, 500 ms over 200,000 else."""
    calls, most_ms = (MOST, 300) if connection.vendor == "postgresql" else (MANY, 500)
    owner, orders = seeded(calls)
    seeding.analyse()
    client = measuring.logged_in(owner)

    measured = [measuring.measure(client, page) for page in measuring.pages(orders)]

    print(f"\n{connection.vendor}, {calls:,} calls, load {measuring.load()}")
    print(*measured, sep="\n")
    assert [one.page.name for one in measured if one.queries > MOST_QUERIES] == []
    assert [one.page.name for one in measured if one.median_ms > most_ms] == []
