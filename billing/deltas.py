"""What newly booked facts add to the roll-ups. Pure.

A call counts once, when it is settled, under the provider and model that served it; each attempt
counts under its own. So the sums over any grouping agree with the books.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from billing import money
from billing.facts import AttemptEnded, CallOpened, CallSettled
from billing.models.spend import DIMENSIONS, SUMS, TAG_DIMENSIONS
from billing.rows import NO_ID, Row, clean, instant, kept_tags

DELTA_COLUMNS = ("tenant_id", "hour", *DIMENSIONS, *SUMS)
HOUR_MS = 3_600_000
TAG_COLUMNS = ("tenant_id", "day", *TAG_DIMENSIONS, *SUMS)
_INDEX = {name: place for place, name in enumerate(SUMS)}


class Booked(NamedTuple):
    """A call's facts that have just been written for the first time, or (sign -1) taken back."""

    opened: CallOpened
    settled: CallSettled | None
    attempts: tuple[AttemptEnded, ...]
    was_rescued: bool = False
    sign: int = 1


class Key(NamedTuple):
    tenant: UUID
    hour: datetime
    mode: str
    purpose: str
    provider: str
    model: str
    project: UUID
    gateway_key: UUID
    policy: str


def sum_up(booked: Iterable[Booked]) -> list[Row]:
    """Rows of DELTA_COLUMNS."""
    sums: defaultdict[Key, list[int]] = defaultdict(lambda: [0] * len(SUMS))
    for call in booked:
        opened = call.opened
        hour = _hour(opened.opened_at)
        target, mine = ("", ""), None  # most calls are served by their only attempt
        for attempt in call.attempts:
            target = attempt.provider, attempt.model
            mine = sums[_key(opened, hour, *target)]
            _add_attempt(mine, attempt, call.sign)
        if settled := call.settled:
            if mine is None or target != (settled.provider, settled.model):
                mine = sums[_key(opened, hour, settled.provider, settled.model)]
            _add_call(mine, call, settled)
    return [(*key, *values) for key, values in sums.items()]


def sum_up_tags(booked: Iterable[Booked]) -> list[Row]:
    """Rows of TAG_COLUMNS: a call and its attempts count under each of the call's tags."""
    sums: defaultdict[tuple[UUID, date, str, str], list[int]]
    sums = defaultdict(lambda: [0] * len(SUMS))
    for call in booked:
        opened = call.opened
        if not opened.tags or not (call.attempts or call.settled):
            continue
        for tag in kept_tags(opened):
            mine = sums[opened.tenant, instant(opened.opened_at).date(), opened.mode, tag]
            for attempt in call.attempts:
                _add_attempt(mine, attempt, call.sign)
            if call.settled:
                _add_call(mine, call, call.settled)
    return [(*key, *values) for key, values in sums.items()]


def _key(opened: CallOpened, hour: datetime, provider: str, model: str) -> Key:
    return Key(
        opened.tenant,
        hour,
        opened.mode,
        opened.purpose,
        provider,
        clean(model, 200),
        opened.project or NO_ID,
        opened.key or NO_ID,
        opened.policy,
    )


def _add_attempt(sums: list[int], attempt: AttemptEnded, sign: int) -> None:
    cost = 0 if attempt.cost is None else sign * money.to_pico(attempt.cost)
    sums[_INDEX["attempts"]] += sign
    sums[_INDEX["failed"]] += sign * (attempt.outcome not in {"answered", "lost", "cancelled"})
    sums[_INDEX["input_tokens"]] += sign * attempt.usage.input_tokens
    sums[_INDEX["output_tokens"]] += sign * attempt.usage.output_tokens
    sums[_INDEX["cached_tokens"]] += sign * attempt.usage.cache_read
    sums[_INDEX["cost"]] += cost
    if attempt.cost_status == "estimated":
        sums[_INDEX["estimated"]] += cost
    if attempt.outcome == "lost":
        sums[_INDEX["lost"]] += cost


def _add_call(sums: list[int], call: Booked, settled: CallSettled) -> None:
    sign = call.sign
    sums[_INDEX["calls"]] += sign
    sums[_INDEX["succeeded"]] += sign * (settled.status == "succeeded")
    sums[_INDEX["failed_calls"]] += sign * (settled.status in {"failed", "unknown"})
    sums[_INDEX["rescued"]] += sign * call.was_rescued
    sums[_INDEX["cache_hits"]] += sign * (settled.cache == "hit")
    sums[_INDEX["saved"]] += sign * money.to_pico(settled.saved)
    sums[_INDEX["unpriced_calls"]] += sign * (settled.cost is None)


def _hour(milliseconds: int) -> datetime:
    return instant(milliseconds - milliseconds % HOUR_MS)
