"""How well each candidate is likely to answer a request: `routing.plan.ranking.Scorer`. Pure.

The best of a pool keeps its quality; the others fall behind it by their gap, wider where the task
or the prompt is hard. No I/O and no library: tens of microseconds for a prompt and ten candidates.
"""

from collections.abc import Sequence

from routing.chat import ChatRequest
from routing.plan.candidates import Candidate
from routing.plan.ranking import Measured
from routing.providers.catalog_index import Offer
from routing.scoring import features, priors, prompt, words
from routing.scoring.difficulty import Difficulty, shipped
from routing.scoring.features import Window
from routing.scoring.learned import NOTHING, Knowledge
from routing.scoring.prompt import Prompt

MOST_REMEMBERED = 10_000  # names, per task


class Scorer:
    def __init__(self, known: Knowledge = NOTHING, difficulty: Difficulty | None = None) -> None:
        self._known = known
        self._difficulty = difficulty or shipped()
        self._remembered: dict[str, dict[str, float]] = {}  # by task, by model

    def quality(self, candidate: Candidate, chat: ChatRequest) -> float:
        """Of a candidate that has no rival. Qualities that are compared come from `qualities`."""
        return self.qualities([candidate], chat)[0]

    def qualities(self, candidates: Sequence[Candidate], chat: ChatRequest) -> list[float]:
        """From 0 to 1, of the candidates of one request in their order."""
        if not candidates:
            return []
        seen = _Seen(prompt.of_request(chat))
        task = seen.task
        known = self._known_of(candidates, task)
        distinct = set(known)  # few: models share what is known of their kind
        best = max(distinct)
        largest = best - min(distinct)
        if not largest:
            return known
        wider = self._known.factor(task, seen.window, self._difficulty)
        if self._known.words:
            wider += words.shift(self._known.words, features.hashed(seen.window())) / largest
        spread = {one: max(0.0, min(1.0, best - (best - one) * wider)) for one in distinct}
        return list(map(spread.__getitem__, known))

    def task(self, chat: ChatRequest) -> str:
        """The kind of work that a request asks for."""
        return _Seen(prompt.of_request(chat)).task

    def measured(self, candidates: Sequence[Candidate], chat: ChatRequest) -> list[Measured | None]:
        """How each one's model fared in the tenant's judged pairs of this kind of work."""
        known = self._known.measured and self._known.measured.get(self.task(chat))
        if not known:
            return [None] * len(candidates)
        return [known.get(priors.name_of(one.offer)) for one in candidates]

    def _known_of(self, candidates: Sequence[Candidate], task: str) -> list[float]:
        """What is known of the candidates' models, whatever the prompt."""
        remembered = self._remembered.setdefault(task, {})
        if len(remembered) > MOST_REMEMBERED:
            remembered.clear()
        try:
            return [remembered[one.offer.weights] for one in candidates]
        except KeyError:
            return [self._of(one, task, remembered) for one in candidates]

    def _of(self, candidate: Candidate, task: str, remembered: dict[str, float]) -> float:
        """What is known of a model; what only its price tells is not remembered."""
        offer = candidate.offer
        known = remembered.get(offer.weights)
        if known is None:
            known = self._look_up(offer, task)
            if known is None:
                return priors.of_price(candidate.price)
            remembered[offer.weights] = known
        return known

    def _look_up(self, offer: Offer, task: str) -> float | None:
        name = priors.name_of(offer)
        learned = self._known.quality(task, name)
        return priors.shipped().get(name) if learned is None else learned


class _Seen:
    """A prompt, looked at no closer than needed."""

    __slots__ = ("_its", "_window", "task")

    def __init__(self, its: Prompt) -> None:
        self._its = its
        self._window: Window | None = None
        if its.uses_tools:
            self.task = features.AGENT
        else:
            self.task = features.EXTRACT if its.wants_json else features.task_of(self.window())

    def window(self) -> Window:
        if self._window is None:
            self._window = features.window(self._its.text)
        return self._window
