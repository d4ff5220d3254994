"""How often a model's answers won or tied against the best of those that were compared. Pure.

A rate begins at what the two qualities suggest if each answer were right or wrong by itself, with
the weight of twenty pairs.
"""

from collections.abc import Mapping

from routing.plan.ranking import Measured
from routing.scoring.constants import LEAST_MEASURED, PRIOR_WEIGHT
from routing.scoring.shrinkage import Sums

Lost = Mapping[tuple[str, str], Sums]  # by model and rival: pairs, and how many the model lost


def measured(lost: Lost, qualities: Mapping[str, float]) -> dict[str, Measured]:
    """The models of a task that were compared with its best one often enough, and that one.

    Empty where no two models were compared often enough.
    """
    known = {pair: sums for pair, sums in lost.items() if sums[0] >= LEAST_MEASURED}
    if not known:
        return {}
    best = max(sorted({model for model, _ in known}), key=qualities.__getitem__)
    found = {best: Measured(best, None, 1.0)}
    for (model, rival), (pairs, losses) in known.items():
        if rival == best:
            believed = 1 - qualities[best] * (1 - qualities[model])
            rate = (PRIOR_WEIGHT * believed + pairs - losses) / (PRIOR_WEIGHT + pairs)
            found[model] = Measured(best, pairs, rate)
    return found
