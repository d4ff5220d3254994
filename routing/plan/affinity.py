"""Sessions stay where they are while that is worth it: the provider's prompt cache is there.

A bounded memory of who answered a session last. It is the process's own: another process that gets
the session's next call chooses anew, which costs a prompt cache at most.
"""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec

from accounts.callers import Caller
from billing.facts import AttemptEnded
from routing.chat import Body
from routing.plan.candidates import Candidate, Circumstances
from routing.plan.ranking import Ranking
from routing.plan.strategies import balanced, proven
from routing.policy_terms import PolicyInForce

IDLE = timedelta(minutes=10)  # after which a session starts anew
IDLE_LONG = timedelta(minutes=60)  # where a prompt cache of an hour was written
MOST_SESSIONS = 20_000
# A session leaves for another place that is better by more than this. The cost of staying counts
# what is read from the prompt cache there, the cost of leaving does not.
DEARER = 0.10
SLOWER = 0.30
BETTER = 0.02  # of utility

SessionKey = tuple[UUID, str, str]  # tenant, mode, session


class Placed(msgspec.Struct, frozen=True, gc=False):
    """Where a session was answered last."""

    target: str
    key: UUID | None
    at: datetime
    is_long: bool = False  # a prompt cache of an hour was written

    def is_of(self, candidate: Candidate) -> bool:
        key = candidate.key.key_id if candidate.key else None
        return candidate.target == self.target and key == self.key


class Sessions:
    """The last places of at most so many sessions; the longest unused is forgotten first."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._placed: dict[SessionKey, Placed] = {}

    def find(self, key: SessionKey, now: datetime) -> Placed | None:
        placed = self._placed.get(key)
        if placed is None or now - placed.at > (IDLE_LONG if placed.is_long else IDLE):
            return None
        return placed

    def remember(self, key: SessionKey, placed: Placed) -> None:
        self._placed.pop(key, None)
        if len(self._placed) >= self._most:
            del self._placed[next(iter(self._placed))]
        self._placed[key] = placed

    def clear(self) -> None:
        self._placed.clear()


sessions = Sessions()


def session_of(named: str, body: Body) -> str:
    """The session as the request names it, else by what its conversation began with."""
    if named:
        return named
    start: list[Any] = [body.get("system"), body.get("instructions")]
    turns = body.get("messages") or body.get("input")
    for turn in turns if type(turns) is list else [turns]:
        start.append(turn)
        if type(turn) is dict and turn.get("role") == "user":
            break
    digest = blake2b(msgspec.json.encode(start), digest_size=12).hexdigest()
    return f"#{digest}"


def placed(its: Circumstances, policy: PolicyInForce | None) -> Placed | None:
    """Where this process last had the request's session answered, if its policy sticks to that."""
    if policy is None or not policy.terms.sticky:
        return None
    session = session_of(its.options.session, its.chat.body)
    return sessions.find((its.caller.tenant_id, its.caller.mode, session), its.now)


def remember(caller: Caller, session: str, answered: AttemptEnded, *, at: datetime) -> None:
    """An attempt answered a session that sticks to whoever does."""
    target = f"{answered.provider}/{answered.model}"
    is_long = answered.usage.cache_write_1h > 0
    place = Placed(target, answered.provider_key, at, is_long)
    sessions.remember((caller.tenant_id, caller.mode, session), place)


def kept(
    ranked: list[Candidate], placed: Placed, ranking: Ranking, strategy: str
) -> list[Candidate]:
    """The session's own place first, unless another is better by more than a switch may cost."""
    own = next((candidate for candidate in ranked if placed.is_of(candidate)), None)
    if own is None or own is ranked[0] or not _stays(own, ranked, ranking, strategy):
        return ranked
    return [own, *(candidate for candidate in ranked if candidate is not own)]


def _stays(own: Candidate, ranked: list[Candidate], ranking: Ranking, strategy: str) -> bool:
    best = ranked[0]
    if own.goes_last and not best.goes_last:
        return False  # health beats affinity
    if strategy == "cheapest":
        return _is_as_cheap(own, best)
    if strategy == "balanced":
        if good := proven.enough(ranked, ranking):  # among these only cost counts
            return ranked.index(own) in good and _is_as_cheap(own, best)
        return balanced.lead(ranked, own, ranking) <= BETTER
    if strategy in {"fastest", "throughput"}:
        own_s, least_s = (ranking.speeds.seconds(c, ranking.chat, None) for c in (own, best))
        return own_s <= least_s * (1 + SLOWER)
    return strategy != "race"


def _is_as_cheap(own: Candidate, best: Candidate) -> bool:
    cost, least = own.expected_cost, best.expected_cost
    return cost is not None and (least is None or cost <= least * (1 + DEARER))
