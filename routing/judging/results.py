"""What the judged pairs of an experiment say, and what forbids to say it. Reads, in a scope."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Q

from routing.judging import split, standings, style
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


@dataclass(frozen=True)
class Standing:
    """Of a challenger, what ends the judging."""

    challenger: str
    pairs: int
    verdict: str


def standings_of(experiment: Experiment, arms: Sequence[Arm]) -> list[Standing]:
    """Counted by the database, since it is asked after every pair; so are calls, if it matters."""
    counts, challengers = _counts(experiment), len(arms) - 1
    tallies = {arm.name: counts.get(arm.name, (Tally(), 0)) for arm in arms[1:]}
    figures: dict[str, ArmFigures] = {}
    general: tuple[str, ...] = ()
    if any(
        standings.verdict(tally, challengers=challengers) != "not_yet"
        for tally, _ in tallies.values()
    ):
        figures = split.read(experiment, arms, measures=False)
        general = general_doubts(_last_shown(experiment), arms, figures)
    found = []
    for arm in arms[1:]:
        tally, consistent = tallies[arm.name]
        doubts = (*general, *_doubts_of_arm(arms[0], arm, figures))
        said, _ = _said(tally, consistent, doubts, challengers=challengers)
        found.append(Standing(arm.name, tally.n, arm.verdict or said))
    return found


def of(
    rows: Sequence[Judgement], arms: Sequence[Arm], figures: dict[str, ArmFigures]
) -> list[PairResult]:
    """What is known of every challenger."""
    shown = [row.right for row in rows if row.kind == CANARY]
    general = general_doubts(shown[-1] if shown else None, arms, figures)
    challengers = list(arms[1:])
    return [
        _of(
            [row for row in rows if row.challenger == arm.name],
            arm,
            doubts=(*general, *_doubts_of_arm(arms[0], arm, figures)),
            challengers=len(challengers),
        )
        for arm in challengers
    ]


def tally_of(points: Iterable[int | None]) -> Tally:
    found = list(points)
    return Tally(wins=found.count(2), ties=found.count(1), losses=found.count(0))


def general_doubts(
    right: int | None, arms: Sequence[Arm], figures: dict[str, ArmFigures]
) -> tuple[str, ...]:
    """What forbids every verdict. `right`: canaries that the judge saw through last."""
    found = []
    if right is not None and trust.falls_for_canaries(right):
        found.append("judge_fails_canaries")
    if mismatched(arms, figures):
        found.append("sample_ratio_mismatch")
    return tuple(found)


def mismatched(arms: Sequence[Arm], figures: dict[str, ArmFigures]) -> bool:
    """Whether units do not fall to the arms at the planned shares."""
    if any(arm.halted for arm in arms):  # what was planned is not what happened
        return False
    first = arms[0]
    a = figures[first.name].units if first.name in figures else 0
    for arm in arms[1:]:
        b = figures[arm.name].units if arm.name in figures else 0
        if standings.is_mismatched(a, b, arm.weight / (arm.weight + first.weight)):
            return True
    return False


def _doubts_of_arm(first: Arm, arm: Arm, figures: dict[str, ArmFigures]) -> tuple[str, ...]:
    a, b = figures.get(first.name), figures.get(arm.name)
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
    said, doubts = _said(tally, consistent, doubts, challengers=challengers)
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


def _said(
    tally: Tally, consistent: int, doubts: tuple[str, ...], *, challengers: int
) -> tuple[str, tuple[str, ...]]:
    """The verdict, and all that speaks against giving one."""
    if trust.is_unreliable(consistent, tally.n):
        doubts = (*doubts, "judge_unreliable")
    said = standings.verdict(tally, challengers=challengers)
    if any(doubt != "fails_more_often" for doubt in doubts) or (doubts and said == "b_better"):
        said = "not_yet"
    return said, doubts


def _counts(experiment: Experiment) -> dict[str, tuple[Tally, int]]:
    """The pairs of each challenger that has any, and how many of them are consistent."""
    rows = Judgement.objects.for_tenant(experiment.tenant_id).filter(
        experiment=experiment, kind=PAIR
    )
    sums = rows.values("challenger").annotate(
        wins=Count("id", filter=Q(half_points=2)),
        ties=Count("id", filter=Q(half_points=1)),
        losses=Count("id", filter=Q(half_points=0)),
        consistent=Count("id", filter=Q(is_consistent=True)),
    )
    return {
        row["challenger"]: (Tally(row["wins"], row["ties"], row["losses"]), row["consistent"])
        for row in sums.order_by("challenger")
    }


def _last_shown(experiment: Experiment) -> int | None:
    """Canaries that the judge saw through last; None if it was shown none."""
    rows = Judgement.objects.for_tenant(experiment.tenant_id).filter(
        experiment=experiment, kind=CANARY
    )
    return rows.order_by("-id").values_list("right", flat=True).first()
