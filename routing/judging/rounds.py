"""A round of judging, as the worker makes it: claim, compare, write, and conclude."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from accounts import changes, ids
from accounts.callers import Caller
from accounts.tenancy import system_scope, tenant_scope
from accounts.vault import SealBroken
from routing import experiments, runtime, samples
from routing.dry_run import Desk
from routing.judging import canaries, results, split, standings, waiting
from routing.judging.comparison import Bench, Compared, NotNow, Terms
from routing.judging.waiting import Claimed, ClaimLost, JudgingEnds
from routing.models import Arm, Experiment, Judgement, Sample

log = logging.getLogger(__name__)

AT_ONCE = 4
LONGEST = timedelta(seconds=240)  # a pair takes; shorter than a claim lasts
ROUND_SECONDS = 15.0  # other tasks wait meanwhile
GUARD_CALLS, GUARD_MARGIN = 50, 0.10

T = TypeVar("T")


async def run() -> int:
    """Judge what waits, for a while; how many samples ended."""
    until = datetime.now(UTC) + timedelta(seconds=ROUND_SECONDS)
    async with asyncio.TaskGroup() as group:
        benches = [group.create_task(_bench(until)) for _ in range(AT_ONCE)]
    return sum(bench.result() for bench in benches)


async def run_alone() -> int:
    """A round in a process that makes no other calls."""
    await runtime.start()
    try:
        return await run()
    finally:
        await runtime.stop()


async def _bench(until: datetime) -> int:
    ended = 0
    while datetime.now(UTC) < until:
        try:
            claimed = await _in_thread(waiting.claim, datetime.now(UTC))
        except DatabaseError:  # the next round asks again; other benches may be at work
            log.warning("no sample could be claimed", exc_info=True)
            break
        if claimed is None:
            break
        try:
            async with asyncio.timeout(LONGEST.total_seconds()):
                ended += await _judge(claimed)
        except TimeoutError:
            pass  # the claim runs out, and somebody tries again
        except Exception:  # the bench's edge: one sample must not keep the others waiting
            log.exception("a sample could not be judged", extra={"call": str(claimed.sample.pk)})
    return ended


async def _judge(claimed: Claimed) -> bool:
    """Whether the sample ended."""
    try:
        terms, content, shows = await _in_thread(_prepare, claimed)
    except SealBroken:
        kind = Compared("skipped", "")
        return await _in_thread(_write, claimed, kind, None, Decimal(0))
    bench = Bench(
        terms=terms,
        caller=_caller(claimed),
        reserve=partial(_in_thread, waiting.reserve, claimed),
    )
    call = ids.encode(claimed.sample.pk.int)
    try:
        compared = await bench.compare(content, claimed.sample.arm, call=call, shows=shows)
    except NotNow:
        if not (bench.cost and claimed.is_last):
            now = datetime.now(UTC)
            await _in_thread(waiting.postpone, claimed, now=now, cost=bench.cost)
            return False
        compared = Compared("dropped", bench.challenger)
    except ClaimLost:
        await _in_thread(waiting.abandon, claimed, bench.cost)
        return False
    except JudgingEnds as reason:
        await _in_thread(_end, claimed, bench, str(reason))
        return False
    done = await _in_thread(_write, claimed, compared, bench.right, bench.cost)
    await _in_thread(conclude, claimed.experiment)
    return done


def conclude(experiment: Experiment) -> None:
    """Store verdicts that can be given, and end the judging when nothing is left to find out."""
    with tenant_scope(experiment.tenant_id):
        arms = experiments.arms_of(experiment)
        found = results.standings_of(experiment, arms)
        rows = Arm.objects.for_tenant(experiment.tenant_id).filter(experiment=experiment)
        for one in found:
            if one.verdict != "not_yet":
                rows.filter(name=one.challenger, verdict="").update(verdict=one.verdict)
    if all(one.verdict != "not_yet" for one in found):
        waiting.end_judging(experiment, "every arm has its verdict")
    elif all(one.pairs >= experiment.target_pairs or one.verdict != "not_yet" for one in found):
        waiting.end_judging(experiment, "as many pairs as were wanted are judged")


def guard() -> int:
    """Stop arms that fail much more often than the first one; how many."""
    with system_scope():
        running = Experiment.objects.filter(status=Experiment.Status.RUNNING)
        rows = list(running.order_by("id"))
    return sum(_guard(row) for row in rows)


def _guard(experiment: Experiment) -> int:
    halted = 0
    with tenant_scope(experiment.tenant_id):
        arms = experiments.arms_of(experiment)
        figures = split.read(experiment, arms, measures=False)
        first = figures[arms[0].name]
        for arm in arms[1:]:
            its = figures[arm.name]
            if arm.halted or min(first.calls, its.calls) < GUARD_CALLS:
                continue
            excess = standings.excess_of_errors(first.errors, first.calls, its.errors, its.calls)
            if excess > GUARD_MARGIN:
                arm.halted = f"{its.errors} of {its.calls} calls failed"
                arm.save(update_fields=["halted"])
                changes.record(experiments.KIND, tenant=experiment.tenant_id)
                halted += 1
    return halted


def _prepare(claimed: Claimed) -> tuple[Terms, samples.Content, bool]:
    """What a bench needs. Raises SealBroken."""
    experiment = claimed.experiment
    with tenant_scope(experiment.tenant_id):
        running = experiments.running(experiment, experiments.arms_of(experiment))
        judged = Judgement.objects.for_tenant(experiment.tenant_id).filter(experiment=experiment)
        pairs = judged.filter(kind=Judgement.Kind.PAIR)
        shown = judged.filter(kind=Judgement.Kind.CANARY).order_by("-id").first()
        shown_at = pairs.filter(id__lt=shown.pk).count() if shown else None
        content = samples.content_of(claimed.sample)
        due = canaries.are_due(pairs.count(), shown_at)
    terms = Terms(running, experiment.judge_model, experiment.judge_instructions)
    return terms, content, due


def _caller(claimed: Claimed) -> Caller:
    experiment, sample = claimed.experiment, claimed.sample
    desk = Desk(experiment.tenant_id, mode=experiment.mode, now=sample.created_at)
    return replace(desk.caller, project_id=sample.project_id, policy=experiment.policy)


def _write(claimed: Claimed, compared: Compared, right: int | None, cost: Decimal) -> bool:
    now = datetime.now(UTC)
    judgements = [_row(claimed, compared, now, cost)]
    if right is not None:
        judgements.insert(0, _canary(claimed, compared.challenger, right, now))
    example = _example(claimed, compared)
    return waiting.finish(claimed, judgements, cost=cost, example=example)


def _end(claimed: Claimed, bench: Bench, reason: str) -> None:
    """The judging ends with this sample; what it cost stays on the books."""
    if bench.right is not None or bench.cost:
        compared = Compared("skipped", claimed.sample.arm)
        _write(claimed, compared, bench.right, bench.cost)
    waiting.end_judging(claimed.experiment, reason)


def _row(claimed: Claimed, compared: Compared, now: datetime, cost: Decimal) -> Judgement:
    return Judgement(
        tenant_id=claimed.sample.tenant_id,
        experiment=claimed.experiment,
        sample=claimed.sample.pk,
        challenger=compared.challenger,
        kind=compared.kind,
        at=now,
        task=compared.task,
        model=compared.model[:200],
        rival=compared.rival[:200],
        half_points=compared.half_points,
        is_consistent=compared.is_consistent,
        style=None if compared.style is None else [round(x, 4) for x in compared.style],
        failed=compared.failed,
        cost=cost,
    )


def _canary(claimed: Claimed, challenger: str, right: int, now: datetime) -> Judgement:
    return Judgement(
        tenant_id=claimed.sample.tenant_id,
        experiment=claimed.experiment,
        sample=claimed.sample.pk,
        challenger=challenger,
        kind=Judgement.Kind.CANARY,
        at=now,
        right=right,
    )


def _example(claimed: Claimed, compared: Compared) -> bytes | None:
    """The pair, sealed, where the experiment keeps examples and has not enough yet."""
    experiment, sample = claimed.experiment, claimed.sample
    if not experiment.keeps_examples or compared.example is None:
        return None
    with tenant_scope(experiment.tenant_id):
        kept = Sample.objects.for_tenant(experiment.tenant_id).filter(
            experiment=experiment, state=Sample.State.DONE
        )
        if kept.exclude(content=None).count() >= samples.MOST_EXAMPLES:
            return None
        plain = msgspec.msgpack.encode(compared.example)
        return samples.seal(experiment.tenant_id, sample.pk, plain)


async def _in_thread(action: Callable[..., T], *args: Any, **options: Any) -> T:
    def run_and_close() -> T:
        try:
            return action(*args, **options)
        finally:
            close_old_connections()

    return await sync_to_async(run_and_close, thread_sensitive=False)()
