"""What walking a plan needs to know of an attempt: it is run, and it answers or fails."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from billing.facts import AttemptEnded, Role
from routing.execution.story import Story
from routing.plan.candidates import Candidate
from routing.upstream.failures import Failure, FailureKind


class Reply(Protocol):
    """What a run returns when the provider answered, in whole or by a stream."""

    @property
    def is_empty(self) -> bool: ...

    def left(self) -> AttemptEnded:
        """Nobody takes it any more: what is still open of it is closed and booked."""


A = TypeVar("A", bound=Reply)
Run = Callable[[Story, Candidate, int, Role], Coroutine[Any, Any, A | Failure]]

EMPTY = Failure(FailureKind.EMPTY, status=200, message="the answer holds no text and no call")
