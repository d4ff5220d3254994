"""Quality against cost and time, by a dial from 0 (cheapest) to 10 (best whatever it costs). Pure.

A choice is never dominated: nobody is at least as good, as cheap and as fast, and better in one;
nor is anybody at least as good and as cheap, and better in one of the two, whatever the time.
Chance plays no part: an explanation and a call choose the same.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from routing.plan.candidates import Candidate
from routing.plan.lineup import UNKNOWN, Lineup
from routing.plan.ranking import Ranking

MOST_QUALITY = 10.0
LEAST_DIAL = 0.01  # below, only cost counts
# Chosen: quality points that the dearest one's full price must buy at the middle of the dial.
PRICE_AT_MIDDLE, STEEPNESS = 0.10, 1.5
TIME_WORTH = 0.05  # quality that a long wait costs at most
PATIENCE_S = 5.0  # added to the least time: that much longer is a long wait


class Assessed(NamedTuple):
    """A candidate and what speaks for it, beside the others of its pool."""

    candidate: Candidate
    quality: float
    seconds: float
    utility: float  # quality less what wait and money cost; minus infinity without a price
    is_dominated: bool  # by one at least as good, as cheap and as fast
    may_lead: bool  # nor by one at least as good and as cheap


class Weighed(NamedTuple):
    """A pool of candidates, as figures in their order, and the places in which they are tried."""

    qualities: list[float]
    seconds: list[float]
    utilities: list[float]
    undominated: set[int]
    leading: set[int]  # of the undominated, who may be first
    order: list[int]


def rank(candidates: Sequence[Candidate], ranking: Ranking) -> list[Candidate]:
    return [candidates[place] for place in order(Lineup.of(candidates), ranking)]


def order(lineup: Lineup, ranking: Ranking) -> list[int]:
    """By utility; dominated ones after the others; what has no price last."""
    if len(lineup.costs) < 2:
        return list(range(len(lineup.costs)))
    return _weighed(lineup, ranking).order


def assess(candidates: Sequence[Candidate], ranking: Ranking) -> list[Assessed]:
    """The candidates in the order of `rank`, with what speaks for each."""
    if not candidates:
        return []
    its = _weighed(Lineup.of(candidates), ranking)
    return [
        Assessed(
            candidate=candidates[i],
            quality=its.qualities[i],
            seconds=its.seconds[i],
            utility=its.utilities[i],
            is_dominated=i not in its.undominated,
            may_lead=i in its.leading,
        )
        for i in its.order
    ]


def _weighed(lineup: Lineup, ranking: Ranking) -> Weighed:
    candidates, costs = lineup.candidates, lineup.costs
    qualities = ranking.scorer.qualities(candidates, ranking.chat)
    seconds = ranking.speeds.each(candidates, ranking.chat, None)
    undominated, leading = _front(costs, qualities, seconds)
    # Who has no price counts only where nobody has one.
    pool = [i for i in undominated if costs[i] < UNKNOWN] or undominated
    soonest, dearest = min([seconds[i] for i in pool]), max([costs[i] for i in pool])
    price = price_of_quality(ranking.quality)
    parts = dearest if 0 < dearest < UNKNOWN else 1.0
    if price == math.inf:  # only cost counts; what is worth more comes first among equals
        utilities = [-cost / parts for cost in costs]
        free = [0.0] * len(costs)
        worths = _utilities(free, qualities, seconds, soonest=soonest, each_usd=0.0)
    else:
        utilities = worths = _utilities(
            costs, qualities, seconds, soonest=soonest, each_usd=price / parts
        )
    # Equal ones by cost, then by worth and name; the dominated keep the order they came in.
    first = [(-utilities[i], costs[i], -worths[i], candidates[i].target) for i in undominated]
    order = [i for _, i in sorted(zip(first, undominated, strict=True))]
    ranked = sorted(range(len(costs)), key=utilities.__getitem__, reverse=True)
    order += [i for i in ranked if i not in undominated]
    if UNKNOWN in costs:
        order.sort(key=lambda i: costs[i] == UNKNOWN)
    leader = next(i for i in order if i in leading)
    order.remove(leader)
    return Weighed(qualities, seconds, utilities, undominated, leading, [leader, *order])


def _utilities(
    costs: list[float],
    qualities: list[float],
    seconds: list[float],
    *,
    soonest: float,
    each_usd: float,
) -> list[float]:
    """Quality less what the wait and the money cost. One expression: calls would cost more."""
    patience = soonest + PATIENCE_S
    latest = soonest + patience
    each_second = TIME_WORTH / patience
    return [
        -math.inf
        if cost == UNKNOWN
        else quality
        - each_usd * cost
        - (
            0.0
            if took <= soonest
            else each_second * (took - soonest)
            if took < latest
            else TIME_WORTH
        )
        for cost, quality, took in zip(costs, qualities, seconds, strict=True)
    ]


def lead(ranked: Sequence[Candidate], own: Candidate, ranking: Ranking) -> float:
    """How much more utility the first has than `own`, for who would rather stay.

    Infinite where `own` may not lead: a session does not stay with a dominated choice.
    """
    by_candidate = {id(one.candidate): one for one in assess(ranked, ranking)}
    first, its = by_candidate[id(ranked[0])], by_candidate[id(own)]
    return first.utility - its.utility if its.may_lead else math.inf


def price_of_quality(dial: float) -> float:
    """Quality points (1 is all) that the dearest candidate's full price must buy; infinite at 0."""
    if dial < LEAST_DIAL:
        return math.inf
    return PRICE_AT_MIDDLE * math.pow((MOST_QUALITY - min(dial, MOST_QUALITY)) / dial, STEEPNESS)


def _front(
    costs: list[float], qualities: list[float], seconds: list[float]
) -> tuple[set[int], set[int]]:
    """Who is not dominated in cost, quality and time; and of those who is not in the first two."""
    front: list[tuple[float, float, float, int]] = []  # the dearest, who are often best, first
    for place in sorted(range(len(costs)), key=costs.__getitem__):
        quality, took = qualities[place], seconds[place]
        for known, its, least, _ in front:  # no dearer than this one
            if (
                known >= quality
                and its <= took
                and (known > quality or its < took or least < costs[place])
            ):
                break
        else:
            cost = costs[place]
            kept = [  # without as dear ones that came before, if this one dominates them
                one
                for one in front
                if one[2] < cost or quality < one[0] or took > one[1] or one[:2] == (quality, took)
            ]
            front = [(quality, took, cost, place), *kept]
    return {place for *_, place in front}, _leading(front)


def _leading(front: list[tuple[float, float, float, int]]) -> set[int]:
    """Of the undominated, from the cheapest on, who is not dominated in cost and quality."""
    best, cost_of_best = -math.inf, math.inf
    leading = set()
    for quality, _, cost, place in sorted(front, key=lambda one: (one[2], -one[0])):
        if quality > best:
            best, cost_of_best = quality, cost
        if quality == best and cost == cost_of_best:
            leading.add(place)
    return leading
