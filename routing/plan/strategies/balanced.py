"""Quality against cost and time, by a dial from 0 (cheapest) to 10 (best whatever it costs). Pure.

A choice is never dominated: nobody is at least as good, as cheap and as fast, and better in one;
nor is anybody at least as good and as cheap, and better in one of the two, whatever the time.
Chance plays no part: an explanation and a call choose the same.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from routing.plan.candidates import Candidate
from routing.plan.lineup import UNKNOWN, Lineup
from routing.plan.ranking import Ranking

MOST_QUALITY = 10.0
LEAST_DIAL = 0.01  # below, only cost counts
# Chosen: quality points that the dearest one's full price must buy at the middle of the dial.
PRICE_AT_MIDDLE, STEEPNESS = 0.10, 1.5
TIME_WORTH = 0.05  # quality that a long wait costs at most
PATIENCE_S = 5.0  # added to the least time: that much longer is a long wait


_Point = tuple[float, float, float, int]  # quality, seconds, cost, place


class Assessed(NamedTuple):
    """A candidate and what speaks for it, beside the others of its pool."""

    candidate: Candidate
    quality: float
    seconds: float
    utility: float  # quality less what wait and money cost; minus infinity without a price
    is_dominated: bool  # by one at least as good, as cheap and as fast
    may_lead: bool  # nor by one at least as good and as cheap


class Figures(NamedTuple):
    """A pool of candidates as figures, in their order; and those that nobody dominates."""

    candidates: Sequence[Candidate]
    costs: list[float]
    qualities: list[float]
    seconds: list[float]
    front: list[_Point]  # the cheapest first
    has_unknown: bool  # a candidate without a price


class Weighed(NamedTuple):
    """What speaks for each of a pool, and the places in which they are tried."""

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
    its = _figures(lineup, ranking)
    is_plain = not (lineup.has_rivals or lineup.doubtful or its.has_unknown)
    if ranking.most is None or len(its.front) < ranking.most or not is_plain:
        return _weighed(its, ranking.quality).order
    # Nobody else is looked at.
    places = [one[3] for one in its.front]
    return [places[i] for i in _weighed(_of_front(its), ranking.quality).order]


def order_all(lineup: Lineup, ranking: Ranking) -> list[int]:
    """The same, however few are looked at."""
    return order(lineup, msgspec.structs.replace(ranking, most=None))


def assess(candidates: Sequence[Candidate], ranking: Ranking) -> list[Assessed]:
    """The candidates in the order of `rank`, with what speaks for each."""
    if not candidates:
        return []
    figures = _figures(Lineup.of(candidates), ranking)
    its = _weighed(figures, ranking.quality)
    return [
        Assessed(
            candidate=candidates[i],
            quality=figures.qualities[i],
            seconds=figures.seconds[i],
            utility=its.utilities[i],
            is_dominated=i not in its.undominated,
            may_lead=i in its.leading,
        )
        for i in its.order
    ]


def _figures(lineup: Lineup, ranking: Ranking) -> Figures:
    candidates, costs = lineup.candidates, lineup.costs
    qualities = ranking.scorer.qualities(candidates, ranking.chat)
    seconds = ranking.speeds.each(candidates, ranking.chat, None)
    places = sorted(range(len(costs)), key=costs.__getitem__)
    front = _front(places, costs, qualities, seconds)
    return Figures(candidates, costs, qualities, seconds, front, costs[places[-1]] == UNKNOWN)


def _of_front(its: Figures) -> Figures:
    """The same without those that are dominated."""
    return Figures(
        [its.candidates[place] for *_, place in its.front],
        [cost for _, _, cost, _ in its.front],
        [quality for quality, *_ in its.front],
        [took for _, took, _, _ in its.front],
        [(quality, took, cost, i) for i, (quality, took, cost, _) in enumerate(its.front)],
        its.has_unknown,
    )


def _weighed(its: Figures, dial: float) -> Weighed:
    candidates, costs, qualities, seconds, front, has_unknown = its
    undominated, leading = {one[3] for one in front}, _leading(front)
    # Who has no price counts only where nobody has one.
    pool = [one for one in front if one[2] < UNKNOWN] or front if has_unknown else front
    soonest, dearest = min([one[1] for one in pool]), pool[-1][2]
    price = price_of_quality(dial)
    parts = dearest if 0 < dearest < UNKNOWN else 1.0
    if price == math.inf:  # only cost counts; what is worth more comes first among equals
        utilities = [-cost / parts for cost in costs]
        free = [0.0] * len(costs)
        worths = _utilities(free, qualities, seconds, soonest=soonest, each_usd=0.0)
    else:
        utilities = worths = _utilities(
            costs, qualities, seconds, soonest=soonest, each_usd=price / parts
        )
        if has_unknown:
            utilities = worths = [
                -math.inf if cost == UNKNOWN else utility
                for cost, utility in zip(costs, utilities, strict=True)
            ]
    ranked = sorted(range(len(costs)), key=utilities.__getitem__, reverse=True)
    order = [i for i in ranked if i in undominated]
    if len({utilities[i] for i in order}) < len(order):
        # Equal ones by cost, then by worth and name; the dominated keep the order they came in.
        order.sort(key=lambda i: (-utilities[i], costs[i], -worths[i], candidates[i].target))
    order += [i for i in ranked if i not in undominated]
    if has_unknown:
        order.sort(key=lambda i: costs[i] == UNKNOWN)
    if order[0] not in leading:
        leader = next(i for i in order if i in leading)
        order.remove(leader)
        order.insert(0, leader)
    return Weighed(utilities, undominated, leading, order)


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
        quality
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


@lru_cache(maxsize=256)
def price_of_quality(dial: float) -> float:
    """Quality points (1 is all) that the dearest candidate's full price must buy; infinite at 0."""
    if dial < LEAST_DIAL:
        return math.inf
    return PRICE_AT_MIDDLE * math.pow((MOST_QUALITY - min(dial, MOST_QUALITY)) / dial, STEEPNESS)


def _front(
    places: list[int], costs: list[float], qualities: list[float], seconds: list[float]
) -> list[_Point]:
    """Who is not dominated in cost, quality and time: the cheapest first, the better of equals.

    `places` are in the order of costs.
    """
    front: list[_Point] = []  # the dearest, who are often best, first
    best, its_time, dearest, has_equals = -math.inf, math.inf, -math.inf, False  # of the dearest
    for place in places:
        quality, took, cost = qualities[place], seconds[place], costs[place]
        if quality < best and its_time <= took:  # most are dominated by the first one they meet
            continue
        for known, its, least, _ in front:  # no dearer than this one
            if known >= quality and its <= took and (known > quality or its < took or least < cost):
                break
        else:
            if cost == dearest:  # without those that came before, if this one dominates them
                has_equals = True
                front = [
                    one
                    for one in front
                    if one[2] < cost
                    or quality < one[0]
                    or took > one[1]
                    or one[:2] == (quality, took)
                ]
            front.insert(0, (quality, took, cost, place))
            best, its_time, dearest = quality, took, cost
    front.reverse()
    if has_equals:
        front.sort(key=lambda one: (one[2], -one[0]))
    return front


def _leading(front: list[_Point]) -> set[int]:
    """Of the undominated, the cheapest first, who is not dominated in cost and quality."""
    best, cost_of_best = -math.inf, math.inf
    leading = set()
    for quality, _, cost, place in front:
        if quality > best:
            best, cost_of_best = quality, cost
        if quality == best and cost == cost_of_best:
            leading.add(place)
    return leading
