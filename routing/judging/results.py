"""What the judged pairs of an experiment say, and what forbids to say it. Reads, in a scope."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from routing.judging import standings, style
from routing.judging.split import ArmFigures
from routing.judging.standings import Tally
from routing.models import Arm, Experiment, Judgement
from routing.scoring import trust

PAIR, CANARY = Judgement.Kind.PAIR, Judgement.Kind.CANARY


@dataclass(frozen=True)
class PairResult:
    """One challenger against the first arm. Wins are the challenger's."""

    challenger: str
    tally: Tally
    interval: tuple[float, float] | None
    e_value: float
    verdict: str
    consistent: int
    style_controlled: float | None
    failed: int  # pairs of which one side had no answer
    dropped: int  # pairs of which the judge said nothing that can be read
    withheld: tuple[str, ...]  # why there is no verdict, whatever the pairs say
    pairs_needed: int | None
    points: tuple[int, ...] = field(repr=False, default=())  # in their order

    @property
    def swap_consistency(self) -> float | None:
        return self.consistent / self.tally.n if self.tally.n else None

    @property
    def length_may_explain(self) -> bool:
        return style.may_explain(self.tally.win_rate, self.style_controlled)


def rows_of(experiment: Experiment) -> list[Judgement]:
    """All that was judged, in its order."""
    rows = Judgement.objects.for_tenant(experiment.tenant_id).filter(experiment=experiment)
    return list(rows.order_by("id"))


def of(
    rows: Sequence[Judgement], arms: Sequence[Arm], split: dict[str, ArmFigures]
) -> list[PairResult]:
    """The standing of every challenger."""
    general = general_doubts(rows, arms, split)
    challengers = list(arms[1:])
    return [
        _of(
            [row for row in rows if row.challenger == arm.name],
            arm,
            doubts=(*general, *_doubts_of_arm(arms[0], arm, split)),
            challengers=len(challengers),
        )
        for arm in challengers
    ]


def tally_of(points: Iterable[int | None]) -> Tally:
    found = list(points)
    return Tally(wins=found.count(2), ties=found.count(1), losses=found.count(0))


def general_doubts(
    rows: Sequence[Judgement], arms: Sequence[Arm], split: dict[str, ArmFigures]
) -> tuple[str, ...]:
    """What forbids every verdict."""
    found = []
    shown = [row.right for row in rows if row.kind == CANARY]
    if shown and trust.falls_for_canaries(shown[-1]):
        found.append("judge_fails_canaries")
    if mismatched(arms, split):
        found.append("sample_ratio_mismatch")
    return tuple(found)


def mismatched(arms: Sequence[Arm], split: dict[str, ArmFigures]) -> bool:
    """Whether units do not fall to the arms at the planned shares."""
    if any(arm.halted for arm in arms):  # what was planned is not what happened
        return False
    first = arms[0]
    a = split[first.name].units if first.name in split else 0
    for arm in arms[1:]:
        b = split[arm.name].units if arm.name in split else 0
        if standings.is_mismatched(a, b, arm.weight / (arm.weight + first.weight)):
            return True
    return False


def _doubts_of_arm(first: Arm, arm: Arm, split: dict[str, ArmFigures]) -> tuple[str, ...]:
    a, b = split.get(first.name), split.get(arm.name)
    if a and b:
        excess = standings.excess_of_errors(a.errors, a.calls, b.errors, b.calls)
        if excess > standings.ERROR_MARGIN:
            return ("fails_more_often",)
    return ()


def _of(
    rows: Sequence[Judgement], arm: Arm, *, doubts: tuple[str, ...], challengers: int
) -> PairResult:
    pairs = [row for row in rows if row.kind == PAIR]
    points = tuple(row.half_points or 0 for row in pairs)
    tally = tally_of(points)
    consistent = sum(bool(row.is_consistent) for row in pairs)
    if trust.is_unreliable(consistent, tally.n):
        doubts = (*doubts, "judge_unreliable")
    said = standings.verdict(tally, challengers=challengers)
    if any(doubt != "fails_more_often" for doubt in doubts) or (doubts and said == "b_better"):
        said = "not_yet"
    counts = [row.kind for row in rows]
    return PairResult(
        challenger=arm.name,
        tally=tally,
        interval=standings.interval(tally, challengers=challengers),
        e_value=standings.e_value(tally),
        verdict=arm.verdict or said,
        consistent=consistent,
        style_controlled=style.controlled_win_rate(
            [point / 2 for point in points], [row.style or (0, 0, 0, 0) for row in pairs]
        ),
        failed=counts.count(Judgement.Kind.FAILED),
        dropped=counts.count(Judgement.Kind.DROPPED),
        withheld=doubts,
        pairs_needed=standings.pairs_needed(tally, challengers=challengers),
        points=points,
    )
