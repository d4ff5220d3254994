"""What routing reports of a call: frozen facts, the records of the journal.

No fact holds content, a header or a secret. Times are Unix milliseconds, or milliseconds since the
call was opened where the name says so. Readers of old journals rely on the tags and names: fields
are added with a default, never renamed.
"""

from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from billing.pricing import Price
from billing.usage import Usage

Purpose = Literal["user", "shadow", "judge"]
Status = Literal["open", "succeeded", "failed", "cancelled", "refused", "unknown"]
UsageSource = Literal["reported", "estimated", "none"]
CostStatus = Literal["reported", "priced", "estimated", "unpriced"]
Role = Literal["primary", "retry", "fallback", "race", "hedge"]

GATEWAY_DIED = "gateway_died"  # error code of attempts that are assumed of a call nobody settled


class CallOpened(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="open"):
    """Written before any byte goes to a provider."""

    call: str  # 22 characters of base62
    tenant: UUID
    opened_at: int  # Unix ms
    deadline: int  # Unix ms
    mode: str
    endpoint: str
    requested_model: str
    key: UUID | None = None
    project: UUID | None = None
    purpose: Purpose = "user"
    stream: bool = False
    tags: tuple[str, ...] = ()
    session: str = ""
    targets: tuple[str, ...] = ()  # provider/model, in the order they would be tried
    policy: str = ""
    policy_version: int | None = None
    input_estimate: int = 0  # tokens
    expected_cost: Decimal | None = None  # of the first target: for a call that nobody settles
    experiment: str = ""  # exp_…/arm
    task: str = ""  # the kind of work asked for, where a tenant's labels make it matter
    reserved: tuple[UUID, ...] = ()  # budgets whose leases, in its process's hands, pay for it


class AttemptStarted(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="started"):
    """Written before an attempt that the open record's first target does not cover."""

    call: str
    number: int
    target: str
    started_ms: int
    role: Role = "fallback"
    expected_cost: Decimal | None = None


class AttemptEnded(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="ended"):
    """Written at the end of each attempt, losers too."""

    call: str
    number: int
    provider: str
    model: str
    outcome: str
    role: Role = "primary"
    provider_key: UUID | None = None
    http_status: int | None = None
    error_code: str = ""
    message: str = ""
    started_ms: int = 0
    first_token_ms: int | None = None
    ended_ms: int = 0
    usage: Usage = Usage()
    usage_source: UsageSource = "none"
    cost: Decimal | None = None
    cost_status: CostStatus = "unpriced"
    price: Price | None = None
    reported_cost: Decimal | None = None


class CallSettled(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, tag="settled"):
    """Written before the client's terminal event, or before the head of a whole answer."""

    call: str
    status: Status
    settled_at: int  # Unix ms
    strategy: str = "none"
    reason: str = "none"
    provider: str = ""
    model: str = ""
    http_status: int | None = None
    error_code: str = ""
    cache: str = "off"
    usage: Usage = Usage()
    usage_source: UsageSource = "none"
    cost: Decimal | None = None
    cost_status: CostStatus = "unpriced"
    saved: Decimal = Decimal(0)
    latency_ms: int = 0
    first_token_ms: int | None = None
    overhead_us: int = 0
    finish_reason: str = ""


Fact = CallOpened | AttemptStarted | AttemptEnded | CallSettled
