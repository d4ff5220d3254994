"""The least expected seconds to the end of the answer first. Pure."""

from collections.abc import Sequence

from routing.plan.candidates import Candidate
from routing.plan.lineup import Lineup
from routing.plan.ranking import Ranking


def rank(candidates: Sequence[Candidate], ranking: Ranking) -> list[Candidate]:
    return [candidates[place] for place in order(Lineup.of(candidates), ranking)]


def order(lineup: Lineup, ranking: Ranking) -> list[int]:
    """By one draw of what is believed of each one's speed, or by the means where chance is absent.

    Drawing is what keeps learning alive: who was slow once gets another chance. Keys of one offer
    stay in their order.
    """
    seconds = ranking.speeds.each(lineup.candidates, ranking.chat, ranking.rng)
    return sorted(range(len(seconds)), key=seconds.__getitem__)
