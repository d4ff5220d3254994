"""What a strategy may look at besides the candidates themselves. Pure."""

import random
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from routing.chat import ChatRequest
from routing.plan.candidates import Candidate, NothingLearned


class Speeds(Protocol):
    """What is known of how fast and how well candidates answer (`routing.health`)."""

    def seconds(self, candidate: Candidate, chat: ChatRequest, rng: random.Random | None) -> float:
        """Expected seconds to the end of an answer, failures counted in.

        With chance: one draw of what is believed; without: the mean, for explanations.
        """

    def each(
        self, candidates: Sequence[Candidate], chat: ChatRequest, rng: random.Random | None
    ) -> list[float]:
        """The same for several candidates, in their order: cheaper than one by one."""

    def tokens_per_second(self, candidate: Candidate) -> float:
        """How fast it writes, times the chance that it answers at all."""


class Measured(NamedTuple):
    """How a model fared against the best of those that the tenant had compared."""

    rival: str  # that best one, as labels name it
    pairs: float | None  # judged, older ones counting less; None of the best one itself
    win_or_tie: float  # from 0 to 1, pulled towards what the qualities suggest


class Scorer(Protocol):
    """How well a candidate's model is likely to answer this request (`routing.scoring`)."""

    def quality(self, candidate: Candidate, chat: ChatRequest) -> float:
        """From 0 to 1, of a candidate that has no rival."""

    def qualities(self, candidates: Sequence[Candidate], chat: ChatRequest) -> list[float]:
        """Of candidates that are compared, in their order."""

    def measured(
        self, candidates: Sequence[Candidate], chat: ChatRequest
    ) -> Sequence[Measured | None]:
        """What judged pairs of this kind of work say of each; None where that is too little."""

    def task(self, chat: ChatRequest) -> str:
        """The kind of work that a request asks for; empty if that is not known."""


class NothingKnown(NothingLearned):
    """Before anything was measured: the catalogue's figures, or the same for all."""

    def quality(self, candidate: Candidate, chat: ChatRequest) -> float:
        return 0.5

    def qualities(self, candidates: Sequence[Candidate], chat: ChatRequest) -> list[float]:
        return [0.5] * len(candidates)

    def measured(
        self, candidates: Sequence[Candidate], chat: ChatRequest
    ) -> Sequence[Measured | None]:
        return [None] * len(candidates)

    def task(self, chat: ChatRequest) -> str:
        return ""


NOTHING_KNOWN = NothingKnown()


class Ranking(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """The circumstances of one ranking. `rng` None asks for means instead of draws."""

    chat: ChatRequest
    rng: random.Random | None = None
    speeds: Speeds = NOTHING_KNOWN
    scorer: Scorer = NOTHING_KNOWN
    most: int | None = None  # so many first ones are looked at, if not all
    session: str = ""  # the id that a choice sticks to, if any
    quality: float = 5.0  # the dial, 0 (cheapest that works) to 10 (best whatever it costs)
    good_enough: float | None = None  # win-or-tie rate from which the cheapest is taken
    weights: dict[str, float] = {}  # by target, of a weighted policy
    places: dict[str, int] = {}  # by target, on the list of a priority policy
