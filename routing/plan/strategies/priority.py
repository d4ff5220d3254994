"""In the order of the policy's list; within one entry the cheaper first. Pure."""

from routing.plan.lineup import Lineup
from routing.plan.ranking import Ranking


def order(lineup: Lineup, ranking: Ranking) -> list[int]:
    """By place in `ranking.places`; what is not on the list comes last."""
    places, last = ranking.places, len(ranking.places)
    keys = [
        (places.get(one.target, last), cost)
        for one, cost in zip(lineup.candidates, lineup.costs, strict=True)
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)
