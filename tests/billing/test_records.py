"""Calls as pages and the API list them: found by key, filtered, and shown as the contract says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from accounts import ids, tenancy
from accounts.models import Tenant
from billing import call_search, records, rollups
from billing.call_search import CallFilter, Page
from billing.models import Attempt, Call
from billing.pricing import Price, Rates
from billing.usage import BUCKETS, Usage
from tests.accounts.depth import examples
from tests.billing import bookkeeping
from tests.factories.accounts import ProjectFactory, TenantFactory, issue_gateway_key
from tests.factories.billing import NOON, AttemptEndedFactory, book_call, call_id, failed

pytestmark = pytest.mark.django_db
HOUR_MS = 3_600_000
LIVE = CallFilter(mode="live")
AT_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def listed(tenant: Tenant, wanted: CallFilter = LIVE, **page: Any) -> Page:
    with tenancy.tenant_scope(tenant.pk):
        return call_search.list_calls(tenant.pk, wanted, **page)


def ids_of(page: Page) -> list[UUID]:
    return [call.id for call in page.calls]


def shown(tenant: Tenant, call: Call) -> dict[str, Any]:
    with tenancy.tenant_scope(tenant.pk):
        found = records.find_call(tenant.pk, call.id)
        assert found is not None
        return records.as_json(*found)


class TestPaging:
    def test_calls_are_listed_newest_first(self) -> None:
        tenant = TenantFactory.create()
        made = [book_call(tenant, opened_at=NOON + number).id for number in range(3)]

        assert ids_of(listed(tenant)) == made[::-1]
        assert listed(tenant).next is None

    @given(count=st.integers(0, 12), limit=st.integers(1, 5), arriving=st.integers(0, 3))
    @examples(30)
    def test_pages_visit_each_call_once_while_new_ones_arrive(
        self, count: int, limit: int, arriving: int
    ) -> None:
        bookkeeping.clear()
        tenant = TenantFactory.create()
        made = [book_call(tenant, opened_at=NOON + number).id for number in range(count)]
        seen: list[UUID] = []
        cursor: str | None = ""
        pages = 0
        while cursor is not None:
            page = listed(tenant, cursor=cursor, limit=limit)
            seen += ids_of(page)
            cursor = page.next
            pages += 1
            for number in range(arriving):
                book_call(tenant, opened_at=NOON + 1000 * pages + number)

        assert seen == made[::-1]
        assert pages == max(1, -(-count // limit))

    @pytest.mark.parametrize(("limit", "found"), [(-5, 1), (0, 1), (1, 1), (3, 3), (10**9, 5)])
    def test_a_limit_out_of_range_is_brought_into_it(self, limit: int, found: int) -> None:
        tenant = TenantFactory.create()
        for number in range(5):
            book_call(tenant, opened_at=NOON + number)

        assert len(listed(tenant, limit=limit).calls) == found

    def test_a_page_has_at_most_200_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert call_search.PAGE_LIMIT == 200
        monkeypatch.setattr(call_search, "PAGE_LIMIT", 2)
        tenant = TenantFactory.create()
        for number in range(3):
            book_call(tenant, opened_at=NOON + number)

        assert len(listed(tenant, limit=1000).calls) == 2

    @pytest.mark.parametrize("cursor", ["x", "call_" + "0" * 22, "0" * 21, "z" * 22, "1 OR 1=1"])
    def test_a_cursor_that_is_none_of_ours_is_refused(self, cursor: str) -> None:
        with pytest.raises(ids.InvalidId):
            listed(TenantFactory.create(), cursor=cursor)


class TestFilters:
    def test_each_filter_finds_its_calls_and_no_others(self) -> None:
        tenant = TenantFactory.create()
        project, key = ids.new(), ids.new()
        attempt = AttemptEndedFactory.build(call="", provider="xai", model="grok-4")
        wanted = book_call(
            tenant,
            attempts=[attempt],
            project=project,
            key=key,
            policy="cheap",
            tags=("a", 'b"c', "%"),
            settled={"status": "failed"},
        )
        other = book_call(tenant, tags=("ab", "c"))
        test = book_call(tenant, mode="test")

        assert set(ids_of(listed(tenant))) == {wanted.id, other.id}
        assert ids_of(listed(tenant, CallFilter(mode="test"))) == [test.id]
        for found in (
            {"provider": "xai"},
            {"model": "grok-4"},
            {"status": "failed"},
            {"project": project},
            {"key": key},
            {"policy": "cheap"},
            {"tag": "a"},
            {"tag": 'b"c'},
            {"tag": "%"},
            {"tag": "a", "provider": "xai", "key": key, "status": "failed"},
        ):
            assert ids_of(listed(tenant, CallFilter(mode="live", **found))) == [wanted.id], found
        for nothing in (
            {"provider": "xa"},
            {"status": "unknown"},
            {"key": UUID(int=0)},
            {"tag": "b"},
            {"tag": "_"},
            {"tag": "'; DROP TABLE billing_call; --"},
            {"tag": "a", "provider": "groq"},
        ):
            assert ids_of(listed(tenant, CallFilter(mode="live", **nothing))) == [], nothing

    def test_the_time_that_counts_is_when_the_call_was_opened(self) -> None:
        tenant = TenantFactory.create()
        before, first, last, after = (
            book_call(tenant, opened_at=at, call=call_id(at - 45_000)).id
            for at in (NOON - 1, NOON, NOON + 59_999, NOON + 60_000)
        )
        start, end = AT_NOON, AT_NOON + timedelta(minutes=1)

        assert ids_of(listed(tenant, CallFilter(mode="live", start=start, end=end))) == [
            last,
            first,
        ]
        assert ids_of(listed(tenant, CallFilter(mode="live", start=end))) == [after]
        assert ids_of(listed(tenant, CallFilter(mode="live", end=start))) == [before]

    def test_filters_hold_on_every_page(self) -> None:
        tenant = TenantFactory.create()
        made = [
            book_call(tenant, opened_at=NOON + number, tags=("a",) if number % 2 else ()).id
            for number in range(10)
        ]
        wanted, seen, cursor = CallFilter(mode="live", tag="a"), [], ""
        for _ in range(3):
            page = listed(tenant, wanted, cursor=cursor, limit=2)
            seen += ids_of(page)
            cursor = page.next or ""

        assert seen == made[::-1][::2]
        assert cursor == ""


class TestBoundedSearch:
    """A page looks at so many calls and no more; what it did not come to is behind its cursor."""

    @pytest.fixture(autouse=True)
    def _looks_at_ten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(call_search, "LOOKED_AT", 10)

    def test_every_call_that_fits_is_found_in_the_end(self) -> None:
        tenant = TenantFactory.create()
        made = [
            book_call(tenant, opened_at=NOON + n, tags=("a",) if n % 7 == 0 else ()).id
            for n in range(40)
        ]
        seen: list[UUID] = []
        cursor, pages = "", 0
        while pages == 0 or cursor:
            page = listed(tenant, CallFilter(mode="live", tag="a"), cursor=cursor, limit=2)
            seen, cursor, pages = [*seen, *ids_of(page)], page.next or "", pages + 1

        assert seen == made[::-1][4::7]
        assert pages < 6

    def test_an_empty_page_goes_on_where_the_sums_know_of_one(self) -> None:
        tenant = TenantFactory.create()
        [wanted] = [book_call(tenant, policy="rare", opened_at=NOON - 90 * HOUR_MS).id]
        for ago in range(50):
            book_call(tenant, opened_at=NOON - ago * HOUR_MS)
        if connection.vendor == "postgresql":
            rollups.add_up()  # one of the two ways that sums are kept

        page = listed(tenant, CallFilter(mode="live", policy="rare"))

        assert (ids_of(page), page.next) == ([wanted], None)

    @pytest.mark.parametrize(
        "nothing",
        [CallFilter(mode="live", policy="none"), CallFilter(mode="live", status="refused")],
    )
    def test_what_no_sum_knows_is_not_looked_for(self, nothing: CallFilter) -> None:
        tenant = TenantFactory.create()
        for ago in range(30):
            book_call(tenant, opened_at=NOON - ago * HOUR_MS)

        page = listed(tenant, nothing)

        assert (page.calls, page.next, page.looked_back_to) == ([], None, None)

    def test_a_page_without_a_call_says_how_far_it_looked(self) -> None:
        tenant = TenantFactory.create()
        for ago in range(30):
            book_call(tenant, opened_at=NOON - ago * HOUR_MS)

        page = listed(tenant, CallFilter(mode="live", tag="none"))

        assert page.calls == []
        assert page.looked_back_to == datetime.fromtimestamp((NOON - 19 * HOUR_MS) / 1000, tz=UTC)

    def test_a_period_is_looked_at_to_its_end(self) -> None:
        tenant = TenantFactory.create()
        for ago in range(30):
            book_call(tenant, opened_at=NOON - ago * HOUR_MS)
        since = datetime.fromtimestamp(NOON / 1000, tz=UTC) - timedelta(hours=5)

        page = listed(tenant, CallFilter(mode="live", start=since, tag="none"))

        assert (page.calls, page.next) == ([], None)


class TestOthers:
    def test_a_foreign_call_is_not_there(self) -> None:
        call = book_call(TenantFactory.create(), tags=("a",))
        stranger = TenantFactory.create()
        with tenancy.tenant_scope(stranger.pk):
            assert records.find_call(stranger.pk, call.id) is None
            assert records.find_call(stranger.pk, ids.new()) is None
            assert not records.has_calls(stranger.pk)
        assert ids_of(listed(stranger)) == []
        assert ids_of(listed(stranger, CallFilter(mode="live", tag="a"))) == []

    def test_whether_a_tenant_has_called_depends_on_the_mode_asked_for(self) -> None:
        tenant = TenantFactory.create()
        book_call(tenant, mode="test")
        with tenancy.tenant_scope(tenant.pk):
            asked = [records.has_calls(tenant.pk, mode=mode) for mode in ("", "test", "live")]

        assert asked == [True, True, False]


class TestTheRecord:
    # Contract §7, less `experiment`, which lands with experiments.
    CALL = (
        "id created_at mode purpose endpoint requested_model provider model policy policy_version"
        " strategy reason status http_status error_code stream cache usage usage_source cost_usd"
        " cost_status price saved_usd latency_ms first_token_ms overhead_ms project gateway_key"
        " tags session attempts"
    )
    ATTEMPT = (
        "number provider model role outcome http_status error_code started_ms first_token_ms"
        " ended_ms usage usage_source cost_usd cost_status"
    )

    def test_it_has_every_field_of_the_contract(self) -> None:
        tenant = TenantFactory.create()
        record = shown(tenant, book_call(tenant))

        assert set(self.CALL.split()) <= set(record)
        assert set(self.ATTEMPT.split()) <= set(record["attempts"][0])
        assert tuple(record["usage"]) == BUCKETS

    def test_it_shows_what_was_booked(self) -> None:
        tenant = TenantFactory.create()
        project = ProjectFactory.create(tenant=tenant, name="web")
        key = issue_gateway_key(tenant, name="Laptop").record
        price = Price(source="catalogue", rates=Rates(Decimal("1.10"), Decimal(2)))
        attempts = [
            failed("", provider="cerebras", model="m", message="slow down", error_code="429"),
            AttemptEndedFactory.build(
                call="", number=2, price=price, cost=Decimal("0.0021"), usage=Usage(1000, 500)
            ),
        ]
        call = book_call(
            tenant,
            attempts=attempts,
            project=project.pk,
            key=key.pk,
            tags=("a",),
            session="s",
            settled={"overhead_us": 1234},
        )
        record = shown(tenant, call)

        assert record["id"] == ids.show("call", call.id)
        assert record["created_at"] == "2026-11-20T12:00:00.000+00:00"
        assert (record["project"], record["gateway_key"]) == ("web", ids.show("key", key.pk))
        assert (record["gateway_key_name"], record["session"], record["tags"]) == (
            "Laptop",
            "s",
            ["a"],
        )
        assert (record["cost_usd"], record["cost_status"], record["saved_usd"]) == (
            "0.0021",
            "priced",
            "0",
        )
        assert record["overhead_ms"] == 1.234
        assert record["usage"] == {
            **dict.fromkeys(BUCKETS, 0),
            "input_uncached": 1000,
            "cache_read": 500,
        }
        assert record["price"] == {"source": "catalogue", "rates": {"input": "1.10", "output": "2"}}
        assert [(a["number"], a["outcome"], a["message"]) for a in record["attempts"]] == [
            (1, "rate_limit", "slow down"),
            (2, "answered", None),
        ]
        assert [a["cost_usd"] for a in record["attempts"]] == ["0", "0.0021"]

    def test_an_unknown_price_is_null_and_never_zero(self) -> None:
        tenant = TenantFactory.create()
        attempt = AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")
        record = shown(tenant, book_call(tenant, attempts=[attempt]))

        assert (record["cost_usd"], record["cost_status"]) == (None, "unpriced")
        assert record["price"] is None
        assert record["attempts"][0]["cost_usd"] is None

    def test_what_is_empty_is_null(self) -> None:
        tenant = TenantFactory.create()
        refused = {"provider": "", "model": "", "status": "refused", "finish_reason": ""}
        record = shown(tenant, book_call(tenant, attempts=[], settled=refused))

        empty = ("provider", "model", "policy", "error_code", "finish_reason", "project")
        assert [record[name] for name in (*empty, "gateway_key", "session")] == [None] * 8
        assert record["attempts"] == []

    def test_lists_show_the_same_without_attempts(self) -> None:
        tenant = TenantFactory.create()
        call = book_call(tenant)
        with tenancy.tenant_scope(tenant.pk):
            (record,) = records.many_as_json(tenant.pk, [call])

        whole = shown(tenant, call)
        left_out = {"attempts", "price", "corrected_cost_usd"}
        assert record == {name: whole[name] for name in whole if name not in left_out}

    def test_a_list_of_calls_costs_two_queries_for_names(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        tenant, project, key = TenantFactory.create(), ids.new(), ids.new()
        calls = [book_call(tenant, project=project, key=key) for _ in range(5)]
        with tenancy.tenant_scope(tenant.pk), django_assert_num_queries(2):
            records.many_as_json(tenant.pk, calls)


def test_an_attempt_belongs_to_its_tenant_too() -> None:
    tenant = TenantFactory.create()
    call = book_call(tenant)
    with tenancy.tenant_scope(tenant.pk):
        assert Attempt.objects.for_tenant(tenant).get().call_id == call.id
        assert not Attempt.objects.for_tenant(ids.new()).exists()
