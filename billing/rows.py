"""Facts → rows of the tables, as plain tuples. Pure.

The shipper writes with these columns and never through the ORM, which would cost ten times more.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from accounts import ids
from billing import money, pricing
from billing.facts import AttemptEnded, AttemptStarted, CallOpened, CallSettled, Fact
from billing.usage import BUCKETS, Usage

NO_ID = UUID(int=0)

CALL_COLUMNS = (
    "id", "tenant_id", "created_at", "mode", "purpose", "endpoint", "requested_model", "policy",
    "policy_version", "stream", "project_id", "gateway_key_id", "tags", "session",
    "input_estimate", "expected_cost", "deadline", "experiment", "task", "provider", "model",
    "strategy", "reason", "status", "http_status", "error_code", "finish_reason", "cache",
    "attempts", "cost", "cost_status", "saved", "latency_ms", "first_token_ms", "overhead_us",
    "usage_source", *BUCKETS,
)  # fmt: skip
SETTLED_COLUMNS = CALL_COLUMNS[CALL_COLUMNS.index("provider") :]
ATTEMPT_COLUMNS = (
    "call_id", "number", "tenant_id", "provider", "model", "provider_key_id", "role", "outcome",
    "http_status", "error_code", "message", "started_ms", "first_token_ms", "ended_ms", "cost",
    "cost_status", "price", "reported_cost", "usage_source", *BUCKETS,
)  # fmt: skip

_NOT_SETTLED = (
    "none", "none", "open", None, "", "", "off", 0, None, "unpriced", 0, 0, None, 0,
    "none", *Usage().counts(),
)  # fmt: skip

Row = tuple[Any, ...]


@dataclass(slots=True)
class CallFacts:
    """What the journal says of one call, so far."""

    opened: CallOpened | None = None
    settled: CallSettled | None = None
    attempts: dict[int, AttemptEnded] = field(default_factory=dict)
    started: dict[int, AttemptStarted] = field(default_factory=dict)

    def add(self, fact: Fact) -> None:
        """Take in a fact; of two settlements the first one counts."""
        if isinstance(fact, CallOpened):
            self.opened = fact
        elif isinstance(fact, CallSettled):
            self.settled = self.settled or fact
        elif isinstance(fact, AttemptEnded):
            self.attempts.setdefault(fact.number, fact)
        else:
            self.started[fact.number] = fact


def gather(facts: Iterable[Fact]) -> dict[str, CallFacts]:
    calls: dict[str, CallFacts] = {}
    for fact in facts:
        calls.setdefault(fact.call, CallFacts()).add(fact)
    return calls


def call_row(call_id: UUID, facts: CallFacts) -> Row:
    """Values for CALL_COLUMNS; the call must have been opened."""
    opened = facts.opened
    assert opened is not None  # noqa: S101  callers look before they ask
    return (
        call_id,
        opened.tenant,
        instant(opened.opened_at),
        opened.mode,
        opened.purpose,
        opened.endpoint,
        clean(opened.requested_model, 200),
        opened.policy,
        opened.policy_version,
        opened.stream,
        opened.project,
        opened.key,
        _tags(opened) if opened.tags else "[]",
        clean(opened.session, 256),
        opened.input_estimate,
        _pico(opened.expected_cost),
        instant(opened.deadline),
        opened.experiment,
        opened.task,
        *(settled_row(facts) if facts.settled else (*first_target(opened), *_NOT_SETTLED)),
    )


def _tags(opened: CallOpened) -> str:
    return msgspec.json.encode(kept_tags(opened)).decode()


def first_target(opened: CallOpened) -> tuple[str, str]:
    """Provider and model of the target that is tried first; empty where there is none."""
    provider, _, model = opened.targets[0].partition("/") if opened.targets else ("", "", "")
    return provider, clean(model, 200)


def settled_row(facts: CallFacts, *, attempts: int | None = None) -> Row:
    """Values for SETTLED_COLUMNS; the call must have been settled."""
    settled = facts.settled
    assert settled is not None  # noqa: S101
    return (
        settled.provider,
        clean(settled.model, 200),
        settled.strategy,
        settled.reason,
        settled.status,
        settled.http_status,
        clean(settled.error_code, 60),
        clean(settled.finish_reason, 40),
        settled.cache,
        len(facts.attempts) if attempts is None else attempts,
        _pico(settled.cost),
        settled.cost_status,
        money.to_pico(settled.saved),
        settled.latency_ms,
        settled.first_token_ms,
        settled.overhead_us,
        settled.usage_source,
        *settled.usage.counts(),
    )


def attempt_row(call_id: UUID, tenant: UUID, fact: AttemptEnded) -> Row:
    """Values for ATTEMPT_COLUMNS."""
    return (
        call_id,
        fact.number,
        tenant,
        fact.provider,
        clean(fact.model, 200),
        fact.provider_key,
        fact.role,
        fact.outcome,
        fact.http_status,
        clean(fact.error_code, 60),
        clean(fact.message, 500),
        fact.started_ms,
        fact.first_token_ms,
        fact.ended_ms,
        _pico(fact.cost),
        fact.cost_status,
        pricing.to_json(fact.price).decode() if fact.price else "",
        _pico(fact.reported_cost),
        fact.usage_source,
        *fact.usage.counts(),
    )


def _pico(amount: Decimal | None) -> int | None:
    return None if amount is None else money.to_pico(amount)


def uuid_of(call: str) -> UUID:
    return ids.decode(call)


def instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def clean(text: str, length: int) -> str:
    """At most so many characters, and none that PostgreSQL cannot keep."""
    return text.replace("\x00", "")[:length]


def kept_tags(opened: CallOpened) -> list[str]:
    """The tags of a call as its row keeps them."""
    return list(dict.fromkeys(clean(tag, 200) for tag in opened.tags))
