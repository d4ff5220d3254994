"""The least expected cost first. An unknown price is never the cheapest. Pure."""

from collections.abc import Sequence

from routing.plan.candidates import Candidate
from routing.plan.lineup import UNKNOWN, Lineup
from routing.plan.ranking import Ranking

AS_CHEAP = 1.02  # so near to the least cost that speed decides


def rank(candidates: Sequence[Candidate], ranking: Ranking) -> list[Candidate]:
    return [candidates[place] for place in order(Lineup.of(candidates), ranking)]


def order(lineup: Lineup, ranking: Ranking) -> list[int]:
    """By expected cost in USD; among those within 2% of the least the fastest first.

    What has no price comes last; equal ones stay in their order. Speeds are means, not draws, so
    that the order can be explained.
    """
    costs = lineup.costs
    ranked = sorted(range(len(costs)), key=costs.__getitem__)
    if len(ranked) < 2 or costs[ranked[0]] == UNKNOWN:
        return ranked
    most = costs[ranked[0]] * AS_CHEAP
    count = 1
    while count < len(ranked) and costs[ranked[count]] <= most:
        count += 1
    if count < 2:
        return ranked
    cheap = [lineup.candidates[place] for place in ranked[:count]]
    seconds = ranking.speeds.each(cheap, ranking.chat, None)
    quickest = sorted(range(count), key=seconds.__getitem__)
    return [ranked[place] for place in quickest] + ranked[count:]
