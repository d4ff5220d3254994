"""What an experiment has shown: the split by arm, the pairs by challenger. Reads, in a scope."""

import threading
import time
import zlib
from collections import OrderedDict
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum

from billing import money
from billing.money import ZERO
from routing import experiments
from routing.judging import deltas, results, split
from routing.judging.deltas import Delta
from routing.judging.results import PairResult
from routing.judging.split import ArmFigures, Spent
from routing.models import Arm, Experiment, Sample

RESAMPLES_ON_PAGES = 400
FRESH_SECONDS = 60.0  # deltas of a busy experiment are so old at most
MOST_REMEMBERED = 200

Json = dict[str, Any]
Figures = dict[str, ArmFigures]


@dataclass(frozen=True)
class Deltas:
    """A challenger against the first arm: 95 %, not for peeking. None where too few calls are."""

    cost_ratio: Delta | None
    first_token_p50_ms: Delta | None
    latency_p50_ms: Delta | None
    latency_p95_ms: Delta | None


@dataclass(frozen=True)
class Report:
    experiment: Experiment
    arms: list[Arm]
    split: dict[str, ArmFigures]
    pairs: list[PairResult]
    spent: Spent
    set_aside: Decimal  # judging has cost so much at most
    waiting: int
    deltas: dict[str, Deltas]
    is_mismatched: bool


class _Remembered:
    """Deltas that were worked out, for as long as the calls are the same, and for a minute.

    One at a time: they take up to a second of a processor that others wait for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Any, tuple[float, Any, Deltas]] = OrderedDict()

    def deltas(
        self, experiment: Experiment, first: Arm, arm: Arm, figures: Figures, resamples: int
    ) -> Deltas:
        place = (experiment.pk, arm.name, resamples)
        calls = [
            (its.calls, its.errors, its.cost) for its in (figures[first.name], figures[arm.name])
        ]
        with self._lock:
            at, known_calls, known = self._found.get(place, (0.0, None, None))
            if known and (calls == known_calls or time.monotonic() - at < FRESH_SECONDS):
                self._found.move_to_end(place)
                return known
            found = _deltas(experiment, first, arm, figures, resamples)
            self._found[place] = (time.monotonic(), calls, found)
            while len(self._found) > MOST_REMEMBERED:
                self._found.popitem(last=False)
            return found


_remembered = _Remembered()


def of(experiment: Experiment, *, resamples: int = deltas.RESAMPLES) -> Report:
    arms = experiments.arms_of(experiment)
    figures = split.read(experiment, arms)
    kept = Sample.objects.for_tenant(experiment.tenant_id).filter(experiment=experiment)
    held = kept.aggregate(
        reserved=Sum("reserved"), waiting=Count("id", filter=Q(state=Sample.State.WAITING))
    )
    rows = results.rows_of(experiment)
    return Report(
        experiment=experiment,
        arms=arms,
        split=figures,
        pairs=results.of(rows, arms, figures),
        spent=split.spent(experiment),
        set_aside=sum((row.cost or ZERO for row in rows), held["reserved"] or ZERO),
        waiting=held["waiting"],
        deltas={
            arm.name: _remembered.deltas(experiment, arms[0], arm, figures, resamples)
            for arm in arms[1:]
        },
        is_mismatched=results.mismatched(arms, figures),
    )


def as_json(report: Report) -> Json:
    """The report of contract §8."""
    return {
        "id": report.experiment.shown_id,
        "name": report.experiment.name,
        "status": report.experiment.status,
        "judging_ended": report.experiment.judging_ended or None,
        "sample_ratio_mismatch": report.is_mismatched,
        "arms": [_arm(arm, report.split[arm.name]) for arm in report.arms],
        "pairs": [_pair(report, one) for one in report.pairs],
        "waiting": report.waiting,
        "judge_spend_usd": money.plain(report.spent.judge),
        "shadow_spend_usd": money.plain(report.spent.shadow),
        "set_aside_usd": money.plain(report.set_aside),
    }


def _deltas(
    experiment: Experiment, first: Arm, arm: Arm, figures: Figures, resamples: int
) -> Deltas:
    a, b = figures[first.name].measured, figures[arm.name].measured
    seed = zlib.crc32(experiment.pk.bytes)

    def difference(name: str, share: float) -> Delta | None:
        return deltas.quantile_difference(
            a, b, of=lambda call: getattr(call, name), share=share, seed=seed, resamples=resamples
        )

    return Deltas(
        cost_ratio=deltas.cost_ratio(a, b, seed=seed, resamples=resamples),
        first_token_p50_ms=difference("first_token_ms", 0.5),
        latency_p50_ms=difference("latency_ms", 0.5),
        latency_p95_ms=difference("latency_ms", 0.95),
    )


def _arm(arm: Arm, its: ArmFigures) -> Json:
    return {
        "name": arm.name,
        "model": arm.model or None,
        "policy": arm.policy or None,
        "weight": arm.weight,
        "halted": arm.halted or None,
        "calls": its.calls,
        "errors": its.errors,
        "units": its.units,
        "cost_usd": money.plain(its.cost),
        "unpriced_calls": its.unpriced,
        "cost_per_call": None if its.cost_per_call is None else f"{its.cost_per_call:.12f}",
        "latency_p50_ms": its.latency(0.5),
        "latency_p95_ms": its.latency(0.95),
        "first_token_p50_ms": its.first_token(0.5),
        "first_token_p95_ms": its.first_token(0.95),
    }


def _pair(report: Report, one: PairResult) -> Json:
    tally = one.tally
    return {
        "arm": one.challenger,
        "against": report.arms[0].name,
        "n": tally.n,
        "wins": tally.wins,
        "ties": tally.ties,
        "losses": tally.losses,
        "win_rate": tally.win_rate,
        "interval": None if one.interval is None else list(one.interval),
        "e_value": one.e_value,
        "verdict": one.verdict,
        "withheld": list(one.withheld),
        "swap_consistency": one.swap_consistency,
        "style_controlled_win_rate": one.style_controlled,
        "length_may_explain": one.length_may_explain,
        "pair_failed": one.failed,
        "dropped": one.dropped,
        "pairs_needed": one.pairs_needed,
        "deltas": asdict(report.deltas[one.challenger]),
    }
