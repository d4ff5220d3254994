"""What a period cost: one sum, wherever it stands."""

import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from billing import money, rollups
from billing.usage import Usage
from dashboard.pages import costs
from tests.dashboard.conftest import World, milliseconds
from tests.dashboard.reading import exact, tables, text
from tests.factories.accounts import ProjectFactory
from tests.factories.billing import AttemptEndedFactory, book_call, failed

PAGE = "/dashboard/costs/?mode=live"
DIMENSIONS = ("provider", "model", "project", "key", "policy", "purpose")


@pytest.fixture
def month(world: World, now: datetime) -> World:
    """Calls of several days, providers, projects; one fell back, one is unpriced, one estimated."""
    project = ProjectFactory.create(tenant=world.tenant, name="search").pk
    answer = AttemptEndedFactory.build
    for ago, attempts in (
        (0, [failed("", 1, provider="openai", model="gpt-5", cost=Decimal("0.0005")),
             answer(call="", number=2, cost=Decimal("0.0123"))]),
        (1, [answer(call="", provider="cerebras", model="gpt-oss-120b", cost=Decimal("0.000123"))]),
        (9, [answer(call="", cost=Decimal("1.5"), cost_status="estimated")]),
        (9, [answer(call="", provider="openai", model="new", cost=None, cost_status="unpriced")]),
        (45, [answer(call="", cost=Decimal(3))]),
    ):  # fmt: skip
        book_call(
            world.tenant,
            attempts=attempts,
            opened_at=milliseconds(now - timedelta(days=ago, minutes=1)),
            project=project,
            tags=("nightly",),
        )
    rollups.add_up()
    book_call(world.tenant, mode="test", opened_at=milliseconds(now))
    return world


TOTAL = Decimal("0.002") + Decimal("0.0128") + Decimal("0.000123") + Decimal("1.5")


def cost_table(page: object) -> list[list[str]]:
    """The table of groups: the last one of the page."""
    return tables(page)[-1]


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_breakdown_adds_up_to_the_same_total(by: str, owner: Client, month: World) -> None:
    rows = cost_table(owner.get(f"{PAGE}&by={by}"))

    assert sum(Decimal(exact(row[5])) for row in rows[1:-1]) == TOTAL
    assert Decimal(exact(rows[-1][5])) == TOTAL


@pytest.mark.parametrize("by", [*DIMENSIONS, "tag"])
def test_both_exports_hold_the_rows_of_the_screen(by: str, owner: Client, month: World) -> None:
    page = owner.get(f"{PAGE}&by={by}")
    on_screen = [row.totals for row in page.context["rows"]]

    as_csv = owner.get(f"{PAGE}&by={by}&format=csv").content.decode()
    as_json = json.loads(owner.get(f"{PAGE}&by={by}&format=json").content)

    for exported in (list(csv.DictReader(io.StringIO(as_csv))), as_json["results"]):
        assert [Decimal(row["cost_usd"]) for row in exported] == [t.cost for t in on_screen]
        assert [int(row["calls"]) for row in exported] == [t.calls for t in on_screen]


def test_of_very_many_tags_the_dearest_are_listed(
    owner: Client, month: World, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    book_call(month.tenant, opened_at=milliseconds(now), tags=("a", "b"))
    everything = owner.get(f"{PAGE}&by=tag").context["rows"]
    monkeypatch.setattr(costs, "MOST_ROWS", len(everything) - 1)

    page = owner.get(f"{PAGE}&by=tag")

    assert [row.name for row in everything] == ["nightly", "a", "b", "beta"]
    assert page.context["rows"] == everything[:-1]
    assert "the 3 dearest of 4" in text(page)
    exported = owner.get(f"{PAGE}&by=tag&format=csv").content.decode()
    assert len(list(csv.DictReader(io.StringIO(exported)))) == len(everything)


def test_the_period_is_the_one_of_the_url(owner: Client, month: World, now: datetime) -> None:
    long_ago = (now - timedelta(days=60)).date()

    page = owner.get(f"{PAGE}&from={long_ago}")

    assert page.context["total"].cost == TOTAL + 3
    assert f'value="{long_ago}"' in page.content.decode()


def test_the_previous_period_is_compared(owner: Client, month: World) -> None:
    page = owner.get(PAGE)

    assert page.context["total_before"].cost == 3
    groq = next(row for row in page.context["rows"] if row.name == "Groq")
    assert groq.change == pytest.approx(float(groq.totals.cost / 3) - 1)


def test_estimates_and_unpriced_calls_are_told(owner: Client, month: World) -> None:
    page = owner.get(PAGE)

    assert page.context["total"].unpriced_calls == 1
    assert page.context["estimated_share"] == pytest.approx(float(Decimal("1.5") / TOTAL))
    assert "1 unpriced" in text(page)


def test_a_row_leads_to_its_calls(owner: Client, month: World, now: datetime) -> None:
    for by in ("provider", "model", "project", "key", "tag"):
        page = owner.get(f"{PAGE}&by={by}")
        for row in page.context["rows"]:
            if row.link:
                calls = owner.get(row.link).context["calls"]
                assert len(calls) == row.totals.calls, (by, row.name)


def test_the_chart_shows_each_day_and_the_table_below_says_the_same(
    owner: Client, month: World
) -> None:
    page = owner.get(PAGE)

    chart = page.context["chart"]
    assert len(chart.columns) == 30
    assert sum(column.total for column in chart.columns) == TOTAL
    by_day = tables(page)[0]
    assert sum(Decimal(exact(row[-1])) for row in by_day[1:]) == TOTAL


def test_a_period_that_ends_before_it_starts_is_said_at_the_field(owner: Client) -> None:
    page = owner.get(f"{PAGE}&from=2026-05-02&to=2026-05-01")

    assert page.status_code == 200
    assert "The period ends before it starts." in text(page)


def test_a_period_of_years_is_said_at_the_field(owner: Client) -> None:
    assert "at most 400 days" in text(owner.get(f"{PAGE}&from=2020-01-01&to=2026-05-01"))


def test_tokens_are_those_of_all_attempts(owner: Client, world: World, now: datetime) -> None:
    used = Usage(input_uncached=100, cache_read=11, output_visible=7, reasoning=5)
    attempt = AttemptEndedFactory.build(call="", usage=used)
    book_call(world.tenant, attempts=[attempt], opened_at=milliseconds(now), requested_model="x")

    [row] = [row for row in cost_table(owner.get(PAGE)) if row[0].startswith("Groq")]

    assert row[3:5] == ["1,111", "512"]


def test_nothing_spent_is_said_in_words(owner: Client) -> None:
    assert "No test calls in this period." in text(owner.get("/dashboard/costs/?mode=test"))


def test_the_exact_amount_stands_behind_the_rounded_one(owner: Client, month: World) -> None:
    assert f'value="{money.plain(TOTAL)}"' in owner.get(PAGE).content.decode()
