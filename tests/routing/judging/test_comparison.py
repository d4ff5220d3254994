"""One pair on a bench: what is set aside for it, and when the judge's own test counts."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from routing import dry_run, experiments
from routing.chat import ChatRequest
from routing.dry_run import Desk
from routing.experiments import Errand, Running
from routing.gateway import Told, WholeAnswer
from routing.judging import comparison
from routing.judging.comparison import Bench, NotNow, Refused, Terms
from routing.judging.waiting import JudgingEnds
from tests.routing.plan.builders import caller


@dataclass
class Scripted(Bench):
    """Whose judge says what is written, or raises it."""

    script: list[Any] = field(default_factory=list)

    async def _call(self, chat: ChatRequest, errand: Errand) -> WholeAnswer:
        said = self.script.pop(0)
        if isinstance(said, Exception):
            raise said
        message = {"role": "assistant", "content": f'{{"reason": "so", "verdict": "{said}"}}'}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = msgspec.json.encode(
            {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}
        )
        return WholeAnswer(body, Told(provider="openai", model="gpt-4.1-mini"))


def bench(*script: Any) -> Scripted:
    running = Running(
        id=UUID(int=1), shown_id="exp_1", tenant=UUID(int=0), mode="test", policy="",
        by_session=True, key=b"k" * 32, shadow_rate=1.0, arms=(),
    )  # fmt: skip

    async def reserve(_: Decimal) -> None:
        """There is enough."""

    terms = Terms(running, "openai/gpt-4.1-mini", "")
    return Scripted(terms, caller(), reserve, script=list(script))


RIGHT = ("1", "2", "1", "2", "1")


@pytest.mark.parametrize(
    "ending", [JudgingEnds("the limit on spending is reached"), NotNow("busy")], ids=str
)
def test_canaries_that_were_not_all_shown_say_nothing_of_the_judge(ending: Exception) -> None:
    judge = bench(*RIGHT[:2], ending)

    with pytest.raises(type(ending)):
        asyncio.run(judge._show("A question", "An answer that is right"))

    assert judge.right is None


def test_canaries_that_were_all_shown_count() -> None:
    good, bad = bench(*RIGHT), bench(*"22222")

    asyncio.run(good._show("A question", "An answer that is right"))
    with pytest.raises(JudgingEnds, match="2 of 5"):
        asyncio.run(bad._show("A question", "An answer that is right"))

    assert (good.right, bad.right) == (5, 2)


def test_a_canary_that_the_judge_refuses_to_read_is_no_mistake_of_his() -> None:
    judge = bench("1", comparison.NoAnswer("context_length_exceeded", 400))

    with pytest.raises(Refused):
        asyncio.run(judge._show("A question", "An answer that is right"))

    assert judge.right is None


@pytest.mark.django_db
def test_a_call_of_our_own_is_set_aside_for_as_what_the_dearest_candidate_may_cost() -> None:
    chat = dry_run.request("llama-3.3-70b")
    _, plan = Desk(UUID(int=0), mode="test", now=datetime.now(UTC)).plan(chat, None)
    each = [comparison.most_of(chat, [one]) for one in plan.candidates]
    known = [cost for cost in each if cost is not None]
    assert len(set(known)) > 2
    assert len(known) < len(each)  # nobody could set aside what the others may cost

    ours = experiments.alone(plan)

    assert comparison.most_of(chat, plan.candidates) is None
    assert [one for one in plan.candidates if one.price] == list(ours.candidates)
    assert comparison.most_of(chat, ours.candidates) == max(known) > known[0]


@pytest.mark.django_db
def test_candidates_without_a_price_are_left_where_there_are_no_others() -> None:
    chat = dry_run.request("llama-3.3-70b")
    _, plan = Desk(UUID(int=0), mode="test", now=datetime.now(UTC)).plan(chat, None)
    unpriced = tuple(one for one in plan.candidates if one.price is None)

    ours = experiments.alone(msgspec.structs.replace(plan, candidates=unpriced))

    assert ours.candidates == unpriced
    assert comparison.most_of(chat, ours.candidates) is None
