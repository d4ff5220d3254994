"""Parameters that a model has refused: left out when it is asked again, and remembered for a day.

Only those that steer an answer and do not change what is asked for. A process remembers for itself,
by tenant: what one tenant's own endpoint says is nothing to another.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import msgspec

from accounts.callers import Caller
from routing.upstream.failures import Failure, FailureKind

REMEMBERED_SECONDS = 24 * 3600.0
MOST = 10_000  # models
STEERING = frozenset({
    "temperature", "top_p", "top_k", "min_p", "topP", "topK", "seed", "presence_penalty",
    "frequency_penalty", "repetition_penalty", "presencePenalty", "frequencyPenalty",
    "logit_bias", "parallel_tool_calls", "reasoning_effort", "verbosity", "user", "metadata",
    "store", "service_tier", "prompt_cache_key", "safety_identifier", "prediction",
})  # fmt: skip
NESTED = "generationConfig"  # where Gemini has them
_NAMED = re.compile(
    r"""parameter:?\s+['"`]?(\w+)|unknown name ["'](\w+)|property ['"]?(\w+)['"]? is unsupported"""
    r"""|^[`']?(\w+)[`']?(?::| is deprecated| is not supported)""",
    re.IGNORECASE,
)

Place = tuple[UUID, str, str]  # tenant, mode, target


class Refused:
    """What models have refused, until when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[Place, dict[str, float]] = {}

    def of(self, caller: Caller, target: str) -> list[str]:
        """What to leave out of a request to this model; usually nothing."""
        if not self._known:
            return []
        found = self._known.get(_place(caller, target), {})
        return [name for name, until in found.items() if until > self._clock()]

    def learn(self, caller: Caller, target: str, failure: Failure) -> bool:
        """Remember what a failure names; whether it is worth asking again without that."""
        name = named(failure)
        if not name or name in self.of(caller, target):
            return False
        if len(self._known) >= MOST:
            self._known.clear()
        until = self._clock() + REMEMBERED_SECONDS
        self._known.setdefault(_place(caller, target), {})[name] = until
        return True

    def forget(self) -> None:
        self._known.clear()


def named(failure: Failure) -> str:
    """The parameter that was refused, in the provider's spelling; empty if it must stay."""
    if failure.kind is not FailureKind.PARAM:
        return ""
    found = _NAMED.search(failure.message)
    said = failure.param or (next(filter(None, found.groups())) if found else "")
    name = said.rpartition(".")[2]
    return name if name in STEERING else ""


def without(body: bytes, names: Iterable[str]) -> tuple[bytes, tuple[str, ...]]:
    """A request's body without these parameters, and which of them it had."""
    content: dict[str, Any] = msgspec.json.decode(body)
    inner = content.get(NESTED)
    gone = []
    for name in names:
        for holder in (content, inner):
            if isinstance(holder, dict) and name in holder:
                del holder[name]
                gone.append(name)
    return (msgspec.json.encode(content), tuple(gone)) if gone else (body, ())


def _place(caller: Caller, target: str) -> Place:
    return caller.tenant_id, caller.mode, target


memory = Refused()
