"""Every fault of a provider, for every way to choose one: who answers, and what is on the books.

Pinned models with fallbacks: `test_faults`.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.journeys.test_faults import CALLERS_FAULT, MOVES_ON
from tests.journeys.test_policies import save

GROQ, CEREBRAS = "groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b"
MOST_DRAWS = 40  # until chance asks the faulty one first

# fault, outcome of its attempt: the next candidate answers
REPLACED = [
    *((fault, outcome) for fault, outcome, _, _ in MOVES_ON),
    ("empty", "empty"),
    ("timeout", "timeout"),
    ("stall", "timeout"),
]
TIMES = {"x-flo2-first-token-timeout-ms": "400"}
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@dataclass(frozen=True)
class Way:
    """A way to choose between two targets, and whether the answer is streamed."""

    caller: Caller
    name: str
    stream: bool

    def ask(self, faults: str) -> httpx.Response:
        body: dict[str, Any] = {"messages": MESSAGES, "stream": self.stream}
        sent = {"x-flo2-simulate": faults, **TIMES}
        if self.name == "race":
            body |= {"model": GROQ, "models": [CEREBRAS]}
            sent["x-flo2-race"] = "2"
        else:
            body["model"] = f"@{self.name}"
        with self.caller.gateway.client(self.caller.test_key) as http:
            return http.post("/v1/chat/completions", json=body, headers=sent)

    def ask_the_faulty_first(self, fault: str) -> tuple[httpx.Response, str, list[tuple[str, str]]]:
        """An answer to a call that began with the faulty provider; that provider; the attempts."""
        for turn in itertools.islice(itertools.cycle(("groq", "cerebras")), MOST_DRAWS):
            answer = self.ask(f"{turn}={fault}")
            _, attempts = books.last(self.caller)
            if attempts[0].provider == turn:
                return answer, turn, [(one.role, one.outcome) for one in attempts]
        raise AssertionError("the faulty one was never the first")


@pytest.fixture(params=["cheapest", "fastest"])
def chain(request: pytest.FixtureRequest, caller: Caller, stream: bool) -> Way:
    save(caller, request.param, request.param, targets=[GROQ, CEREBRAS])
    return Way(caller, request.param, stream)


@streamed_or_not
def test_the_next_in_the_chain_answers(chain: Way) -> None:
    for fault, outcome in REPLACED:
        answer, faulty, attempts = chain.ask_the_faulty_first(fault)

        assert answer.status_code == 200, fault
        assert answer.headers["x-flo2-provider"] == other(faulty), fault
        assert answer.headers["x-flo2-reason"] == f"fallback:{outcome}", fault
        assert attempts == [("primary", outcome), ("fallback", "answered")], fault


@streamed_or_not
def test_a_chain_ends_with_the_callers_own_fault(chain: Way) -> None:
    for fault, status in CALLERS_FAULT:
        answer, _, attempts = chain.ask_the_faulty_first(fault)

        assert answer.status_code == status, fault
        assert len(attempts) == 1, fault


@streamed_or_not
def test_an_answer_that_breaks_off_is_replaced_only_where_nothing_of_it_was_seen(
    chain: Way, stream: bool
) -> None:
    answer, faulty, attempts = chain.ask_the_faulty_first("cut@3")

    if stream:
        assert [outcome for _, outcome in attempts] == ["cut"]
        assert '"error"' in answer.text
        assert "[DONE]" not in answer.text
    else:
        assert answer.headers["x-flo2-provider"] == other(faulty)
        assert [outcome for _, outcome in attempts] == ["network", "answered"]


@streamed_or_not
def test_a_racer_with_a_fault_never_wins(caller: Caller, stream: bool) -> None:
    race = Way(caller, "race", stream)
    for fault, outcome in (*REPLACED, *((fault, "caller") for fault, _ in CALLERS_FAULT)):
        answer = race.ask(f"groq={fault},cerebras=slow@150")

        assert answer.status_code == 200, fault
        assert answer.headers["x-flo2-provider"] == "cerebras", fault
        assert answer.headers["x-flo2-reason"] == "race_won", fault
        _, attempts = books.last(caller)
        ends = {one.provider: one.outcome for one in attempts}
        assert ends["cerebras"] == "answered", fault
        assert ends["groq"] in {outcome, "lost"}, fault  # the other may have won by then


def other(provider: str) -> str:
    return {"groq": "cerebras", "cerebras": "groq"}[provider]
