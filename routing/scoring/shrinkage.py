"""Qualities that fit judged pairs and scores, pulled towards what was believed before. Pure."""

from collections import defaultdict
from collections.abc import Callable, Mapping

from routing.scoring.constants import PRIOR_WEIGHT, SWEEPS

Sums = tuple[float, float]  # weight, total
Pairs = Mapping[tuple[str, str], Sums]  # of samples of the second's quality less the first's
Scores = Mapping[str, Sums]  # of users' scores, from -1 to 1


def solved(
    pairs: Pairs, scores: Scores, believed: Callable[[str], float], usual: float
) -> dict[str, float]:
    """Quality from 0 to 1 by model. `usual` is the mean of the tenant's scores.

    A score above the usual one is a sample of a quality above that of the models scored.
    """
    rivals: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for (low, high), (weight, total) in pairs.items():
        rivals[high].append((low, weight, total))
        rivals[low].append((high, weight, -total))
    base = {model: believed(model) for model in sorted(rivals.keys() | scores.keys())}
    found = dict(base)
    for _ in range(SWEEPS):
        middle = _mean_of_scored(found, scores)
        for model, start in base.items():
            weight, total = float(PRIOR_WEIGHT), PRIOR_WEIGHT * start
            for rival, count, gained in rivals[model]:
                weight += count
                total += count * found[rival] + gained
            if model in scores:
                share, score = scores[model]
                weight += share
                total += share * middle + (score - usual * share) / 2
            found[model] = total / weight
    return {model: max(0.0, min(1.0, quality)) for model, quality in found.items()}


def _mean_of_scored(found: dict[str, float], scores: Scores) -> float:
    weight = sum(share for share, _ in scores.values())
    if not weight:
        return 0.0
    return sum(share * found[model] for model, (share, _) in scores.items()) / weight
