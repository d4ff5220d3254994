"""A balanced policy that says what is good enough: the cheapest that was measured to be."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from routing.chat import ChatRequest
from routing.plan import explain
from routing.plan import plan as plans
from routing.plan.affinity import Placed
from routing.plan.candidates import Candidate
from routing.plan.plan import Known, Plan
from routing.plan.ranking import Measured, NothingKnown
from routing.policy_terms import PolicyInForce, idle, read
from routing.providers import loader
from routing.providers.catalog_index import Catalog
from tests.routing.plan.builders import NOW, chat, circumstances

CATALOG = Catalog(loader.load_all())
DEAR, CHEAP, CHEAPEST = (
    "openai/gpt-4.1", "openai/gpt-4.1-mini", "openai/gpt-4.1-nano",
)  # fmt: skip


class Judged(NothingKnown):
    """Rates against the dear one, as a test gives them."""

    def __init__(self, rates: dict[str, float]) -> None:
        self.rates = rates

    def measured(
        self, candidates: Sequence[Candidate], chat: ChatRequest
    ) -> Sequence[Measured | None]:
        return [
            Measured(DEAR, 50.0, self.rates[one.target]) if one.target in self.rates else None
            for one in candidates
        ]


def policy(**terms: Any) -> PolicyInForce:
    document = {"strategy": "balanced", "quality": 10, "targets": [DEAR, CHEAP, CHEAPEST], **terms}
    return PolicyInForce("default", 1, read(document))


def planned(rates: dict[str, float], *, placed: str = "", **terms: Any) -> Plan:
    known = Known(
        scorer=Judged(rates),
        placed=Placed(placed, None, NOW - timedelta(minutes=1)) if placed else None,
    )
    return plans.draft(
        circumstances(chat("auto")), catalog=CATALOG, providers_url="", policy=policy(**terms),
        known=known,
    )  # fmt: skip


def order(plan: Plan) -> list[str]:
    return [one.target for one in plan.candidates]


def test_the_cheapest_of_those_that_reach_the_rate_comes_first_then_the_others_as_ever() -> None:
    plan = planned({DEAR: 1.0, CHEAP: 0.93, CHEAPEST: 0.8}, good_enough=0.9)
    assert order(plan)[:2] == [CHEAP, DEAR]
    assert (plan.strategy, plan.reason) == ("balanced", "good_enough")

    assert order(planned({DEAR: 1.0, CHEAP: 0.93, CHEAPEST: 0.9}, good_enough=0.9))[0] == CHEAPEST
    assert order(planned({DEAR: 1.0, CHEAP: 0.6}, good_enough=0.9))[0] == DEAR


def test_where_nothing_was_measured_the_dial_decides() -> None:
    plan, plain = planned({}, good_enough=0.9), planned({})
    assert order(plan) == order(plain)
    assert plan.reason == plain.reason == "balanced"


def test_a_policy_that_does_not_say_what_is_good_enough_does_not_ask() -> None:
    plan = planned({DEAR: 1.0, CHEAP: 0.99})
    assert plan.reason == "balanced"
    assert order(plan) == order(planned({}))


def test_a_session_stays_only_where_that_is_good_enough_and_about_as_cheap() -> None:
    rates = {DEAR: 1.0, CHEAP: 0.93, CHEAPEST: 0.8}
    for place in (DEAR, CHEAPEST):
        plan = planned(rates, placed=place, good_enough=0.9, sticky="session")
        assert (order(plan)[0], plan.reason) == (CHEAP, "good_enough")


def test_an_explanation_says_what_was_measured() -> None:
    plan = planned({DEAR: 1.0, CHEAP: 0.93}, good_enough=0.9)
    told = explain.explained(plan, circumstances(chat("auto")))
    first = told["candidates"][0]
    assert first["reasons"] == ["good_enough"]
    assert first["measured"] == {"against": DEAR, "pairs": 50.0, "win_or_tie": 0.93}
    assert told["candidates"][2]["measured"] is None


def test_the_field_is_checked_and_idle_beside_other_strategies() -> None:
    assert read({"strategy": "balanced", "good_enough": 0.9}).good_enough == 0.9
    assert "good_enough" in idle(read({"strategy": "cheapest", "good_enough": 0.9}))
