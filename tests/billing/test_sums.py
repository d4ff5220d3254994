"""What a call cost: the sum over its attempts, and how sure that is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.facts import AttemptEnded, CostStatus
from billing.sums import total_of

KNOWN: list[CostStatus] = ["priced", "reported", "estimated"]
COSTS = st.integers(0, 10**12).map(lambda pico: Decimal(pico).scaleb(-12))


def attempt(cost: Decimal | None, status: CostStatus) -> AttemptEnded:
    return AttemptEnded(
        call="c", number=1, provider="p", model="m", outcome="o", cost=cost, cost_status=status
    )


ATTEMPTS = st.lists(st.builds(attempt, COSTS, st.sampled_from(KNOWN)), max_size=6)


def test_a_call_without_attempts_cost_nothing() -> None:
    assert total_of([]) == (Decimal(0), "priced")


@given(ATTEMPTS)
def test_the_cost_is_the_sum(attempts: list[AttemptEnded]) -> None:
    total, _ = total_of(attempts)

    assert total == sum((a.cost for a in attempts if a.cost is not None), Decimal(0))


@given(ATTEMPTS, st.permutations(range(6)))
def test_how_sure_it_is_does_not_depend_on_the_order(
    attempts: list[AttemptEnded], order: list[int]
) -> None:
    shuffled = [attempts[place] for place in order if place < len(attempts)]

    assert total_of(shuffled) == total_of(attempts)


@given(ATTEMPTS, ATTEMPTS)
def test_one_attempt_at_an_unknown_price_makes_the_whole_unknown(
    before: list[AttemptEnded], after: list[AttemptEnded]
) -> None:
    assert total_of([*before, attempt(None, "unpriced"), *after]) == (None, "unpriced")


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (["priced", "priced"], "priced"),
        (["priced", "reported"], "reported"),
        (["reported", "priced"], "reported"),
        (["reported", "estimated"], "estimated"),
        (["estimated", "reported"], "estimated"),
        (["estimated", "priced"], "estimated"),
    ],
)
def test_the_least_sure_attempt_decides(statuses: list[CostStatus], whole: CostStatus) -> None:
    assert total_of([attempt(Decimal(1), status) for status in statuses])[1] == whole
