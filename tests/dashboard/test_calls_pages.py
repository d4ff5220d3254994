"""The list of calls, one call, and its receipt."""

import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from accounts import ids
from billing import books, money, pricing
from billing.facts import AttemptEnded
from billing.models import Call
from billing.pricing import Price, Rates
from billing.usage import Usage
from tests.dashboard.conftest import World, milliseconds
from tests.dashboard.reading import tables, text
from tests.factories.accounts import TenantFactory
from tests.factories.billing import AttemptEndedFactory, book_call, failed, story

PAGE = "/dashboard/calls/?mode=live"
PRICE = Price(
    source="catalogue",
    rates=Rates(input=Decimal("0.59"), output=Decimal("0.79"), cache_read=Decimal("0.1")),
)
USAGE = Usage(input_uncached=1234, cache_read=2048, output_visible=567)


def priced(number: int = 1, **changes: Any) -> AttemptEnded:
    cost = pricing.cost_of(USAGE, PRICE)
    fields = {"call": "", "number": number, "usage": USAGE, "price": PRICE, "cost": cost, **changes}
    return AttemptEndedFactory.build(**fields)


def path_of(call: Call) -> str:
    return f"/dashboard/calls/{ids.show('call', call.id)}/"


def listed(answer: Any) -> list[str]:
    """The first cells of the rows."""
    return [row[0] for table in tables(answer) for row in table[1:]]


def test_a_call_tells_who_answered_why_and_at_what_cost(owner: Client, world: World) -> None:
    [row] = tables(owner.get(PAGE))[0][1:]

    assert "llama-3.3-70b" in row[0]
    assert "Groq, asked for auto" in row[0]
    assert "Succeeded" in row[1]
    assert row[2] == "Cheapest candidate"
    assert "Production" in row[3]
    assert row[4] == "1,000 → 500"
    assert row[7] == "[0.002] $0.002"


def test_what_is_not_known_to_cost_anything_is_unpriced_and_never_zero(
    owner: Client, world: World, now: datetime
) -> None:
    unpriced = AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")
    call = book_call(world.tenant, attempts=[unpriced], opened_at=milliseconds(now))

    assert "unpriced" in tables(owner.get(PAGE))[0][1][7]
    assert "$0" not in text(owner.get(path_of(call))).partition("Tokens")[0]


def test_filters_come_from_the_url(owner: Client, world: World, now: datetime) -> None:
    book_call(
        world.tenant,
        attempts=[failed("", provider="openai", model="gpt-5")],
        settled={"status": "failed", "error_code": "provider_error", "http_status": 502},
        opened_at=milliseconds(now - timedelta(days=3)),
    )
    day = (now - timedelta(days=3)).date().isoformat()

    for query, expected in {
        "": 2, "&provider=openai": 1, "&model=gpt-5": 1, "&status=failed": 1, "&tag=beta": 1,
        f"&from={day}&to={day}": 1, f"&from={now.date()}": 1, f"&to={day}": 1, "&policy=none": 0,
        f"&key={ids.show('key', world.key.pk)}": 1, "&provider=openai&tag=beta": 0,
    }.items():  # fmt: skip
        assert len(listed(owner.get(PAGE + query))) == expected, query


def test_a_wrong_filter_is_said_and_does_not_restrict(owner: Client) -> None:
    answer = owner.get(f"{PAGE}&status=burnt&from=yesterday")

    assert answer.status_code == 200
    assert "Enter a valid date." in text(answer)
    assert len(listed(answer)) == 1


def test_test_calls_are_behind_the_switch(owner: Client, world: World, now: datetime) -> None:
    book_call(world.tenant, mode="test", requested_model="rehearsal", opened_at=milliseconds(now))

    assert "rehearsal" not in text(owner.get(PAGE))
    assert "rehearsal" in text(owner.get("/dashboard/calls/?mode=test"))


def test_pages_of_calls_follow_each_other_without_gaps(
    owner: Client, world: World, now: datetime
) -> None:
    start = milliseconds(now - timedelta(minutes=4))
    facts = [
        fact
        for number in range(60)
        for fact in story(world.tenant, opened_at=start + number, requested_model=f"m-{number}")
    ]
    books.book(facts)

    first = owner.get(PAGE)
    second = owner.get(f"{PAGE}&cursor={first.context['next']}")

    found = [
        row.call.requested_model for row in [*first.context["calls"], *second.context["calls"]]
    ]
    assert found == [f"m-{number}" for number in reversed(range(60))] + ["auto"]
    assert second.context["next"] is None


def test_a_cursor_of_somebody_elses_making_is_not_found(owner: Client) -> None:
    assert owner.get(f"{PAGE}&cursor=abc").status_code == 404


@pytest.mark.parametrize("formula", ["=1+1", "-1", "\t=1", "\n=1", "＝1+1", "＠x"])
def test_the_csv_holds_what_the_screen_shows(
    formula: str, owner: Client, world: World, now: datetime
) -> None:
    book_call(world.tenant, attempts=[priced()], opened_at=milliseconds(now), tags=(formula,))
    browser = AsyncClient()
    browser.cookies = owner.cookies

    async def download() -> str:
        answer = await browser.get("/dashboard/calls/export/?mode=live")
        assert answer["Content-Disposition"].startswith('attachment; filename="calls-live-')
        return b"".join([part async for part in answer.streaming_content]).decode()  # type: ignore[attr-defined]

    rows = list(csv.DictReader(io.StringIO(async_to_sync(download)())))

    on_screen = [row.call for row in owner.get(PAGE).context["calls"]]
    assert [row["id"] for row in rows] == [ids.show("call", call.id) for call in on_screen]
    assert [Decimal(row["cost_usd"]) for row in rows] == [call.cost for call in on_screen]
    assert rows[0]["tags"] == f"'{formula}"  # none that a spreadsheet computes
    assert rows[1]["tags"] == "beta"


def test_the_receipt_is_the_sum_of_its_lines(owner: Client, world: World, now: datetime) -> None:
    attempts = [
        failed("", 1, provider="cerebras", message="Rate limit reached", ended_ms=90),
        priced(2, role="fallback", started_ms=91, first_token_ms=300, ended_ms=900),
    ]
    call = book_call(world.tenant, attempts=attempts, opened_at=milliseconds(now))

    answer = owner.get(path_of(call))

    receipt = tables(answer)[-1]
    amounts = [Decimal(row[-1].lstrip("$")) for row in receipt if len(row) == 4 and "×" in row[2]]
    by_hand = (1234 * Decimal("0.59") + 2048 * Decimal("0.1") + 567 * Decimal("0.79")) / 10**6
    assert sum(amounts) == by_hand == call.cost
    assert receipt[-1] == ["All attempts", f"${money.plain(by_hand)}"]
    assert "Price: catalogue" in text(answer)


def test_each_attempt_stands_on_the_time_line_and_in_the_table(
    owner: Client, world: World, now: datetime
) -> None:
    attempts = [
        failed("", 1, provider="cerebras", message="Rate limit reached", ended_ms=90),
        priced(2, role="fallback", started_ms=91, first_token_ms=300, ended_ms=900),
    ]
    settled = {"reason": "fallback:rate_limit", "latency_ms": 901}
    call = book_call(world.tenant, attempts=attempts, settled=settled, opened_at=milliseconds(now))

    answer = owner.get(path_of(call))

    table = tables(answer)[0]
    assert [row[3] for row in table[1:]] == ["Rate limited 429 Rate limit reached", "Answered"]
    assert [row[4] for row in table[1:]] == ["2 ms", "91 ms"]
    assert answer.content.decode().count('class="lapse') == 2
    assert "Fallback: rate limited before" in text(answer)


def test_the_record_can_be_copied_as_json(owner: Client, world: World) -> None:
    answer = owner.get(path_of(world.call))

    record = json.loads(answer.context["as_json"])
    assert record["id"] == ids.show("call", world.call.id)
    assert record["cost_usd"] == "0.002"
    assert len(record["attempts"]) == 1


def test_a_refused_call_leads_to_its_error(owner: Client, world: World, now: datetime) -> None:
    settled = {"status": "refused", "error_code": "model_not_found", "http_status": 404}
    call = book_call(world.tenant, attempts=[], settled=settled, opened_at=milliseconds(now))

    answer = owner.get(path_of(call))

    assert "/docs/errors/#model_not_found" in answer.content.decode()
    assert "No provider was asked, so there is nothing to pay." in text(answer)


def test_a_call_of_another_tenant_and_a_mistyped_id_look_the_same(owner: Client) -> None:
    theirs = book_call(TenantFactory.create())

    assert owner.get(path_of(theirs)).status_code == 404
    assert owner.get("/dashboard/calls/call_nonsense/").status_code == 404


def test_without_any_call_the_page_says_how_to_make_one(owner: Client) -> None:
    said = text(owner.get("/dashboard/calls/?mode=test"))

    assert "No test call yet" in said
    assert "curl http://testserver/v1/chat/completions" in said
