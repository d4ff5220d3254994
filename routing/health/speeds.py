"""How fast one tenant's providers answer and how often they fail: Thompson sampling.

`each` draws, for every candidate, the seconds to the end of an answer: time to the first token by
size of the input, output at the speed that was seen, and what failures cost. An option that was
not tried for long is uncertain and drawn low now and then: that is how it gets its next chance.
"""

import math
from collections.abc import Sequence
from random import Random
from statistics import NormalDist
from typing import Any, Protocol

import msgspec

from accounts.keyring import RingKey
from routing.chat import ChatRequest
from routing.health import cells
from routing.health.cells import Belief, Histogram, Sums
from routing.health.lengths import Lengths, unseen
from routing.providers.catalog_index import Offer

EDGES = (1_000, 8_000, 32_000)  # input tokens
MIDDLES = (550, 4_000, 16_000, 64_000)
BUCKETS = len(MIDDLES)
SLOTS = 2 * BUCKETS  # streamed answers by bucket, then whole ones
READ_PER_S = 20_000.0  # input tokens per second, where larger inputs were never seen
USUAL_FIRST_S = 0.6
USUAL_TOKENS_PER_S = 80.0
REFRESH_CALLS, REFRESH_SECONDS = 8, 5.0
SEEN_BAD = 0.05  # failures, before they are drawn and not just averaged
PRIOR_BAD, PRIOR_GOOD = 0.05, 1.0
MOST_BAD = 0.95
LEAST_LOST_S, LOST_STEP = 0.5, 0.2
MOST_PLACES = 4_000  # provider, model and slot that one tenant may have figures of

# Quantiles of the normal distribution, to draw from: four times as quick as Random.gauss.
NORMAL_BITS = 12
NORMAL = tuple(NormalDist().inv_cdf((place + 0.5) / 4096) for place in range(4096))

Place = tuple[str, str]  # provider, model


class Candidate(Protocol):
    """What ranks: see `routing.plan.candidates`."""

    @property
    def offer(self) -> Offer: ...

    @property
    def key(self) -> RingKey | None: ...


class Cell:
    """Logarithms of times to the first token, and their distribution."""

    __slots__ = ("histogram", "sums")

    def __init__(self) -> None:
        self.sums, self.histogram = Sums(), Histogram()


class Outcomes(msgspec.Struct, eq=False, gc=False):
    """Failures that are the provider's own, and answers, faded; seconds that a failure lost."""

    bad: float = 0.0
    good: float = 0.0
    lost_s: float = 0.0
    calls: float = 0.0
    at: float = 0.0

    def fade(self, calls: float, at: float) -> None:
        passed = max(0.0, calls - self.calls) / cells.HALF_CALLS
        passed += max(0.0, at - self.at) / cells.HALF_SECONDS
        weight = 2.0**-passed
        self.bad *= weight
        self.good *= weight
        self.calls, self.at = calls, max(at, self.at)


NONE_ENDED = Outcomes()


class Arm(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What is believed of one candidate, ready to draw from; refreshed now and then."""

    middle: float
    doubt: float
    first: float  # seconds that e^θ multiplies, apart from tokens
    each_token: float  # and per token of output
    pace: float  # seconds per token of output, on top
    output: float  # tokens expected
    penalty: float  # mean seconds lost to failures
    bad: float
    good: float
    lost: float
    refresh_at: float  # number of the decision, and
    stale_at: float  # the moment
    # By the means: seconds apart from tokens, per token, and of an answer of `output` tokens.
    fixed: float
    by_token: float
    usual: float


class Speeds:
    """One tenant's figures, or with `twin` None those of all tenants together."""

    def __init__(self, lengths: Lengths, twin: "Speeds | None" = None) -> None:
        self.lengths, self.twin = lengths, twin
        self.cells: dict[tuple[int, str, str], Cell] = {}
        self.paces: dict[Place, Sums] = {}  # logarithms of tokens per second
        self.outcomes: dict[Place, Outcomes] = {}
        self.decisions = [0.0] * SLOTS
        # By slot, by target: strings keep their hashes.
        self._arms: tuple[dict[str, Arm], ...] = tuple({} for _ in range(SLOTS))
        # By slot, the first decision and the first moment at which an arm is to be refreshed.
        self._due = [(math.inf, math.inf)] * SLOTS

    # What is believed ----------------------------------------------------------------------------

    def each(
        self, candidates: Sequence[Candidate], chat: ChatRequest, rng: Random | None, *, now: float
    ) -> list[float]:
        """Seconds to the end of each one's answer; keys of one offer share a draw."""
        arms = self._believed(candidates, slot_of(chat), now)
        most = chat.max_tokens or math.inf
        if rng:
            return _draws(candidates, arms, most, rng)
        if most == math.inf:
            return [arm.usual for arm in arms]
        return [
            arm.usual if arm.output <= most else arm.fixed + most * arm.by_token for arm in arms
        ]

    def _believed(self, candidates: Sequence[Candidate], slot: int, now: float) -> list[Arm]:
        """What is believed of each one, looked at anew where that is due."""
        arms, due = self._arms[slot], self._due[slot]
        if self.decisions[slot] >= due[0] or now >= due[1]:
            self._forget_due(slot, now)
        try:
            return [arms[candidate.offer.target] for candidate in candidates]
        except KeyError:
            return [
                arms.get(one.offer.target) or self._refreshed(one.offer, slot, now)
                for one in candidates
            ]

    def _forget_due(self, slot: int, now: float) -> None:
        arms, calls = self._arms[slot], self.decisions[slot]
        for target, arm in list(arms.items()):
            if calls >= arm.refresh_at or now >= arm.stale_at:
                del arms[target]
        self._due[slot] = (
            min((arm.refresh_at for arm in arms.values()), default=math.inf),
            min((arm.stale_at for arm in arms.values()), default=math.inf),
        )

    def belief(self, offer: Offer, slot: int, now: float) -> Belief:
        """Of the logarithm of the time to the first token, or of a whole answer's slowness."""
        cell = self._cell(offer, slot, now)
        prior = self._prior(offer, slot, now)
        return cells.belief(cell.sums if cell else Sums(), prior)

    def histogram(self, offer: Offer, slot: int, now: float) -> Histogram | None:
        cell = self._cell(offer, slot, now)
        return cell.histogram if cell else None

    def _cell(self, offer: Offer, slot: int, now: float) -> Cell | None:
        cell = self.cells.get((slot, offer.provider.slug, offer.model_id))
        if cell:
            cell.sums.fade(self.decisions[slot], now)
        return cell

    def _prior(self, offer: Offer, slot: int, now: float) -> float:
        if self.twin and is_common(offer):
            shared = self.twin._cell(offer, slot, now)  # noqa: SLF001  another one of us
            if shared and shared.sums.n >= cells.SURE_COUNT:
                return self.twin.belief(offer, slot, now).mean
        bucket = slot % BUCKETS
        if slot >= BUCKETS:
            return 0.0
        if bucket == 0:
            return math.log(catalogue_first(offer))
        smaller = self.belief(offer, slot - 1, now).mean
        more = (MIDDLES[bucket] - MIDDLES[bucket - 1]) / READ_PER_S
        return math.log(math.exp(smaller) + more)

    def pace(self, offer: Offer, now: float) -> float:
        """Tokens per second, once it writes."""
        place = (offer.provider.slug, offer.model_id)
        prior = math.log(catalogue_pace(offer))
        shared = self.twin.paces.get(place) if self.twin and is_common(offer) else None
        if shared and shared.n >= cells.SURE_COUNT:
            prior = shared.total / shared.n
        sums = self.paces.get(place)
        if sums is None:
            return math.exp(prior)
        sums.fade(sum(self.decisions), now)
        return math.exp(cells.belief(sums, prior).mean)

    def chance_of_failure(self, offer: Offer, now: float) -> float:
        """The mean of what is believed of the share of attempts that fail."""
        failed = self.outcomes.get((offer.provider.slug, offer.model_id))
        if failed is None:
            return _chance(0.0, 0.0)
        failed.fade(sum(self.decisions), now)
        return _chance(failed.bad, failed.good)

    def _refreshed(self, offer: Offer, slot: int, now: float) -> Arm:
        place = (offer.provider.slug, offer.model_id)
        found = self.belief(offer, slot, now)
        length = self.lengths.known.get(place) or unseen(offer)
        failed = self.outcomes.get(place) or NONE_ENDED
        if failed is not NONE_ENDED:
            failed.fade(sum(self.decisions), now)
        bad, good, lost = failed.bad, failed.good, failed.lost_s
        is_streamed = slot < BUCKETS
        shown = length.output / (1 + length.reasoning) if is_streamed else length.output
        first = 1.0 if is_streamed else catalogue_first(offer)
        each_token = 0.0 if is_streamed else 1 / catalogue_pace(offer)
        pace = 1 / self.pace(offer, now) if is_streamed else 0.0
        lost = max(LEAST_LOST_S, lost)
        penalty = _penalty(_chance(bad, good), lost)
        slowness = math.exp(found.middle)
        fixed, by_token = slowness * first + penalty, slowness * each_token + pace
        arm = Arm(
            middle=found.middle,
            doubt=found.doubt,
            first=first,
            each_token=each_token,
            pace=pace,
            output=shown,
            penalty=penalty,
            bad=bad,
            good=good,
            lost=lost,
            refresh_at=self.decisions[slot] + (REFRESH_CALLS if self._has_own(place) else math.inf),
            stale_at=now + REFRESH_SECONDS,
            fixed=fixed,
            by_token=by_token,
            usual=fixed + shown * by_token,
        )
        arms, due = self._arms[slot], self._due[slot]
        if len(arms) > MOST_PLACES:
            arms.clear()
        arms[offer.target] = arm
        self._due[slot] = (min(due[0], arm.refresh_at), min(due[1], arm.stale_at))
        return arm

    def _has_own(self, place: Place) -> bool:
        """Whether there are figures that fade with every decision; others' fade in seconds."""
        return (
            place in self.outcomes
            or place in self.paces
            or any((slot, *place) in self.cells for slot in range(SLOTS))
        )

    # What was seen -------------------------------------------------------------------------------

    def decided(self, slot: int) -> None:
        """A call was planned: what is known is one decision older."""
        self.decisions[slot] += 1
        if self.twin:
            self.twin.decided(slot)

    def took(self, offer: Offer, slot: int, log_seconds: float, *, now: float) -> None:
        """An answer's first token came, or was given up: see `cells.censored`."""
        place = (slot, offer.provider.slug, offer.model_id)
        cell = self.cells.get(place)
        if cell is None:
            bound(self.cells)
            cell = self.cells[place] = Cell()
        cell.sums.fade(self.decisions[slot], now)
        cell.sums.add(log_seconds)
        cell.histogram.add(math.exp(log_seconds))
        self.forget_arms(place[1:])
        if self.twin and is_common(offer):
            self.twin.took(offer, slot, log_seconds, now=now)

    def wrote(self, offer: Offer, tokens_per_s: float, *, now: float) -> None:
        place = (offer.provider.slug, offer.model_id)
        sums = self.paces.get(place)
        if sums is None:
            bound(self.paces)
            sums = self.paces[place] = Sums()
        sums.fade(sum(self.decisions), now)
        sums.add(math.log(tokens_per_s))
        self.forget_arms(place)
        if self.twin and is_common(offer):
            self.twin.wrote(offer, tokens_per_s, now=now)

    def ended(self, offer: Offer, *, lost_s: float | None, now: float) -> None:
        """An attempt was answered (None), or failed after so many seconds."""
        place = (offer.provider.slug, offer.model_id)
        found = self.outcomes.get(place)
        if found is None:
            bound(self.outcomes)
            found = self.outcomes[place] = Outcomes()
        found.fade(sum(self.decisions), now)
        if lost_s is None:
            found.good += 1
        else:
            found.bad += 1
            found.lost_s += LOST_STEP * (lost_s - found.lost_s)
        self.forget_arms(place)

    def forget_arms(self, place: Place) -> None:
        target = ""
        for arms in self._arms:
            if arms:
                target = target or "/".join(place)
                arms.pop(target, None)


def _draws(
    candidates: Sequence[Candidate], arms: list[Arm], most: float, rng: Random
) -> list[float]:
    """One draw of what is believed for each offer; its keys, which stand side by side, share it."""
    found: list[float] = []
    before: Offer | None = None
    seconds = 0.0
    exp, bits = math.exp, rng.getrandbits
    for candidate, arm in zip(candidates, arms, strict=True):
        offer = candidate.offer
        if offer is not before:
            before = offer
            tokens = arm.output if arm.output < most else most  # noqa: FURB136  min() costs more
            theta = arm.middle + arm.doubt * NORMAL[bits(NORMAL_BITS)]
            penalty = arm.penalty
            if arm.bad > SEEN_BAD:
                penalty = _penalty(_drawn(arm, rng), arm.lost)
            pace = arm.first + tokens * arm.each_token
            seconds = exp(theta) * pace + tokens * arm.pace + penalty
        found.append(seconds)
    return found


def bound(table: dict[Any, Any]) -> None:
    """Callers may name any model of a provider: the oldest figures make room."""
    if len(table) >= MOST_PLACES:
        del table[next(iter(table))]


def slot_of(chat: ChatRequest) -> int:
    """Which figures a request belongs to: by size of its input, and whether it is streamed."""
    tokens = chat.input_tokens
    first, second, third = EDGES
    bucket = (0 if tokens <= first else 1) if tokens <= second else (2 if tokens <= third else 3)
    return bucket if chat.stream else bucket + BUCKETS


def catalogue_first(offer: Offer) -> float:
    return (offer.model.seconds_to_first_token if offer.model else None) or USUAL_FIRST_S


def catalogue_pace(offer: Offer) -> float:
    return (offer.model.tokens_per_second if offer.model else None) or USUAL_TOKENS_PER_S


def is_common(offer: Offer) -> bool:
    """Whether the endpoint and the model are the same for all tenants."""
    return offer.model is not None and not offer.provider.has_own_url


def _chance(bad: float, good: float) -> float:
    return (PRIOR_BAD + bad) / (PRIOR_BAD + bad + PRIOR_GOOD + good)


def _drawn(arm: Arm, rng: Random) -> float:
    return rng.betavariate(PRIOR_BAD + arm.bad, PRIOR_GOOD + arm.good)


def _penalty(chance: float, lost: float) -> float:
    """Seconds that failures cost, until somebody else has answered."""
    chance = min(chance, MOST_BAD)
    return lost * chance / (1 - chance)
