"""The queue of samples: who has one, how often it is tried, and what is left of it then."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts import ids
from accounts.tenancy import tenant_scope
from routing import samples
from routing.judging import rounds, waiting
from routing.judging.waiting import MOST_TRIES, RESTS, Claimed, ClaimLost
from routing.models import Sample
from tests.factories.accounts import TenantFactory
from tests.factories.experiments import running_experiment

pytestmark = pytest.mark.django_db
CENT = Decimal("0.01")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def sample(now: datetime) -> Sample:
    tenant = TenantFactory.create()
    experiment = running_experiment(tenant, now=now)
    with tenant_scope(tenant.pk):
        return Sample.objects.for_tenant(tenant).create(
            id=ids.new(), tenant=tenant, experiment=experiment, arm="A", created_at=now,
            expires_at=now + timedelta(days=1), content=b"sealed", request_digest=b"r" * 16,
        )  # fmt: skip


def claimed(now: datetime) -> Claimed:
    found = waiting.claim(now)
    assert found is not None
    return found


def reread(sample: Sample) -> Sample:
    with tenant_scope(sample.tenant_id):
        return Sample.objects.for_tenant(sample.tenant_id).get(pk=sample.pk)


def test_each_try_that_cost_something_makes_the_next_one_wait_longer(
    sample: Sample, now: datetime
) -> None:
    for rest in RESTS:
        waiting.postpone(claimed(now), now=now, cost=CENT)
        assert waiting.claim(now + rest - timedelta(seconds=1)) is None
        now += rest

    last = claimed(now)

    assert last.is_last
    assert last.sample.tries == MOST_TRIES
    assert reread(sample).reserved == CENT * len(RESTS)


def test_a_try_that_cost_nothing_is_none(sample: Sample, now: datetime) -> None:
    for _ in range(2 * MOST_TRIES):
        waiting.postpone(claimed(now), now=now, cost=Decimal(0))
        now += RESTS[0]

    assert not claimed(now).is_last


def test_words_that_were_tried_often_enough_are_erased(sample: Sample, now: datetime) -> None:
    with tenant_scope(sample.tenant_id):
        Sample.objects.for_tenant(sample.tenant_id).update(tries=MOST_TRIES - 1)
    claimed(now)  # by somebody who dies

    assert waiting.forget_expired(now) == 0
    assert waiting.forget_expired(now + waiting.CLAIM) == 1
    assert waiting.claim(now + waiting.CLAIM) is None
    assert reread(sample).content is None


def test_content_that_is_deleted_leaves_figures_alone(sample: Sample, now: datetime) -> None:
    """Of a pair that is being judged, one that waits, and one that is kept as an example."""
    mine = claimed(now)
    waiting.reserve(mine, CENT)
    waits, example = another(sample, 1), another(sample, 2, state="done")

    with tenant_scope(sample.tenant_id):
        samples.erase(mine.experiment)

    with tenant_scope(sample.tenant_id):
        left = Sample.objects.for_tenant(sample.tenant_id)
        assert {row.pk for row in left} == {sample.pk, example.pk}
        assert not left.exclude(content=None).exists()
        assert not left.filter(pk=waits.pk).exists()
        assert waiting.spent(mine.experiment) == CENT
    with pytest.raises(ClaimLost):
        waiting.reserve(mine, CENT)
    assert not waiting.finish(mine, [], cost=CENT / 2, example=b"sealed")
    assert reread(sample).content is None
    with tenant_scope(sample.tenant_id):
        assert waiting.spent(mine.experiment) == CENT / 2


def another(sample: Sample, number: int, *, state: str = "waiting") -> Sample:
    with tenant_scope(sample.tenant_id):
        return Sample.objects.for_tenant(sample.tenant_id).create(
            id=ids.new(), tenant_id=sample.tenant_id, experiment=sample.experiment, arm="A",
            expires_at=sample.expires_at, content=b"sealed", state=state,
            request_digest=bytes([number]) * 16,
        )  # fmt: skip


def test_a_database_that_is_locked_for_a_moment_ends_no_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def claim(_: datetime) -> None:
        asked.append(1)
        if len(asked) == 1:
            raise OperationalError("database is locked")

    monkeypatch.setattr(waiting, "claim", claim)

    assert asyncio.run(rounds.run()) == 0
    assert len(asked) == rounds.AT_ONCE
