"""What an experiment has shown: worked out when there is something new, and not at each look."""

import random
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import ids
from accounts.tenancy import tenant_scope
from billing import books
from routing import experiment_report, experiments
from routing.experiment_report import Deltas
from routing.judging import results, rounds, split
from routing.models import Experiment, Judgement
from tests.factories.accounts import TenantFactory
from tests.factories.billing import story
from tests.factories.experiments import running_experiment

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def row(now: datetime) -> Experiment:
    return running_experiment(TenantFactory.create(), now=now, assignment="call")


def called(row: Experiment, now: datetime, arm: str, *, times: int) -> None:
    at = int(now.timestamp() * 1000) + 1000
    facts = [
        fact
        for _ in range(times)
        for fact in story(
            row.tenant_id, opened_at=at, mode=row.mode, purpose="user",
            experiment=f"{row.shown_id}/{arm}",
        )
    ]  # fmt: skip
    books.book(facts)


def judged(row: Experiment, now: datetime, points: list[int], *, right: int = 5) -> None:
    judgement = {"tenant_id": row.tenant_id, "experiment": row, "challenger": "B", "at": now}
    pairs = [
        Judgement(**judgement, sample=ids.new(), kind="pair", half_points=x, is_consistent=x != 1,
                  style=[0.1, 0, 0, 0])
        for x in points
    ]  # fmt: skip
    canary = Judgement(**judgement, sample=ids.new(), kind="canary", right=right)
    with tenant_scope(row.tenant_id):
        Judgement.objects.for_tenant(row.tenant_id).bulk_create([*pairs, canary])


def deltas_of(row: Experiment) -> Deltas:
    with tenant_scope(row.tenant_id):
        return experiment_report.of(row, resamples=50).deltas["B"]


def test_intervals_are_worked_out_once_for_the_same_calls_and_once_a_minute_for_new_ones(
    row: Experiment, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arm in "AB":
        called(row, now, arm, times=20)
    first = deltas_of(row)
    assert first.cost_ratio is not None
    assert first.cost_ratio.units == 40

    called(row, now, "B", times=1)
    assert deltas_of(row) is first

    monkeypatch.setattr(experiment_report, "FRESH_SECONDS", 0.0)
    second = deltas_of(row)
    assert second.cost_ratio is not None
    assert second.cost_ratio.units == 41
    assert deltas_of(row) is second


@pytest.mark.parametrize("right", [5, 2])
@pytest.mark.parametrize("wins", [0.9, 0.35])
def test_what_ends_the_judging_is_what_the_report_says(
    row: Experiment, now: datetime, right: int, wins: float
) -> None:
    chance = random.Random(4)
    points = [2 if chance.random() < wins else chance.choice((0, 1)) for _ in range(120)]
    judged(row, now, points, right=right)

    with tenant_scope(row.tenant_id):
        arms = experiments.arms_of(row)
        (counted,) = results.standings_of(row, arms)
        (told,) = results.of(results.rows_of(row), arms, split.read(row, arms, measures=False))

    assert (counted.challenger, counted.pairs) == ("B", told.tally.n)
    assert counted.verdict == told.verdict
    assert told.verdict == ("b_better" if (right, wins) == (5, 0.9) else "not_yet")


def test_no_judgement_is_read_again_after_each_pair(row: Experiment, now: datetime) -> None:
    judged(row, now, [0, 2] * 30)

    with CaptureQueriesContext(connection) as queries:
        rounds.conclude(row)

    asked = [query["sql"] for query in queries if "routing_judgement" in query["sql"]]
    assert asked
    assert not [sql for sql in asked if '"style"' in sql]
    assert not [query for query in queries if "billing_call" in query["sql"]]  # nor the calls
