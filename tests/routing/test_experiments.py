"""Who falls to which arm: the same unit always to the same, by the weights, and only who may."""

from collections import Counter
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import dry_run, experiments, policy_terms
from routing.dry_run import Desk
from routing.experiments import Assigned, Running, RunningArm
from routing.options import NONE, Options
from routing.policy_terms import PolicyInForce

NOBODY = UUID(int=0)
A, B = (
    RunningArm("A", "groq/llama-3.3-70b-versatile", "", 1.0),
    RunningArm("B", "", "night", 3.0),
)
DUEL = Running(
    id=NOBODY, shown_id="exp_duel", tenant=NOBODY, mode="live", policy="", by_session=True,
    key=b"k" * 32, shadow_rate=0.1, arms=(A, B),
)  # fmt: skip


def policy(name: str, **fields: Any) -> PolicyInForce:
    return PolicyInForce(name, 1, policy_terms.read({"strategy": "cheapest", **fields}))


def arm_of(
    model: str = "auto",
    *,
    known: tuple[Running, ...] = (DUEL,),
    mode: str = "live",
    wishes: Options = NONE,
    under: PolicyInForce | None = None,
    unit: str = "call-1",
) -> str | None:
    caller = Desk(NOBODY, mode=mode, now=None).caller  # type: ignore[arg-type]
    found = experiments.assign(known, caller, wishes, model, under, unit=unit)
    return found.arm.name if found else None


@given(st.text(max_size=40))
def test_a_unit_falls_to_the_same_arm_every_time(unit: str) -> None:
    assert experiments.draw(DUEL, unit) is experiments.draw(DUEL, unit)


def test_units_fall_to_the_arms_by_their_weights() -> None:
    drawn = Counter(experiments.draw(DUEL, f"session:{n}") for n in range(8000))

    assert drawn[B] / 8000 == pytest.approx(0.75, abs=0.02)
    assert drawn[A] + drawn[B] == 8000


def test_another_experiment_draws_independently() -> None:
    other = msgspec.structs.replace(DUEL, key=b"o" * 32)
    both = Counter(
        (experiments.draw(DUEL, str(n)) is B, experiments.draw(other, str(n)) is B)
        for n in range(8000)
    )

    assert both[True, True] / 8000 == pytest.approx(0.75 * 0.75, abs=0.02)


def test_an_arm_that_was_halted_gets_no_unit() -> None:
    halted = msgspec.structs.replace(DUEL, arms=(A, msgspec.structs.replace(B, weight=0.0)))
    nothing = msgspec.structs.replace(halted, arms=(msgspec.structs.replace(A, weight=0.0),))

    assert {experiments.draw(halted, str(n)) for n in range(500)} == {A}
    assert experiments.draw(nothing, "x") is None


def test_calls_of_a_session_stay_together_and_others_are_drawn_one_by_one() -> None:
    session = msgspec.structs.replace(NONE, session="s-1")
    together = {arm_of(wishes=session, unit=f"c{n}") for n in range(50)}
    apart = {arm_of(unit=f"c{n}") for n in range(50)}
    by_call = msgspec.structs.replace(DUEL, by_session=False)

    assert len(together) == 1
    assert apart == {"A", "B"}
    assert {arm_of(known=(by_call,), wishes=session, unit=f"c{n}") for n in range(50)} == apart


def test_only_who_leaves_the_choice_to_the_gateway_takes_part() -> None:
    shop = msgspec.structs.replace(DUEL, policy="shop")

    assert arm_of() is not None
    assert arm_of("groq/llama-3.3-70b-versatile") is None
    assert arm_of("auto:cheapest") is None
    assert arm_of(wishes=msgspec.structs.replace(NONE, models=("gpt-4.1",))) is None
    assert arm_of(mode="test") is None
    assert arm_of(under=policy("shop")) is None
    assert arm_of("@shop", known=(shop,), under=policy("shop")) is not None
    assert arm_of(known=(shop,)) is None


def test_an_arm_takes_the_place_of_the_model_or_of_the_policy() -> None:
    chat, night = dry_run.request("auto"), policy("night")
    locked = policy("shop", lock=True)

    as_a = experiments.as_arm(Assigned(DUEL, A), chat, locked, {})
    as_b = experiments.as_arm(Assigned(DUEL, B), chat, locked, {"night": night})
    gone = experiments.as_arm(Assigned(DUEL, B), chat, locked, {})

    assert as_a[0].model == A.model
    assert as_a[1] is not None
    assert not as_a[1].terms.lock
    assert as_b == (chat, night)
    assert gone == (chat, locked)
