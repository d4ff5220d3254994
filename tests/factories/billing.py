"""Facts of calls, as routing reports them, and calls that are booked."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from factory.base import Factory

from accounts import ids, tenancy
from accounts.models import Tenant
from billing import books, sums
from billing.facts import AttemptEnded, AttemptStarted, CallOpened, CallSettled, Fact
from billing.models import Call
from billing.usage import Usage
from tests.factories.typed import derived, lazy

NOON = 1_795_176_000_000  # 2026-11-20 12:00 UTC, in Unix milliseconds
USAGE = Usage(input_uncached=1000, output_visible=500)
COST = Decimal("0.002")


def call_id(opened_at: int) -> str:
    """A fresh call id made at that Unix time in milliseconds."""
    return ids.encode(ids.first_after(opened_at).int | (ids.fresh() & ((1 << 80) - 1)))


class CallOpenedFactory(Factory[CallOpened]):
    """A call of a live key at noon; give it a tenant (id)."""

    class Meta:
        model = CallOpened

    opened_at = NOON
    call = derived(lambda fact: call_id(fact.opened_at))
    tenant = lazy(ids.new)
    deadline = derived(lambda fact: fact.opened_at + 900_000)
    mode = "live"
    endpoint = "chat"
    requested_model = "auto"
    targets = ("groq/llama-3.3-70b",)
    input_estimate = 900
    expected_cost = Decimal("0.003")


class AttemptStartedFactory(Factory[AttemptStarted]):
    class Meta:
        model = AttemptStarted

    number = 2
    target = "openai/gpt-4.1-mini"
    started_ms = 100
    expected_cost = Decimal("0.004")


class AttemptEndedFactory(Factory[AttemptEnded]):
    """An attempt that answered; give it a call."""

    class Meta:
        model = AttemptEnded

    number = 1
    provider = "groq"
    model = "llama-3.3-70b"
    outcome = "answered"
    http_status = 200
    started_ms = 2
    first_token_ms = 40
    ended_ms = 200
    usage = USAGE
    usage_source = "reported"
    cost = COST
    cost_status = "priced"


class CallSettledFactory(Factory[CallSettled]):
    """The settlement of a call that succeeded; give it a call."""

    class Meta:
        model = CallSettled

    status = "succeeded"
    settled_at = NOON + 200
    strategy = "balanced"
    reason = "cheapest"
    provider = "groq"
    model = "llama-3.3-70b"
    http_status = 200
    usage = USAGE
    usage_source = "reported"
    cost = COST
    cost_status = "priced"
    latency_ms = 200
    first_token_ms = 40
    overhead_us = 700
    finish_reason = "stop"


def failed(call: str, number: int = 1, **changes: Any) -> AttemptEnded:
    """An attempt that a provider refused, at no cost."""
    return AttemptEndedFactory.build(
        **{
            "call": call,
            "number": number,
            "outcome": "rate_limit",
            "http_status": 429,
            "usage": Usage(),
            "usage_source": "none",
            "cost": Decimal(0),
            **changes,
        }
    )


def story(
    tenant: Tenant | UUID,
    *,
    attempts: Sequence[AttemptEnded] | None = None,
    settled: dict[str, Any] | None = None,
    **opened: Any,
) -> list[Fact]:
    """A whole call: its opening, its attempts (one that answered), its settlement.

    Attempts are given with any call id; the settlement's cost is the sum over them.
    """
    owner = tenant if isinstance(tenant, UUID) else tenant.pk
    first = CallOpenedFactory.build(tenant=owner, **opened)
    given = [AttemptEndedFactory.build(call=first.call)] if attempts is None else attempts
    ended = [_of_call(attempt, first.call) for attempt in given]
    cost, status = sums.total_of(ended)
    last: dict[str, Any] = {"cost": cost, "cost_status": status, **(settled or {})}
    if ended:
        shown = ended[-1]
        last = {"provider": shown.provider, "model": shown.model, "usage": shown.usage, **last}
    return [first, *ended, CallSettledFactory.build(call=first.call, **last)]


def book_call(tenant: Tenant | UUID, **parts: Any) -> Call:
    """A call on the books, as `story` tells it."""
    facts = story(tenant, **parts)
    books.book(facts)
    opened = facts[0]
    assert isinstance(opened, CallOpened)
    with tenancy.tenant_scope(opened.tenant):
        return Call.objects.for_tenant(opened.tenant).get(id=ids.decode(opened.call))


def _of_call(attempt: AttemptEnded, call: str) -> AttemptEnded:
    fields = {name: getattr(attempt, name) for name in attempt.__struct_fields__}
    return AttemptEnded(**{**fields, "call": call})
