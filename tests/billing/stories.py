"""Random stories of calls, and ways to ship them: in pieces, again, mixed up."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from accounts import ids
from billing import sums
from billing.facts import AttemptEnded, CallOpened, CallSettled, Fact
from billing.usage import Usage
from tests.factories.billing import (
    NOON,
    AttemptEndedFactory,
    AttemptStartedFactory,
    CallOpenedFactory,
    CallSettledFactory,
    call_id,
    failed,
)

HOUR_MS = 3_600_000
COUNTS = st.integers(0, 5000)
USAGES = st.builds(
    Usage, input_uncached=COUNTS, cache_read=COUNTS, output_visible=COUNTS, reasoning=COUNTS
)
COSTS = st.integers(0, 10**12).map(lambda pico: Decimal(pico).scaleb(-12))
TARGETS = st.sampled_from([("groq", "llama"), ("openai", "gpt"), ("anthropic", "claude")])


@dataclass(frozen=True)
class Story:
    """A call: its facts in the order in which its process wrote them."""

    facts: tuple[Fact, ...] = field(repr=False)

    @property
    def opened(self) -> CallOpened:
        first = self.facts[0]
        assert isinstance(first, CallOpened)
        return first

    @property
    def ended(self) -> list[AttemptEnded]:
        return [fact for fact in self.facts if isinstance(fact, AttemptEnded)]

    @property
    def settled(self) -> CallSettled | None:
        last = self.facts[-1]
        return last if isinstance(last, CallSettled) else None

    def cut(self, size: int) -> "Story":
        """As far as its process came before it died."""
        return replace(self, facts=self.facts[:size])


def _ended(draw: st.DrawFn, call: str, number: int, *, last: bool) -> AttemptEnded:
    provider, model = draw(TARGETS)
    if not last:
        outcome = draw(st.sampled_from(["rate_limit", "server", "timeout", "lost", "empty"]))
        if outcome != "lost":
            return failed(call, number, outcome=outcome, provider=provider, model=model)
    priced = draw(st.sampled_from(["priced", "priced", "estimated", "reported", "unpriced"]))
    return AttemptEndedFactory.build(
        call=call,
        number=number,
        provider=provider,
        model=model,
        outcome="answered" if last else "lost",
        usage=draw(USAGES),
        usage_source="estimated" if priced == "estimated" else "reported",
        cost=None if priced == "unpriced" else draw(COSTS),
        cost_status=priced,
    )


@st.composite
def stories(draw: st.DrawFn, tenant: UUID, key: UUID | None = None) -> Story:
    """A settled call of a tenant: refused, failed, cancelled, answered at once or by fallback."""
    opened_at = NOON + draw(st.integers(-14 * HOUR_MS, 14 * HOUR_MS))
    call = call_id(opened_at - draw(st.integers(0, 50_000)))  # the body took its time
    opened = CallOpenedFactory.build(
        call=call,
        tenant=tenant,
        key=key,
        opened_at=opened_at,
        mode=draw(st.sampled_from(["live", "live", "test"])),
        policy=draw(st.sampled_from(["", "cheap"])),
        tags=tuple(draw(st.lists(st.sampled_from("abc"), max_size=2, unique=True))),
    )
    status = draw(st.sampled_from(["succeeded", "succeeded", "failed", "cancelled", "refused"]))
    count = 0 if status == "refused" else draw(st.integers(1, 3))
    facts: list[Fact] = [opened]
    ended: list[AttemptEnded] = []
    for number in range(1, count + 1):
        if number > 1:
            facts.append(AttemptStartedFactory.build(call=call, number=number))
        last = number == count and status == "succeeded"
        ended.append(_ended(draw, call, number, last=last))
        facts.append(ended[-1])
    cost, cost_status = sums.total_of(ended)
    settled: dict[str, Any] = {"cost": cost, "cost_status": cost_status, "status": status}
    if ended:
        shown = ended[-1]
        settled |= {"provider": shown.provider, "model": shown.model, "usage": shown.usage}
    else:
        settled |= {"provider": "", "model": "", "usage": Usage()}
    settled["cache"] = draw(st.sampled_from(["off", "miss", "hit"]))
    settled["saved"] = draw(COSTS)
    return Story((*facts, CallSettledFactory.build(call=call, **settled)))


@st.composite
def interleaved(draw: st.DrawFn, told: list[Story]) -> list[Fact]:
    """The facts of all calls, each call's in order, as one process would write them."""
    left = [list(story.facts) for story in told]
    written: list[Fact] = []
    while left:
        place = draw(st.integers(0, len(left) - 1))
        written.append(left[place].pop(0))
        if not left[place]:
            del left[place]
    return written


@st.composite
def batches(draw: st.DrawFn, facts: list[Fact]) -> list[list[Fact]]:
    """The facts cut into batches, in order, some of the batches handed in again later."""
    cuts = sorted(draw(st.lists(st.integers(0, len(facts)), max_size=5)))
    edges = [0, *cuts, len(facts)]
    parts = [facts[a:b] for a, b in pairwise(edges)]
    shipped: list[list[Fact]] = []
    for place, part in enumerate(parts):
        shipped.append(part)
        again = draw(st.lists(st.integers(0, place), max_size=2))
        shipped.extend(parts[earlier] for earlier in again)
    return shipped


def uuid_of(story: Story) -> UUID:
    return ids.decode(story.opened.call)
