"""Candidates side by side, as parallel lists: what strategies put in order. Pure.

Most of a large pool is never tried. Its candidates may be those that were prepared without a cost;
one with the cost of this call is made only for those that a plan holds.
"""

import math
from collections.abc import Collection, Sequence

import msgspec

from routing.plan.candidates import Candidate

UNKNOWN = math.inf  # stands for the cost where there is no price


class Lineup(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Who could serve a request. `costs` are in USD, in the order of `candidates`."""

    candidates: Sequence[Candidate]
    costs: list[float]
    doubtful: Collection[int] = ()  # places of those that go last
    has_rivals: bool = True  # two of them may have the same target

    @classmethod
    def of(cls, candidates: Sequence[Candidate]) -> "Lineup":
        """Of candidates that have their costs."""
        return cls(
            candidates,
            [UNKNOWN if (cost := one.expected_cost) is None else cost for one in candidates],
            {place for place, one in enumerate(candidates) if one.goes_last},
        )

    def chosen(self, places: Sequence[int]) -> list[Candidate]:
        """The candidates at these places, with what they cost in this call."""
        candidates, costs, doubtful = self.candidates, self.costs, self.doubtful
        return [
            Candidate(
                (one := candidates[place]).offer,
                one.key,
                one.price,
                None if (cost := costs[place]) == UNKNOWN else cost,
                place in doubtful,
            )
            for place in places
        ]

    def only(self, places: Sequence[int]) -> "Lineup":
        """Those at these places, in this order."""
        return Lineup(
            [self.candidates[place] for place in places],
            [self.costs[place] for place in places],
            {i for i, place in enumerate(places) if place in self.doubtful},
            self.has_rivals,
        )

    def doubtful_last(self, order: list[int]) -> list[int]:
        """Those that may well fail behind the others, each group in its order."""
        return sorted(order, key=self.doubtful.__contains__) if self.doubtful else order
