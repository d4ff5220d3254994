"""Races and hedges over real HTTP: who wins, who is called off, what the books say of both."""

import asyncio
import json
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from billing import money
from routing.plan import worst_case
from routing.providers import catalog_index, prices
from routing.wire.openai import request
from tests.factories.budgets import make_budget
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.gateway import wait_for
from tests.servers.sandbox import Sandbox

GROQ, CEREBRAS, OPENAI = (
    "groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b", "openai/gpt-4.1-mini",
)  # fmt: skip
RACE = {"x-flo2-race": "2"}
streamed_or_not = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def ask(
    caller: Caller, faults: str, *others: str, stream: bool = False, **headers: str
) -> httpx.Response:
    """A call of Groq's model, and of the others if need be, with faults of the providers."""
    body = {"model": GROQ, "messages": MESSAGES, "stream": stream}
    body |= {"models": list(others)} if others else {}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if faults:
        sent["x-flo2-simulate"] = faults
    with caller.gateway.client(caller.test_key) as http:
        return http.post("/v1/chat/completions", json=body, headers=sent)


def story(caller: Caller) -> list[tuple[str, str, str]]:
    _, attempts = books.last(caller)
    return [(a.provider, a.role, a.outcome) for a in attempts]


@streamed_or_not
def test_the_first_to_say_something_wins_and_the_other_is_called_off(
    caller: Caller, sandbox: Sandbox, stream: bool
) -> None:
    began = time.monotonic()
    answer = ask(caller, "groq=slow@3000", CEREBRAS, stream=stream, x_flo2_race="2")

    assert answer.status_code == 200
    assert time.monotonic() - began < 2.5  # the slow one was not waited for
    assert answer.headers["x-flo2-provider"] == "cerebras"
    assert answer.headers["x-flo2-reason"] == "race_won"
    assert sorted(story(caller)) == [("cerebras", "race", "answered"), ("groq", "primary", "lost")]
    call, attempts = books.last(caller)
    assert call.provider == "cerebras"
    assert call.cost == sum(a.cost for a in attempts if a.cost is not None)
    (lost,) = [a for a in attempts if a.outcome == "lost"]
    assert lost.cost_status == "estimated"
    assert lost.cost is not None
    assert lost.cost > 0
    wait_for(lambda: len(sandbox.open()["aborted"]) == 1, "the loser's socket is closed")
    assert sandbox.open()["open"] == 0


@streamed_or_not
@pytest.mark.parametrize("fault", ["500", "429", "empty", "garbage", "reset", "401"])
def test_a_racer_that_fails_or_says_nothing_cannot_win(
    caller: Caller, fault: str, stream: bool
) -> None:
    faults = f"groq={fault},cerebras=slow@300"
    answer = ask(caller, faults, CEREBRAS, stream=stream, x_flo2_race="2")

    assert answer.status_code == 200
    assert answer.headers["x-flo2-provider"] == "cerebras"
    assert {outcome for _, _, outcome in story(caller)} - {"answered"}


def test_a_racer_that_fails_early_is_replaced_by_the_next_candidate(caller: Caller) -> None:
    faults = "groq=500,cerebras=slow@1500"
    answer = ask(caller, faults, CEREBRAS, OPENAI, x_flo2_race="2")

    assert answer.headers["x-flo2-provider"] == "openai"
    outcomes = {provider: outcome for provider, _, outcome in story(caller)}
    assert outcomes == {"groq": "server", "cerebras": "lost", "openai": "answered"}


def test_a_race_in_which_all_fail_ends_as_a_chain_does(caller: Caller) -> None:
    answer = ask(caller, "groq=500,cerebras=503", CEREBRAS, x_flo2_race="2")

    assert answer.status_code == 502
    assert len(answer.json()["error"]["attempts"]) >= 2


def test_a_callers_fault_waits_for_the_other_racer(caller: Caller) -> None:
    answer = ask(caller, "groq=400,cerebras=slow@200", CEREBRAS, x_flo2_race="2")

    assert answer.headers["x-flo2-provider"] == "cerebras"


@streamed_or_not
def test_a_hedge_starts_when_the_first_is_silent_and_may_win(caller: Caller, stream: bool) -> None:
    answer = ask(caller, "groq=slow@3000", CEREBRAS, stream=stream, x_flo2_hedge_ms="150")

    assert answer.headers["x-flo2-provider"] == "cerebras"
    assert answer.headers["x-flo2-reason"] == "hedge_won"
    assert sorted(story(caller)) == [("cerebras", "hedge", "answered"), ("groq", "primary", "lost")]
    _, attempts = books.last(caller)
    (hedge,) = [a for a in attempts if a.role == "hedge"]
    assert hedge.started_ms >= 150


def test_a_quick_answer_is_never_hedged(caller: Caller) -> None:
    answer = ask(caller, "", CEREBRAS, x_flo2_hedge_ms="5000")

    assert answer.headers["x-flo2-provider"] == "groq"
    assert answer.headers["x-flo2-reason"] == "pinned"
    assert len(story(caller)) == 1


def test_a_hedged_call_whose_first_fails_goes_on_in_turn(caller: Caller) -> None:
    answer = ask(caller, "groq=500", CEREBRAS, x_flo2_hedge_ms="5000")

    assert answer.headers["x-flo2-reason"] == "fallback:server"
    assert [outcome for _, _, outcome in story(caller)] == ["server", "answered"]


def test_a_ceiling_that_holds_one_racer_alone_starts_one(caller: Caller) -> None:
    answer = ask(caller, "", CEREBRAS, x_flo2_race="2", x_flo2_max_cost="0.03")

    assert answer.status_code == 200
    assert len(story(caller)) == 1


@pytest.mark.parametrize(("share", "started"), [("1.2", 1), ("3", 2)])
def test_a_hard_budget_pays_for_all_who_run_together(
    caller: Caller, share: str, started: int
) -> None:
    """Each alone would fit: it is the sum of their upper bounds that is reserved."""
    body = {"model": GROQ, "models": [CEREBRAS], "messages": MESSAGES, "max_tokens": 20}
    make_budget(caller.tenant, str(worst(body, GROQ) * Decimal(share)))

    with caller.gateway.client(caller.test_key) as http:
        headers = {**RACE, "x-flo2-simulate": "groq=slow@300,cerebras=slow@300"}
        answer = http.post("/v1/chat/completions", json=body, headers=headers)

    assert answer.status_code == 200
    assert len(story(caller)) == started


def worst(body: dict[str, Any], target: str) -> Decimal:
    """What an attempt may cost at most, in dollars."""
    chat = request.read(json.dumps(body, separators=(",", ":")).encode())
    offer = catalog_index.current().pinned(target)
    assert offer
    price = prices.listed(offer.provider.slug, offer.model_id, today=datetime.now(UTC).date())
    assert price
    return money.from_pico(worst_case.cost(price, chat, offer))


def test_the_last_candidate_of_a_hedged_call_is_tried_again(
    caller: Caller, sandbox: Sandbox
) -> None:
    sandbox.fail("groq", "500", times=1)

    answer = ask(caller, "", x_flo2_hedge_ms="5000")

    assert answer.headers["x-flo2-reason"] == "retry"
    assert [role for _, role, _ in story(caller)] == ["primary", "retry"]


def test_a_caller_who_leaves_a_race_leaves_nobody_running(caller: Caller, sandbox: Sandbox) -> None:
    async def leave() -> None:
        headers = {
            "authorization": f"Bearer {caller.test_key}",
            "x-flo2-simulate": "groq=slow@5000,cerebras=slow@5000",
            **RACE,
        }
        body: dict[str, Any] = {"model": GROQ, "models": [CEREBRAS], "messages": MESSAGES}
        async with httpx.AsyncClient(base_url=caller.gateway.url, trust_env=False) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.post("/v1/chat/completions", json=body, headers=headers, timeout=0.5)

    asyncio.run(leave())

    wait_for(lambda: len(sandbox.open()["aborted"]) == 2, "both sockets are closed")
    call, attempts = books.last(caller)
    assert call.status == "cancelled"
    assert [a.outcome for a in attempts] == ["cancelled", "cancelled"]
