"""A request and its answer, on the way to being written in a dialect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from routing.sandbox.answers import Spent
from routing.sandbox.memory import Cached, Part
from routing.sandbox.profile import Exchange
from routing.sandbox.writing import draft
from routing.sandbox.writing.ask import Ask
from routing.sandbox.writing.draft import Choice, Draft

Look = Callable[[bytes, Sequence[Part]], Cached]


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked, by whom, and what is said."""

    exchange: Exchange
    ask: Ask
    draft: Draft

    @property
    def choice(self) -> Choice:
        """The only choice, where a dialect knows no more."""
        return self.draft.choices[0]

    @property
    def shown_thoughts(self) -> str:
        return self.choice.thoughts if self.ask.shows_thoughts else ""

    @property
    def spent(self) -> Spent:
        return Spent(self.ask.model, self.draft.prompt, self.draft.output)


def tell(exchange: Exchange, ask: Ask, look: Look) -> Told:
    """Write the answer. `look` finds what of the prompt is cached."""
    written = draft.write(
        ask,
        label=exchange.profile.label,
        cached=look(exchange.owner, ask.parts),
        is_empty=exchange.is_empty,
    )
    return Told(exchange, ask, written)
