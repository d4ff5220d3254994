"""Days at the ends of all calendars: pages say what is wrong with them, or show nothing."""

from datetime import UTC, datetime

import pytest
from django.http import QueryDict
from django.test import Client

from accounts.models import GatewayKey
from accounts.tenancy import tenant_scope
from dashboard import consumers
from tests.dashboard.conftest import World
from tests.dashboard.reading import text

BOUNDS = "A day lies between 1971-01-01 and 9997-12-31."
PAGES = (
    "/dashboard/calls/?",
    "/dashboard/calls/export/?",
    "/dashboard/costs/?",
    "/dashboard/costs/?format=csv&",
    "/dashboard/audit/?",
    "/dashboard/reconciliation/?",
    "/dashboard/data/?",
    "/dashboard/data/export/?",
)
ODD = (
    "from=1960-01-01&to=1960-01-02", "from=1970-01-01&to=1970-01-05", "from=1971-01-01",
    "from=1971-01-01&to=1972-02-04", "to=1971-01-05", "to=0001-01-05", "from=0001-01-01",
    "from=9997-12-31", "to=9997-12-31", "to=9999-12-31", "from=9999-12-31&to=9999-12-31",
    "from=9997-01-01&to=9997-12-31",
)  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_any_days_is_shown(owner: Client, page: str) -> None:
    answers = {days: owner.get(f"{page}{days}&mode=live").status_code for days in ODD}
    assert set(answers.values()) == {200}, answers


@pytest.mark.parametrize("page", ["calls", "costs", "audit", "data"])
def test_a_day_out_of_range_is_named(owner: Client, page: str) -> None:
    assert BOUNDS in text(owner.get(f"/dashboard/{page}/?to=9999-12-31"))
    assert BOUNDS not in text(owner.get(f"/dashboard/{page}/?to=9997-12-31"))


def test_the_live_feed_of_any_days_goes_on(world: World) -> None:
    for days in ODD:
        query = QueryDict(f"view=calls&mode=live&{days}")
        assert isinstance(consumers.rows_of(world.tenant.pk, query, [world.call.id])[0], str)


def test_keys_and_raises_end_within_the_years_that_there_are(owner: Client, world: World) -> None:
    key = {"name": "CI", "mode": "test", "expires_on": "9999-12-31"}
    assert BOUNDS in text(owner.post("/dashboard/keys/", key))
    owner.post("/dashboard/keys/", {**key, "expires_on": "9997-12-31"})
    with tenant_scope(world.tenant.pk):
        (made,) = GatewayKey.objects.for_tenant(world.tenant).filter(name="CI")
    assert made.expires_at == datetime(9998, 1, 1, tzinfo=UTC)

    path = world.path("dashboard/budgets/<str:budget>/raise/")
    assert BOUNDS in text(owner.post(path, {"by": "5", "until": "9999-12-31"}))
