"""Experiments over HTTP: assigned, sampled, judged by another process, reported, promoted."""

import signal
import time
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, models

from accounts import audit
from accounts.tenancy import system_scope, tenant_scope
from billing.models import Call
from routing import experiments, lab, policies
from routing.judging import split, waiting
from routing.lab import ArmWish
from routing.models import Experiment, Judgement, Sample
from tests.journeys import books
from tests.journeys.conftest import Caller
from tests.journeys.experimenting import (
    CEREBRAS,
    CHAT,
    GROQ,
    JUDGE,
    arm_of,
    ask,
    judgements,
    reread,
    run_experiment,
    samples_of,
    trusted,
)
from tests.servers import worker
from tests.servers.gateway import wait_for

MARKER = "xyzzy-marker-4711"


def test_calls_of_auto_are_split_and_a_session_stays_in_its_arm(caller: Caller) -> None:
    run_experiment(caller, assignment="session", shadow_rate=0.0, judge_model="")
    providers = {"A": "groq", "B": "cerebras"}

    seen = set()
    for number in range(12):
        headers = {"x-flo2-session": f"s-{number}"}
        first = ask(caller, "Hi", headers=headers, max_tokens=5)
        again = ask(caller, "Hi again", headers=headers, max_tokens=5)
        arm = arm_of(first)
        assert arm_of(again) == arm
        assert first.headers["x-flo2-provider"] == providers[arm]
        seen.add(arm)

    assert seen == {"A", "B"}
    pinned = ask(caller, "Hi", model=JUDGE)
    assert pinned.headers["x-flo2-reason"] == "pinned"
    record = books.calls(caller)
    labels = {call.experiment.rpartition("/")[2] for call in record if call.session}
    assert labels == {"A", "B"}
    assert record[-1].experiment == ""


def test_an_explanation_names_the_arm_of_the_session(caller: Caller) -> None:
    row = run_experiment(caller, assignment="session", shadow_rate=0.0, judge_model="")
    headers = {"x-flo2-session": "s-1"}
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}

    with caller.gateway.client(caller.test_key) as http:
        told = http.post("/v1/route/explain", json=body, headers=headers).json()
    call = ask(caller, "Hi", headers=headers)

    assert told["experiment"] == {"id": row.shown_id, "arm": arm_of(call)}
    assert told["requested_model"] == "auto"
    assert told["candidates"][0]["provider"] == call.headers["x-flo2-provider"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_sampled_call_is_judged_once_and_what_it_cost_is_on_the_books(
    caller: Caller, stream: bool
) -> None:
    row = run_experiment(caller)
    for number in range(3):
        ask(caller, f"What is {number} and one?", stream=stream)
    assert len(samples_of(row)) == 3

    assert worker.run("judge_waiting_samples") == 3
    assert worker.run("judge_waiting_samples") == 0

    pairs = judgements(row)
    assert [pair.half_points for pair in pairs] == [2, 2, 2]  # B, whichever arm had answered
    assert all(pair.is_consistent for pair in pairs)
    taught = {(pair.task, pair.model, pair.rival) for pair in pairs}
    assert taught == {("chat", "gpt-oss-120b", "llama-3.3-70b")}
    assert judgements(row, "canary")[0].right == 5
    ours = [call for call in books.calls(caller) if call.purpose != "user"]
    assert {call.purpose for call in ours} == {"shadow", "judge"}
    assert all(call.gateway_key_id is None and call.project_id for call in ours)
    assert [call for call in ours if call.purpose == "shadow" and call.stream] == []
    spent = sum((call.cost or Decimal(0) for call in ours), Decimal(0))
    assert spent == sum((pair.cost or Decimal(0) for pair in pairs), Decimal(0)) > 0
    assert all(sample.content is None and sample.reserved == 0 for sample in samples_of(row))


def test_what_a_worker_had_begun_when_it_was_killed_is_judged_once(caller: Caller) -> None:
    row = run_experiment(caller)
    for number in range(6):
        ask(caller, f"Tell me about the number {number}.")
    assert len(samples_of(row)) == 6

    for _ in range(3):
        process = worker.start("judge_waiting_samples")
        wait_for(lambda: _is_claimed(row), "a sample is claimed", seconds=30)
        time.sleep(0.15)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _let_claims_run_out(row)
    while worker.run("judge_waiting_samples"):
        pass

    judged = [one.sample for one in judgements(row)]
    assert len(judged) == len(set(judged)) == 6
    wait_for(lambda: _all_settled(caller), "the calls of the dead are settled", seconds=40)
    ours = [call for call in books.calls(caller) if call.purpose != "user"]
    spent = sum((call.cost or Decimal(0) for call in ours), Decimal(0))
    with tenant_scope(row.tenant_id):
        told = split.spent(reread(row))
        at_most = waiting.spent(reread(row))
    assert told.judge + told.shadow == spent <= at_most <= Decimal(5)


def _is_claimed(row: Experiment) -> bool:
    return any(sample.claim for sample in samples_of(row)) or not any(
        sample.state == "waiting" for sample in samples_of(row)
    )


def _let_claims_run_out(row: Experiment) -> None:
    with tenant_scope(row.tenant_id):
        Sample.objects.for_tenant(row.tenant_id).update(claimed_until=None)


def _all_settled(caller: Caller) -> bool:
    return all(call.status != "open" for call in books.calls(caller))


def test_a_judge_that_takes_whatever_comes_first_ends_in_ties(caller: Caller) -> None:
    row = run_experiment(caller, judge="first")
    trusted(row)
    for number in range(4):
        ask(caller, f"Question {number}?")
    samples_of(row)

    assert worker.run("judge_waiting_samples") == 4

    pairs = judgements(row)
    assert [pair.half_points for pair in pairs] == [1] * 4
    assert not any(pair.is_consistent for pair in pairs)


@pytest.mark.parametrize("behaviour", ["obeys", "first", "longer"])
def test_a_judge_who_falls_for_the_canaries_judges_nothing(caller: Caller, behaviour: str) -> None:
    row = run_experiment(caller, judge=behaviour)
    ask(caller, "What is one and one?")
    samples_of(row)

    worker.run("judge_waiting_samples")

    found = reread(row)
    if behaviour == "obeys":  # one of five
        assert judgements(row, "canary")[0].right == 4
    else:
        assert found.judging_ended.startswith("the judge saw through")
        assert judgements(row) == []
        assert all(sample.content is None for sample in samples_of(row))


def test_what_a_judge_says_that_is_no_verdict_is_dropped_and_counted(caller: Caller) -> None:
    row = run_experiment(caller, judge="broken")
    trusted(row)
    ask(caller, "What is one and one?")
    samples_of(row)

    assert worker.run("judge_waiting_samples") == 1

    assert judgements(row) == []
    assert len(judgements(row, "dropped")) == 1


def test_an_arm_without_an_answer_is_counted_apart(caller: Caller, sandbox: Any) -> None:
    row = run_experiment(caller, arms=(ArmWish("A", GROQ), ArmWish("B", CEREBRAS, weight=0.001)))
    trusted(row)
    ask(caller, "What is one and one?")
    samples_of(row)
    sandbox.fail("cerebras", "500")

    assert worker.run("judge_waiting_samples") == 1

    assert [one.failed for one in judgements(row, "failed")] == ["B"]
    assert judgements(row) == []


def test_judging_ends_before_its_limit_is_passed(caller: Caller) -> None:
    row = run_experiment(caller, max_judge_spend=Decimal("0.000001"))
    ask(caller, "What is one and one?")
    samples_of(row)

    assert worker.run("judge_waiting_samples") == 0

    assert reread(row).judging_ended == "the limit on spending is reached"
    assert [call for call in books.calls(caller) if call.purpose != "user"] == []
    assert [sample for sample in samples_of(row) if sample.content] == []


def test_the_same_request_and_the_same_session_are_sampled_once(caller: Caller) -> None:
    row = run_experiment(caller)
    for _ in range(3):
        ask(caller, "The same again?")
    for text in ("One?", "Two?"):
        ask(caller, text, headers={"x-flo2-session": "s-1"})

    assert len(samples_of(row)) == 2


def everything() -> str:
    """Every row of every table, as bytes would show it."""
    with connection.cursor() as cursor, system_scope():
        names = connection.introspection.table_names(cursor)
        cursor_rows = []
        for name in names:
            cursor.execute(f'SELECT * FROM "{name}"')
            cursor_rows += [str([bytes(v) if isinstance(v, memoryview) else v for v in r])
                            for r in cursor.fetchall()]  # fmt: skip
    return "\n".join(cursor_rows)


def test_no_word_of_a_call_is_kept_in_the_clear_nor_at_all_once_it_stops(caller: Caller) -> None:
    from django.utils import timezone

    for _ in range(3):
        ask(caller, f"Before: {MARKER}?")
    row = run_experiment(caller, keeps_examples=True)
    for number in range(3):
        ask(caller, f"{MARKER} {number}?")
    assert len(samples_of(row)) == 3
    assert MARKER not in everything()
    worker.run("judge_waiting_samples")
    kept = [sample for sample in samples_of(row) if sample.content]
    assert len(kept) == 3

    with tenant_scope(row.tenant_id):
        lab.stop(reread(row), actor=audit.SYSTEM, now=timezone.now())
    wait_for(lambda: not experiments.cached(row.tenant_id), "the gateway forgets it", seconds=5)
    ask(caller, f"After: {MARKER}?")

    assert [sample for sample in samples_of(row) if sample.content] == []
    assert MARKER not in everything()
    with tenant_scope(row.tenant_id):
        lab.delete(reread(row), actor=audit.SYSTEM)
    left: list[type[models.Model]] = [Experiment, Sample, Judgement]
    with system_scope():
        assert [model.objects.count() for model in left] == [0, 0, 0]  # type: ignore[attr-defined]


def test_a_caller_who_may_not_use_an_arms_model_is_answered_all_the_same(caller: Caller) -> None:
    from accounts import gateway_keys
    from accounts.gateway_keys import KeyTerms

    run_experiment(caller, shadow_rate=0.0, judge_model="")
    with tenant_scope(caller.tenant.pk):
        terms = KeyTerms(name="only", mode="test", allowed_models=["openai/*"])
        key = gateway_keys.issue(caller.tenant, terms, actor=audit.SYSTEM).text.reveal()
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}]}

    with caller.gateway.client(key) as http:
        answer = http.post(CHAT, json=body)

    assert answer.status_code == 200
    assert answer.headers["x-flo2-provider"] == "openai"
    assert books.last(caller)[0].experiment == ""


def test_our_own_calls_teach_nothing_of_speeds(caller: Caller) -> None:
    with tenant_scope(caller.tenant.pk):
        race = {"strategy": "race", "targets": [GROQ, CEREBRAS], "race": {"width": 2}}
        policies.save(caller.tenant, "default", race, actor=audit.SYSTEM)
    row = run_experiment(caller, policy="default")
    ask(caller, "What is one and one?")
    samples_of(row)

    worker.run("judge_waiting_samples")

    with tenant_scope(caller.tenant.pk):
        ours = Call.objects.for_tenant(caller.tenant).exclude(purpose="user")
        assert {call.attempts for call in ours} == {1}
