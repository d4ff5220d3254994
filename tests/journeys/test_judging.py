"""A judge who refuses or is not there costs no more than a few tries."""

from decimal import Decimal
from typing import Any

from accounts.tenancy import tenant_scope
from routing.judging import split, waiting
from routing.models import Experiment, Sample
from tests.journeys.conftest import Caller
from tests.journeys.experimenting import (
    ask,
    judgements,
    reread,
    run_experiment,
    samples_of,
    trusted,
)
from tests.servers import worker


def test_a_pair_that_the_judge_refuses_to_read_is_paid_for_once(
    caller: Caller, sandbox: Any
) -> None:
    row = run_experiment(caller)
    ask(caller, "What is one and one?")
    samples_of(row)
    sandbox.fail("openai", "400")

    assert worker.run("judge_waiting_samples") == 1

    assert len(judgements(row, "dropped")) == 1
    assert judgements(row, "canary") == []  # it has read none of them
    assert reread(row).judging_ended == ""
    assert samples_of(row)[0].content is None


def test_a_judge_who_is_never_there_is_asked_a_few_times(caller: Caller, sandbox: Any) -> None:
    row = run_experiment(caller)
    trusted(row)
    ask(caller, "What is one and one?")
    samples_of(row)
    sandbox.fail("openai", "503")

    assert worker.run("judge_waiting_samples") == 0
    (waits,) = samples_of(row)
    assert (waits.state, waits.tries) == ("waiting", 1)
    assert waits.reserved == spent_on(row) > 0
    with tenant_scope(row.tenant_id):
        tried = Sample.objects.for_tenant(row.tenant_id)
        tried.update(tries=waiting.MOST_TRIES - 1, claimed_until=None)
    assert worker.run("judge_waiting_samples") == 1

    assert [one.cost for one in judgements(row, "dropped")] == [spent_on(row) - waits.reserved]
    assert samples_of(row)[0].content is None


def spent_on(row: Experiment) -> Decimal:
    """As the ledger has it."""
    with tenant_scope(row.tenant_id):
        told = split.spent(reread(row))
    return told.judge + told.shadow
