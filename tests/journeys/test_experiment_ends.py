"""How an experiment ends: an arm is taken out, promoted, and rolled back."""

import time

from accounts import audit
from accounts.tenancy import tenant_scope
from billing import books as booking
from routing import experiment_report, experiments, lab, policies
from tests.factories import billing
from tests.journeys.conftest import Caller
from tests.journeys.experimenting import CEREBRAS, arm_of, ask, reread, run_experiment
from tests.servers import worker
from tests.servers.gateway import wait_for


def test_an_arm_is_promoted_to_a_policy_and_rolled_back(caller: Caller) -> None:
    from django.utils import timezone

    with tenant_scope(caller.tenant.pk):
        policies.save(caller.tenant, "shop", {"strategy": "cheapest"}, actor=audit.SYSTEM)
    row = run_experiment(caller, policy="shop", shadow_rate=0.0, judge_model="")
    assert arm_of(ask(caller, "Hi", model="@shop")) in {"A", "B"}
    assert "experiment" not in ask(caller, "Hi").headers["x-flo2-reason"]

    with tenant_scope(caller.tenant.pk):
        saved = lab.promote(reread(row), "B", actor=audit.SYSTEM, now=timezone.now())
        document = saved.version.document

    assert saved.version.number == 2
    assert document == {"strategy": "priority", "targets": [CEREBRAS]}
    wait_for(
        lambda: ask(caller, "Hi", model="@shop").headers["x-flo2-reason"] == "only_candidate",
        "the policy applies",
        seconds=5,
    )
    assert reread(row).status == "stopped"
    with tenant_scope(caller.tenant.pk):
        back = policies.roll_back(caller.tenant, "shop", 1, actor=audit.SYSTEM)
    assert back.version.document == {"strategy": "cheapest"}


def test_a_promotion_without_a_policy_before_it_can_be_taken_back_too(caller: Caller) -> None:
    from django.utils import timezone

    row = run_experiment(caller, shadow_rate=0.0, judge_model="")
    with tenant_scope(caller.tenant.pk):
        saved = lab.promote(reread(row), "B", actor=audit.SYSTEM, now=timezone.now())
        assert (saved.policy.name, saved.version.number) == ("default", 2)
        back = policies.roll_back(caller.tenant, "default", 1, actor=audit.SYSTEM)
    assert back.version.document == {"strategy": "balanced"}


def test_an_arm_that_fails_much_more_often_is_taken_out_by_itself(caller: Caller) -> None:
    row = run_experiment(caller, shadow_rate=0.0, judge_model="")
    for label, failed in (("A", 0), ("B", 12)):
        for number in range(50):
            settled = {"status": "failed" if number < failed else "succeeded"}
            label_of = f"{row.shown_id}/{label}"
            facts = billing.story(
                caller.tenant, mode="test", experiment=label_of, settled=settled,
                opened_at=int(time.time() * 1000),
            )  # fmt: skip
            booking.book(facts)

    assert worker.run("guard_experiments") == 1
    assert worker.run("guard_experiments") == 0

    with tenant_scope(caller.tenant.pk):
        halted = {arm.name: arm.halted for arm in experiments.arms_of(row)}
    assert halted == {"A": "", "B": "12 of 50 calls failed"}
    wait_for(
        lambda: {arm_of(ask(caller, f"{n}?")) for n in range(8)} == {"A"},
        "nobody falls to the arm any more",
        seconds=10,
    )
    with tenant_scope(caller.tenant.pk):
        told = experiment_report.as_json(experiment_report.of(reread(row)))
    assert told["arms"][1]["halted"] == "12 of 50 calls failed"
    assert told["sample_ratio_mismatch"] is False
