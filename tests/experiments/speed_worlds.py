"""Worlds of providers that answer as real ones did, with incidents, for the strategies of speed.

Times to the first token are resampled from measurements (tests/fixtures/routing/ORIGIN.md). The
state, the ranking and the moment to hedge are the gateway's own; only time and chance are ours.
"""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from uuid import UUID

from billing.usage import Usage
from routing.chat import ChatRequest
from routing.health.known import Known, Seen
from routing.health.state import State
from routing.plan.candidates import Candidate
from routing.plan.ranking import Ranking
from routing.plan.strategies import fastest
from routing.providers.catalog_index import Offer
from routing.providers.loader import load_all
from routing.providers.spec import ModelOffer
from routing.upstream.failures import Failure, FailureKind
from tests.routing.plan.builders import chat

MEASURED = Path(__file__).parents[1] / "fixtures" / "routing" / "llmperf_ttft.jsonl"
LEAST_SAMPLES = 90
SECONDS_PER_CALL = 0.5
WRITTEN = Usage(input_uncached=550, output_visible=200)

Factor = Callable[[int, int], float]  # arm, call → by how much its times are longer


@dataclass
class World:
    """Arms with measured times; the worst factor of an arm at a call makes its incidents."""

    samples: list[list[float]]  # seconds by arm
    factor: Factor = lambda _, __: 1.0
    more: Callable[[int, int], float] = lambda _, __: 0.0  # seconds on top, by arm and input tokens
    failing: dict[int, float] = field(default_factory=dict)  # arm → share that fails after 30 ms
    sizes: Sequence[int] = (550,)
    silence: tuple[int, float] | None = None  # before this call, so many seconds pass

    def mean(self, arm: int, call: int, tokens: int) -> float:
        answered = statistics.fmean(self.samples[arm]) * self.factor(arm, call)
        return answered + self.more(arm, tokens)

    def draw(self, arm: int, call: int, tokens: int, rng: Random) -> float:
        return rng.choice(self.samples[arm]) * self.factor(arm, call) + self.more(arm, tokens)

    def least(self, call: int, tokens: int) -> float:
        """What one who knows all means would choose; of arms that answer."""
        return min(
            self.mean(arm, call, tokens)
            for arm in range(len(self.samples))
            if arm not in self.failing
        )


def measured(size: str = "70b") -> list[list[float]]:
    """Seconds to the first token by provider, quickest median first."""
    runs = [json.loads(line) for line in MEASURED.read_text().splitlines()]
    arms = [
        [milliseconds / 1000 for milliseconds in run["ttft_ms"]]
        for run in runs
        if run["model"].endswith(size) and len(run["ttft_ms"]) >= LEAST_SAMPLES
    ]
    return sorted(arms, key=statistics.median)


@dataclass
class Run:
    """What a strategy made of a world."""

    seconds: list[float] = field(default_factory=list)
    oracle: list[float] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    hedges: int = 0
    failed: int = 0

    def ratio(self, first: int = 0, last: int | None = None) -> float:
        return sum(self.seconds[first:last]) / sum(self.oracle[first:last])


class Gateway:
    """The fastest strategy with its state, on a clock of its own."""

    def __init__(
        self, world: World, seed: int, *, hedged: bool = False, prior_error: float = 0.3
    ) -> None:
        self.world, self.hedged = world, hedged
        self.rng, self.draws = Random(seed), Random(seed + 1000)
        self.now = 0.0
        self.known: Known = State(clock=lambda: self.now, rng=Random(seed)).of("live", UUID(int=1))
        medians = [statistics.median(samples) for samples in world.samples]
        priors = [median * math.exp(self.rng.gauss(0, prior_error)) for median in medians]
        self.arms = [_arm(number, prior) for number, prior in enumerate(priors)]

    def run(self, calls: int) -> Run:
        found = Run()
        for call in range(calls):
            if self.world.silence and call == self.world.silence[0]:
                self.now += self.world.silence[1]
            tokens = self.world.sizes[call % len(self.world.sizes)]
            request = chat(input_tokens=tokens, stream=True)
            ranking = Ranking(chat=request, rng=self.draws, speeds=self.known)
            self.known.decided(request)
            ranked = fastest.rank(list(self.arms), ranking)
            found.oracle.append(self.world.least(call, tokens))
            found.chosen.append(_number(ranked[0]))
            found.seconds.append(self._answered(ranked, request, call, found))
            self.now += SECONDS_PER_CALL
        return found

    def _answered(
        self, ranked: list[Candidate], request: ChatRequest, call: int, found: Run
    ) -> float:
        """Seconds until the first token of whoever answers."""
        waited = 0.0
        for place, candidate in enumerate(ranked):
            arm = _number(candidate)
            if self.rng.random() < self.world.failing.get(arm, 0.0):
                waited += 0.03
                found.failed += 1
                self._saw(candidate, request, "server", None, 0.03)
                continue
            took = self.world.draw(arm, call, request.input_tokens, self.rng)
            if self.hedged and place + 1 < len(ranked):
                return waited + self._beside(
                    candidate, ranked[place + 1], took, request, call, found
                )
            self._saw(candidate, request, "answered", took, took)
            return waited + took
        raise AssertionError("nobody answered")

    def _beside(
        self, one: Candidate, other: Candidate, took: float, request: ChatRequest, call: int,
        found: Run,
    ) -> float:  # fmt: skip
        """The second one is asked too when the first is silent for too long."""
        means = self.known.each(self.arms, request, None)
        quickest = self.arms[means.index(min(means))]
        after = self.known.hedge_after(one, other, request, quickest=quickest)
        if took <= after:
            self._saw(one, request, "answered", took, took)
            return took
        found.hedges += 1
        others = self.world.draw(_number(other), call, request.input_tokens, self.rng)
        if after + others < took:
            self._saw(one, request, "lost", None, after + others)
            self._saw(other, request, "answered", others, others)
            return after + others
        self._saw(one, request, "answered", took, took)
        self._saw(other, request, "lost", None, took - after)
        return took

    def _saw(
        self, candidate: Candidate, request: ChatRequest, outcome: str, first: float | None,
        took: float,
    ) -> None:  # fmt: skip
        failure = Failure(FailureKind.SERVER, status=500) if outcome == "server" else None
        self.known.observe(
            Seen(
                offer=candidate.offer, key=None, chat=request, outcome=outcome, failure=failure,
                began=self.now - took, first_token=None if first is None else self.now,
                ended=self.now, usage=None,
            )
        )  # fmt: skip


def greedy(world: World, seed: int, calls: int, *, step: float = 0.2) -> Run:
    """The usual alternative: a moving average of each arm, and always the least of them."""
    rng = Random(seed)
    medians = [statistics.median(samples) for samples in world.samples]
    averages = [median * math.exp(rng.gauss(0, 0.3)) for median in medians]
    found = Run()
    for call in range(calls):
        arm = averages.index(min(averages))
        took = world.draw(arm, call, 550, rng)
        averages[arm] += step * (took - averages[arm])
        found.oracle.append(world.least(call, 550))
        found.chosen.append(arm)
        found.seconds.append(took)
    return found


def _arm(number: int, prior: float) -> Candidate:
    provider = next(iter(load_all().values()))
    model = ModelOffer(id=f"arm-{number}", seconds_to_first_token=prior)
    return Candidate(Offer(provider, model.id, model), None, None, None)


def _number(candidate: Candidate) -> int:
    return int(candidate.model.rpartition("-")[2])
