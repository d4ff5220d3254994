"""What a tenant's judged pairs and users' scores teach `auto`: read, and kept in memory.

In memory like policies: read once per tenant, and again after a change was announced. A tenant that
teaches is not kept waiting: what was known serves until the new labels are read, beside the calls
and at most every other second. Labels hold models, tasks and outcomes; no word of any call.
"""

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from accounts import changes
from accounts.callers import Caller
from accounts.tenancy import tenant_scope
from routing import label_rows
from routing.chat import ChatRequest
from routing.label_rows import Rows
from routing.plan import ranking
from routing.plan.ranking import Measured
from routing.scoring.learned import Knowledge, Learner
from routing.scoring.scorer import Scorer

log = logging.getLogger(__name__)

KIND = "labels"
REST_SECONDS = 2.0  # between two readings of a tenant

Known = dict[str, Knowledge]  # by mode; empty for a tenant without labels

SHARED = Scorer()  # of everybody who has taught nothing


@dataclass
class Held:
    """A tenant's own scorers by mode, as of a reading."""

    scorers: dict[str, Scorer]
    read_at: float  # on the monotonic clock
    is_stale: bool = False
    is_being_read: bool = False


@dataclass(frozen=True)
class OfModel:
    """What is known of a model at a kind of work."""

    model: str
    quality: float
    measured: Measured | None


@dataclass(frozen=True)
class OfTask:
    """A kind of work and its models, the best first. `pairs` and `scores` are as they came."""

    task: str
    pairs: int
    scores: int
    models: list[OfModel] = field(default_factory=list)


_held: dict[UUID, Held] = {}


async def scorer(caller: Caller) -> Scorer:
    """The scorer of a caller's calls: the tenant's own where it has labels."""
    tenant = caller.tenant_id
    held = _held.get(tenant)
    if held is None:
        try:
            held = await sync_to_async(load, thread_sensitive=False)(tenant)
        except DatabaseError:
            return SHARED
    elif held.is_stale and not held.is_being_read:
        _read_beside(held, tenant)
    return held.scorers.get(caller.mode, SHARED)


def task_of(its: ranking.Scorer, chat: ChatRequest) -> str:
    """The kind of work of a call, for the books; looked for only where it teaches something."""
    return "" if its is SHARED else its.task(chat)


def load(tenant: UUID) -> Held:
    """Read a tenant's labels and keep what they teach in memory. Raises DatabaseError."""
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            known = read(tenant, datetime.now(UTC))
    finally:
        close_old_connections()
    held = Held({mode: Scorer(its) for mode, its in known.items()}, time.monotonic())
    held.is_stale = changes.feed.generation != generation  # it may have changed while we read
    _held[tenant] = held
    return held


def read(tenant: UUID, now: datetime) -> Known:
    """What a tenant's labels teach by now. In the caller's scope."""
    rows = label_rows.read(tenant, now)
    return {mode: _solved(rows, mode, now) for mode in rows.by_mode}


def scorer_of(tenant: UUID, mode: str, now: datetime) -> Scorer:
    """The scorer as the database has it now. In the caller's scope."""
    rows = label_rows.read(tenant, now)
    return Scorer(_solved(rows, mode, now)) if mode in rows.by_mode else SHARED


def told(tenant: UUID, mode: str, now: datetime) -> list[OfTask]:
    """What was learned, by kind of work, the most labelled first. In the caller's scope."""
    rows = label_rows.read(tenant, now)
    if mode not in rows.by_mode:
        return []
    known = _solved(rows, mode, now)
    judged, rated = Counter[str](), Counter[str]()
    for pair in rows.by_mode[mode].pairs:
        judged[pair.task] += pair.count
    for score in rows.by_mode[mode].scores:
        rated[score.task] += score.count
    tasks = sorted(known.by_task, key=lambda task: (-judged[task], -rated[task], task))
    return [OfTask(task, judged[task], rated[task], _models(known, task)) for task in tasks]


def as_json(found: list[OfTask]) -> list[dict[str, Any]]:
    return [
        {
            "class": one.task or None,
            "pairs": one.pairs,
            "scores": one.scores,
            "models": [
                {
                    "model": its.model,
                    "quality": round(its.quality, 4),
                    "against": its.measured.rival if its.measured else None,
                    "judged": _rounded(its.measured.pairs if its.measured else None, 1),
                    "win_or_tie": _rounded(its.measured.win_or_tie if its.measured else None, 4),
                }
                for its in one.models
            ],
        }
        for one in found
    ]


def _models(known: Knowledge, task: str) -> list[OfModel]:
    measured = known.measured.get(task, {})
    found = [
        OfModel(name, quality, measured.get(name)) for name, quality in known.by_task[task].items()
    ]
    return sorted(found, key=lambda its: (-its.quality, its.model))


def _solved(rows: Rows, mode: str, now: datetime) -> Knowledge:
    learner = Learner(rows.prior)
    for pair in rows.by_mode[mode].pairs:
        learner.judged(pair)
    for score in rows.by_mode[mode].scores:
        learner.rated(score)
    return learner.solve(now)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _read_beside(held: Held, tenant: UUID) -> None:
    """Read again in a thread, and serve what was known meanwhile."""
    if time.monotonic() - held.read_at < REST_SECONDS:
        return
    held.is_being_read = True
    asyncio.get_running_loop().run_in_executor(None, _read_again, held, tenant)


def _read_again(held: Held, tenant: UUID) -> None:
    try:
        load(tenant)
    except DatabaseError:
        log.warning("labels cannot be read", extra={"tenant": str(tenant)})
        held.read_at = time.monotonic()
    finally:
        held.is_being_read = False


def _grow_stale(tenant: UUID | None, _: UUID | None) -> None:
    for held in list(_held.values()) if tenant is None else filter(None, [_held.get(tenant)]):
        held.is_stale = True


changes.listen(KIND, _grow_stale)
