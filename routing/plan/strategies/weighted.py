"""Drawn by weight, so that each target gets its share of the calls. Pure.

Ascending −ln(u)/w is a draw without replacement in which the first place goes to each candidate
with probability w/Σw (Efraimidis and Spirakis, 2006). Within a session u is a hash, so that the
session keeps its place as long as the candidate can serve it.
"""

import math
from collections import Counter
from hashlib import blake2b

from routing.plan.candidates import Candidate
from routing.plan.lineup import Lineup
from routing.plan.ranking import Ranking


def order(lineup: Lineup, ranking: Ranking) -> list[int]:
    """Keys of one target share its weight by their own. Without chance: the heaviest first."""
    of_keys = Counter[str]()
    for candidate in lineup.candidates:
        of_keys[candidate.target] += _key_weight(candidate)

    def place(candidate: Candidate) -> float:
        share = _key_weight(candidate) / of_keys[candidate.target]
        return _drawn(ranking.weights.get(candidate.target, 1.0) * share, candidate, ranking)

    places = [place(candidate) for candidate in lineup.candidates]
    return sorted(range(len(places)), key=places.__getitem__)


def by_keys(lineup: Lineup, places: list[int], ranking: Ranking) -> list[int]:
    """The keys of one offer, drawn by their weights."""
    keys = [lineup.candidates[place] for place in places]
    drawn = [_drawn(_key_weight(one), one, ranking) for one in keys]
    return [places[i] for i in sorted(range(len(places)), key=drawn.__getitem__)]


def _drawn(weight: float, candidate: Candidate, ranking: Ranking) -> float:
    """Where a candidate of this weight stands; less is further in front."""
    if ranking.session:
        return -math.log(_hashed(ranking.session, candidate)) / weight
    return -weight if ranking.rng is None else -math.log(1 - ranking.rng.random()) / weight


def _hashed(session: str, candidate: Candidate) -> float:
    """A number above 0 and up to 1 that belongs to a candidate within a session."""
    key = candidate.key.key_id if candidate.key else ""
    digest = blake2b(f"{session}\0{candidate.target}\0{key}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 1) / 2**64


def _key_weight(candidate: Candidate) -> int:
    return candidate.key.weight if candidate.key else 1
