"""Facts become rows: what is kept of a call and of each attempt."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts import ids, tenancy
from billing import books, pricing
from billing.facts import CallOpened
from billing.models import Call, JournalCursor, SpendDelta
from billing.pricing import Price, Rates
from billing.usage import BUCKETS, Usage
from tests.billing import bookkeeping
from tests.factories.accounts import TenantFactory
from tests.factories.billing import (
    NOON,
    AttemptEndedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    failed,
    story,
)

pytestmark = pytest.mark.django_db
PRICE = Price(source="catalogue", rates=Rates(Decimal(1), Decimal(2)))
USAGE = Usage(*range(1, 10))


def test_every_field_of_a_call_is_kept() -> None:
    tenant, project, key = TenantFactory.create(), ids.new(), ids.new()
    facts = story(
        tenant,
        key=key,
        project=project,
        mode="test",
        purpose="shadow",
        stream=True,
        tags=("a", "b", "a"),
        session="s-1",
        policy="cheap",
        policy_version=3,
        experiment="exp_1/B",
        task="code",
        settled={"usage": USAGE, "saved": Decimal("0.5"), "cache": "hit"},
    )
    books.book(facts)
    (row,) = bookkeeping.calls()
    opened = facts[0]
    assert isinstance(opened, CallOpened)
    assert row == {
        "id": ids.decode(opened.call),
        "tenant_id": tenant.pk,
        "created_at": datetime(2026, 11, 20, 12, tzinfo=UTC),
        "mode": "test",
        "purpose": "shadow",
        "endpoint": "chat",
        "requested_model": "auto",
        "provider": "groq",
        "model": "llama-3.3-70b",
        "policy": "cheap",
        "policy_version": 3,
        "experiment": "exp_1/B",
        "task": "code",
        "strategy": "balanced",
        "reason": "cheapest",
        "status": "succeeded",
        "http_status": 200,
        "error_code": "",
        "finish_reason": "stop",
        "stream": True,
        "cache": "hit",
        "attempts": 1,
        "cost": Decimal("0.002"),
        "cost_status": "priced",
        "saved": Decimal("0.5"),
        "latency_ms": 200,
        "first_token_ms": 40,
        "overhead_us": 700,
        "project_id": project,
        "gateway_key_id": key,
        "tags": ["a", "b"],
        "session": "s-1",
        "input_estimate": 900,
        "expected_cost": Decimal("0.003"),
        "deadline": datetime(2026, 11, 20, 12, 15, tzinfo=UTC),
        "usage_source": "reported",
        **dict(zip(BUCKETS, range(1, 10), strict=True)),
    }


def test_every_field_of_an_attempt_is_kept() -> None:
    tenant, provider_key = TenantFactory.create(), ids.new()
    answered = AttemptEndedFactory.build(
        call="",
        role="fallback",
        provider_key=provider_key,
        message="fine",
        usage=USAGE,
        price=PRICE,
        reported_cost=Decimal("0.0021"),
    )
    books.book(story(tenant, attempts=[answered]))
    (row,) = bookkeeping.attempts()
    (call,) = bookkeeping.calls()

    assert row == {
        "call_id": call["id"],
        "number": 1,
        "tenant_id": tenant.pk,
        "provider": "groq",
        "model": "llama-3.3-70b",
        "provider_key_id": provider_key,
        "role": "fallback",
        "outcome": "answered",
        "http_status": 200,
        "error_code": "",
        "message": "fine",
        "started_ms": 2,
        "first_token_ms": 40,
        "ended_ms": 200,
        "cost": Decimal("0.002"),
        "cost_status": "priced",
        "price": pricing.to_json(PRICE).decode(),
        "reported_cost": Decimal("0.0021"),
        "usage_source": "reported",
        **dict(zip(BUCKETS, range(1, 10), strict=True)),
    }


def test_an_open_call_is_a_row_with_the_target_that_is_tried_first() -> None:
    opened = CallOpenedFactory.build(tenant=TenantFactory.create().pk)
    (booked,) = books.book([opened])
    (row,) = bookkeeping.calls()

    assert (row["status"], row["provider"], row["model"]) == ("open", "groq", "llama-3.3-70b")
    assert (row["cost"], row["cost_status"], row["attempts"]) == (None, "unpriced", 0)
    assert booked.settled is None
    assert bookkeeping.sums_of(SpendDelta)["calls"] == 0


def test_a_settled_row_is_never_changed() -> None:
    facts = story(TenantFactory.create())
    books.book(facts)
    before = bookkeeping.calls(), bookkeeping.attempts(), bookkeeping.hours_with_deltas()
    opened = facts[0]
    for other in (
        [CallSettledFactory.build(call=opened.call, status="failed", cost=Decimal(9))],
        [opened, CallSettledFactory.build(call=opened.call, status="unknown")],
        [AttemptEndedFactory.build(call=opened.call, number=1, cost=Decimal(9))],
        [CallOpenedFactory.build(call=opened.call, tenant=TenantFactory.create().pk)],
    ):
        assert books.book(other) == []

    assert (
        bookkeeping.calls(),
        bookkeeping.attempts(),
        bookkeeping.hours_with_deltas(),
    ) == before


def test_of_two_settlements_in_one_batch_the_first_counts() -> None:
    facts = story(TenantFactory.create())
    books.book([*facts, CallSettledFactory.build(call=facts[0].call, status="failed")])

    assert list(bookkeeping.statuses().values()) == ["succeeded"]


def test_a_settlement_without_an_opening_waits_for_nobody() -> None:
    settled = CallSettledFactory.build(call=CallOpenedFactory.build().call)

    assert books.book([settled]) == []
    assert bookkeeping.calls() == []


def test_what_is_new_is_told_and_what_is_not_is_not() -> None:
    facts = story(TenantFactory.create())
    opened, answered, settled = facts

    (first,) = books.book([opened, answered])
    (second,) = books.book([answered, settled])
    assert books.book(facts) == []

    assert (first.opened, first.attempts, first.settled) == (opened, (answered,), None)
    assert (second.attempts, second.settled) == ((), settled)
    assert second.opened.call == opened.call
    assert second.opened.tenant == opened.tenant  # type: ignore[union-attr]


def test_the_opening_of_a_call_can_be_read_back_from_its_row() -> None:
    tenant = TenantFactory.create()
    opened = CallOpenedFactory.build(
        tenant=tenant.pk, key=ids.new(), project=ids.new(), policy="p", policy_version=1
    )
    books.book([opened])
    with tenancy.tenant_scope(tenant.pk):
        assert books.opened_of(Call.objects.for_tenant(tenant).get()) == opened


def test_the_cursor_moves_with_the_facts_and_not_without_them() -> None:
    tenant = TenantFactory.create()
    assert books.position_of("host-1-1.jnl") == 0
    books.book(story(tenant), cursor=("host-1-1.jnl", 700))
    books.book(story(tenant), cursor=("host-2-1.jnl", 5))
    assert books.position_of("host-1-1.jnl") == 700
    unbookable = story(tenant, settled={"cost": Decimal(9_000_001)})
    with pytest.raises(ValueError, match="9000001"):
        books.book(unbookable, cursor=("host-1-1.jnl", 900))

    assert books.position_of("host-1-1.jnl") == 700
    assert JournalCursor.objects.count() == 2
    assert len(bookkeeping.calls()) == 2


def test_a_call_counts_in_the_hour_in_which_it_was_opened() -> None:
    tenant = TenantFactory.create()
    almost_one = NOON + 59 * 60_000 + 59_999
    books.book(story(tenant, opened_at=almost_one))
    books.book(story(tenant, opened_at=almost_one + 1))
    hours = {key[1] for key in bookkeeping.hours_with_deltas()}

    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert hours == {noon, noon + timedelta(hours=1)}


def test_text_that_postgresql_cannot_keep_is_made_fit() -> None:
    tenant = TenantFactory.create()
    bad = "a\x00b" + "ü" * 600
    attempts = [
        failed("", model=bad, message=bad, error_code=bad),
        AttemptEndedFactory.build(call="", number=2),
    ]
    books.book(
        story(
            tenant,
            attempts=attempts,
            requested_model=bad,
            session=bad,
            tags=(bad, "x"),
            settled={"model": bad, "finish_reason": bad, "error_code": bad},
        )
    )
    (row,) = bookkeeping.calls()

    assert row["requested_model"] == row["model"] == "ab" + "ü" * 198
    assert (len(row["session"]), len(row["finish_reason"]), len(row["error_code"])) == (256, 40, 60)
    assert row["tags"] == ["ab" + "ü" * 198, "x"]
    assert bookkeeping.attempts()[0]["message"] == "ab" + "ü" * 498
    assert {key[5] for key in bookkeeping.hours_with_deltas()} == {
        "ab" + "ü" * 198,
        "llama-3.3-70b",
    }


def test_a_batch_of_thousands_is_booked_at_once() -> None:
    tenant = TenantFactory.create()
    facts = [fact for _ in range(1500) for fact in story(tenant)]
    booked = books.book(facts, may_repeat=False)

    assert len(booked) == 1500
    assert bookkeeping.sums_of(SpendDelta)["calls"] == 1500
    assert bookkeeping.sums_of(SpendDelta)["cost"] == 3
