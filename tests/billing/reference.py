"""A slow and plain account of what calls spent, to judge the roll-ups by."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.billing.stories import Story

NOBODY = UUID(int=0)
Sums = dict[str, Any]


def hour_of(story: Story) -> datetime:
    opened = datetime.fromtimestamp(story.opened.opened_at / 1000, tz=UTC)
    return opened.replace(minute=0, second=0, microsecond=0)


def of_call(story: Story) -> Counter[str]:
    """What a call counts as one call."""
    settled = story.settled
    if settled is None:
        return Counter()
    unlucky = [a for a in story.ended if a.outcome not in {"answered", "lost"}]
    return Counter(
        calls=1,
        succeeded=int(settled.status == "succeeded"),
        failed_calls=int(settled.status in {"failed", "unknown"}),
        rescued=int(settled.status == "succeeded" and bool(unlucky)),
        cache_hits=int(settled.cache == "hit"),
        unpriced_calls=int(settled.cost is None),
    )


def of_attempt(attempt: Any) -> Counter[str]:
    return Counter(
        attempts=1,
        failed=int(attempt.outcome not in {"answered", "lost", "cancelled"}),
        input_tokens=attempt.usage.input_tokens,
        output_tokens=attempt.usage.output_tokens,
        cached_tokens=attempt.usage.cache_read,
    )


def money_of(story: Story, attempt: Any = None) -> dict[str, Decimal]:
    if attempt is None:
        return {"saved": story.settled.saved if story.settled else Decimal(0)}
    cost = attempt.cost or Decimal(0)
    return {
        "cost": cost,
        "estimated": cost if attempt.cost_status == "estimated" else Decimal(0),
        "lost": cost if attempt.outcome == "lost" else Decimal(0),
    }


def total(stories: Iterable[Story]) -> Sums:
    """The sums over whole calls with all their attempts."""
    counts: Counter[str] = Counter()
    money = dict.fromkeys(("cost", "saved", "estimated", "lost"), Decimal(0))
    for story in stories:
        counts += of_call(story)
        amounts = [money_of(story)]
        for attempt in story.ended:
            counts += of_attempt(attempt)
            amounts.append(money_of(story, attempt))
        for amount in amounts:
            for name, value in amount.items():
                money[name] += value
    return {**counts, **money}


def by_group(stories: Iterable[Story]) -> dict[tuple[Any, ...], Sums]:
    """Sums by tenant, hour and all dimensions; attempts count under their own provider."""
    found: dict[tuple[Any, ...], Sums] = {}

    def add(story: Story, provider: str, model: str, sums: dict[str, Any]) -> None:
        opened = story.opened
        period = (opened.tenant, hour_of(story), opened.mode, opened.purpose)
        owner = (opened.project or NOBODY, opened.key or NOBODY, opened.policy)
        group = found.setdefault((*period, provider, model, *owner), {})
        for name, value in sums.items():
            group[name] = group.get(name, 0) + value

    for story in stories:
        settled = story.settled
        if settled is not None:
            add(story, settled.provider, settled.model, {**of_call(story), **money_of(story)})
        for attempt in story.ended:
            sums = {**of_attempt(attempt), **money_of(story, attempt)}
            add(story, attempt.provider, attempt.model, sums)
    return found
