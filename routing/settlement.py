"""How a call ends on the books."""

import asyncio
import time
from datetime import UTC, datetime

from accounts.errors import GatewayError
from billing.facts import AttemptEnded, CallOpened, CallSettled, Role, Status
from billing.ledger import Ledger
from billing.sums import total_of
from billing.usage import Usage
from routing.execution.story import Story
from routing.plan import affinity

CLIENT_CLOSED = 499
_NO_FAILURES = frozenset({"answered", "lost", "cancelled"})


def succeed(story: Story, answered: AttemptEnded, *, finish_reason: str) -> CallSettled:
    """The call is answered, by this attempt."""
    if story.session and story.options.simulation is None:
        affinity.remember(
            story.caller, story.session, answered, at=datetime.fromtimestamp(time.time(), UTC)
        )
    return _settle(story, "succeeded", 200, shown=answered, finish_reason=finish_reason)


def end_with(story: Story, error: BaseException) -> CallSettled:
    """The call ends without an answer, or with half of one: an error, or a caller who left."""
    shown = story.books.attempts[-1] if story.books.attempts else None
    if isinstance(error, GatewayError):
        return _settle(story, "failed", error.http_status, shown=shown, code=error.error_code)
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return _settle(story, "cancelled", CLIENT_CLOSED, shown=shown, code="client_cancelled")
    return _settle(story, "failed", 500, shown=shown, code="internal_error")


def refuse(ledger: Ledger, opened: CallOpened, error: GatewayError, *, latency_s: float) -> None:
    """A call that was refused before any provider was asked."""
    cost, status = total_of(())
    fact = CallSettled(
        call=opened.call,
        status="refused",
        settled_at=int(time.time() * 1000),
        http_status=error.http_status,
        error_code=error.error_code,
        cost=cost,
        cost_status=status,
        latency_ms=round(latency_s * 1000),
        overhead_us=round(latency_s * 1e6),
    )
    ledger.refuse(opened, fact)


def reason_of(story: Story, role: Role) -> str:
    """Why an attempt in this role answers: the plan's reason, or what moved the chain on."""
    if role in {"primary", "race"}:
        return "race_won" if story.is_raced else story.planned_reason
    if role == "fallback":
        failed = [a.outcome for a in story.books.attempts if a.outcome not in _NO_FAILURES]
        return f"fallback:{failed[-1]}" if failed else story.planned_reason
    return "hedge_won" if role == "hedge" else role


def _settle(
    story: Story,
    status: Status,
    http_status: int,
    *,
    shown: AttemptEnded | None,
    code: str = "",
    finish_reason: str = "",
) -> CallSettled:
    """Write the settlement; `shown` is the attempt whose provider and usage the call shows."""
    cost, cost_status = total_of(story.books.attempts)
    latency = time.monotonic() - story.began
    fact = CallSettled(
        call=story.books.opened.call,
        status=status,
        settled_at=int(time.time() * 1000),
        strategy=story.strategy,
        reason=reason_of(story, shown.role) if shown else story.planned_reason,
        provider=shown.provider if shown else "",
        model=shown.model if shown else "",
        http_status=http_status,
        error_code=code,
        cache="miss" if story.keep else "off",
        usage=shown.usage if shown else Usage(),
        usage_source=shown.usage_source if shown else "none",
        cost=cost,
        cost_status=cost_status,
        latency_ms=round(latency * 1000),
        first_token_ms=shown.first_token_ms if shown else None,
        overhead_us=max(0, round((latency - story.upstream_s) * 1e6)),
        finish_reason=finish_reason,
    )
    is_kept = False
    try:
        story.books.settle(fact)
        is_kept = status == "succeeded"
    finally:
        if story.keep and not is_kept:
            story.keep.abandon()
    return fact
