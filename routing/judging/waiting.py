"""The queue of samples: claimed, paid for in advance, ended. The row is the queue.

Whoever judges a sample holds its claim for a while; one that dies loses it by time. What a try may
cost is written down before it is spent, and stays written down if the try never ends, so that the
limit holds through any number of deaths. A sample ends once, under the claim that is on the row.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import F, Q, QuerySet, Sum

from accounts import changes, ids
from accounts.tenancy import system_scope, tenant_scope
from billing.money import ZERO
from routing import experiments, labels, samples
from routing.models import Experiment, Judgement, Sample

CLAIM = timedelta(minutes=5)
# After each try that cost something; a sample that could not be judged by then never is.
RESTS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 240))
MOST_TRIES = len(RESTS) + 1
WAITING = Sample.State.WAITING


class JudgingEnds(Exception):
    """No further pair may be judged, and why."""


class ClaimLost(Exception):
    """The sample is not ours any more, or its experiment is over."""


@dataclass
class Claimed:
    """A sample, its experiment, and what this try may have spent."""

    sample: Sample
    experiment: Experiment
    claim: UUID
    reserved: Decimal = ZERO

    @property
    def is_last(self) -> bool:
        """Whether the sample is tried no more, if this try cost something."""
        return self.sample.tries >= MOST_TRIES


def are_any(now: datetime) -> bool:
    with system_scope():
        return _free(now).exists()


def claim(now: datetime, *, lasting: timedelta = CLAIM) -> Claimed | None:
    """The oldest sample that nobody has, now ours; None if there is none."""
    with system_scope():
        for pk in _free(now).order_by("id").values_list("id", flat=True)[:20]:
            mark = ids.new()
            rows = Sample.objects.filter(pk=pk, state=WAITING).filter(_unclaimed(now))
            if rows.update(claim=mark, claimed_until=now + lasting, tries=F("tries") + 1):
                sample = Sample.objects.select_related("experiment").get(pk=pk)
                return Claimed(sample, sample.experiment, mark)
    return None


def reserve(claimed: Claimed, amount: Decimal) -> None:
    """Set money aside before it is spent. Raises ClaimLost, or JudgingEnds at the limit."""
    tenant = claimed.sample.tenant_id
    with tenant_scope(tenant):
        rows = Experiment.objects.for_tenant(tenant).select_for_update()
        experiment = rows.filter(pk=claimed.experiment.pk).first()
        if experiment is None or not experiment.is_running or experiment.judging_ended:
            raise ClaimLost
        if spent(experiment) + amount > (experiment.max_judge_spend or ZERO):
            raise JudgingEnds("the limit on spending is reached")
        if not _set_aside(claimed, amount):
            raise ClaimLost
    claimed.reserved += amount


def spent(experiment: Experiment) -> Decimal:
    """What judging has cost, and may have cost where a try never ended. In the caller's scope."""
    tenant = experiment.tenant_id
    judged = Judgement.objects.for_tenant(tenant).filter(experiment=experiment)
    held = Sample.objects.for_tenant(tenant).filter(experiment=experiment)
    known = judged.aggregate(total=Sum("cost"))["total"] or ZERO
    return known + (held.aggregate(total=Sum("reserved"))["total"] or ZERO)


def finish(
    claimed: Claimed, judgements: list[Judgement], *, cost: Decimal, example: bytes | None
) -> bool:
    """Write what came of a sample and erase its content, at once; False if it was not ours."""
    tenant = claimed.sample.tenant_id
    with tenant_scope(tenant):
        # The experiment first: whoever stops it does so before this or after.
        rows = Experiment.objects.for_tenant(tenant).select_for_update()
        experiment = rows.filter(pk=claimed.experiment.pk).first()
        if experiment is None or not experiment.is_running:
            return False
        if not _set_aside(claimed, -claimed.reserved):
            _give_back(claimed, cost)
            return False
        _mine(claimed).update(
            state=Sample.State.DONE,
            content=example,
            expires_at=claimed.sample.created_at + samples.KEPT_EXAMPLES,
            claim=None,
        )
        Judgement.objects.for_tenant(tenant).bulk_create(judgements)
        changes.record(labels.KIND, tenant=tenant)
    return True


def abandon(claimed: Claimed, cost: Decimal) -> None:
    """Judging has ended meanwhile: only what was spent stays on the row."""
    with tenant_scope(claimed.sample.tenant_id):
        _give_back(claimed, cost)


def postpone(claimed: Claimed, *, now: datetime, cost: Decimal) -> None:
    """Leave a sample for later; what was set aside and not spent is free again.

    A try that cost nothing is none, and the more there were, the longer the next one waits.
    """
    tries = claimed.sample.tries if cost else claimed.sample.tries - 1
    until = now + RESTS[max(0, min(tries, len(RESTS)) - 1)]
    with tenant_scope(claimed.sample.tenant_id):
        if _set_aside(claimed, cost - claimed.reserved):
            _mine(claimed).update(claim=None, claimed_until=until, tries=tries)


def end_judging(experiment: Experiment, reason: str) -> None:
    """Judge no further pair, and forget the samples that wait."""
    tenant = experiment.tenant_id
    with tenant_scope(tenant):
        rows = Experiment.objects.for_tenant(tenant).filter(pk=experiment.pk, judging_ended="")
        if rows.update(judging_ended=reason[:200]):
            waiting = Sample.objects.for_tenant(tenant).filter(experiment=experiment)
            # Those with a try that never ended stay on the books, without their words.
            waiting.filter(state=WAITING, reserved=0).delete()
            waiting.filter(state=WAITING).update(state=Sample.State.DONE, content=None)
            changes.record(experiments.KIND, tenant=tenant)


def forget_expired(now: datetime) -> int:
    """Erase the content of samples whose time or tries are up; how many there were."""
    tried = Q(state=WAITING, tries__gte=MOST_TRIES) & _unclaimed(now)
    with system_scope():
        old = Sample.objects.filter(Q(expires_at__lte=now) | tried).exclude(content=None)
        return old.update(content=None, state=Sample.State.DONE)


def _free(now: datetime) -> QuerySet[Sample]:
    rows = Sample.objects.filter(
        state=WAITING,
        tries__lt=MOST_TRIES,
        expires_at__gt=now,
        experiment__status=Experiment.Status.RUNNING,
        experiment__judging_ended="",
        experiment__tenant__suspended_at=None,
    )
    return rows.filter(_unclaimed(now))


def _unclaimed(now: datetime) -> Q:
    return Q(claimed_until=None) | Q(claimed_until__lte=now)


def _set_aside(claimed: Claimed, amount: Decimal) -> bool:
    """Change what the row says is set aside; False if it is not ours."""
    row = _mine(claimed).select_for_update().first()
    if row is None:
        return False
    return bool(_mine(claimed).update(reserved=(row.reserved or ZERO) + amount))


def _give_back(claimed: Claimed, cost: Decimal) -> None:
    """What this try has set aside becomes what it cost, if nobody else has tried since."""
    rows = Sample.objects.for_tenant(claimed.sample.tenant_id)
    rows = rows.filter(pk=claimed.sample.pk, claim=claimed.claim)
    if row := rows.select_for_update().first():
        rows.update(reserved=(row.reserved or ZERO) - claimed.reserved + cost)


def _mine(claimed: Claimed) -> QuerySet[Sample]:
    rows = Sample.objects.for_tenant(claimed.sample.tenant_id)
    return rows.filter(pk=claimed.sample.pk, state=WAITING, claim=claimed.claim)
