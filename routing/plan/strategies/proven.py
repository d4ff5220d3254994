"""The cheapest of those that the tenant's own judged pairs say are good enough. Pure.

Good enough is who wins or ties often enough against the best of the models that were compared at
this kind of work, and that best one itself. Behind them, and where nobody was compared often
enough, the order of `balanced`.
"""

from collections.abc import Sequence

from routing.plan.candidates import Candidate
from routing.plan.lineup import UNKNOWN, Lineup
from routing.plan.ranking import Ranking
from routing.plan.strategies import balanced


def order(lineup: Lineup, ranking: Ranking) -> list[int]:
    """What has no price is not the cheapest, however good."""
    ranked = balanced.order_all(lineup, ranking)
    costs = lineup.costs
    proven = [i for i in enough(lineup.candidates, ranking) if costs[i] < UNKNOWN]
    if not proven:
        return ranked
    places = {place: i for i, place in enumerate(ranked)}
    first = sorted(proven, key=lambda i: (costs[i], places[i]))
    return [*first, *(i for i in ranked if i not in set(first))]


def enough(candidates: Sequence[Candidate], ranking: Ranking) -> list[int]:
    """The places of those that are good enough."""
    if ranking.good_enough is None:
        return []
    found = ranking.scorer.measured(candidates, ranking.chat)
    return [i for i, its in enumerate(found) if its and its.win_or_tie >= ranking.good_enough]
