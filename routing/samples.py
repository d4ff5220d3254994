"""What a sampled call said, sealed under its tenant's data key; written, opened and erased.

Rows are written only while their experiment runs, in the same transaction that looks.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db.models import QuerySet

from accounts import tenant_settings, vault
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from routing import experiments
from routing.experiments import Running
from routing.models import Experiment, Sample

USE = b"experiment-sample"
KEPT = timedelta(hours=24)
KEPT_EXAMPLES = timedelta(days=7)
MOST_WAITING = 200  # of an experiment
MOST_EXAMPLES = 20
LARGEST = 256 * 1024  # bytes of request and answer together


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A call as it went over the caller's wire; later the pair that was judged."""

    dialect: str
    body: dict[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    answer: bytes = b""
    stream: bool = False
    provider: str = ""  # that answered
    model: str = ""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A judged pair that is kept to be looked at, and why the judge chose."""

    request: str
    answers: dict[str, str]  # by the arm's name
    reason: str
    outcome: str  # the arm that won, or "tie"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A call that was sampled, on its way to the database."""

    call: UUID
    experiment: Running
    arm: str
    project: UUID | None
    session: str
    began_at: datetime
    content: Content


def save(taken: Taken, *, now: datetime) -> bool:
    """Seal and write a sample, if its experiment still runs and has room for it."""
    sealed = msgspec.msgpack.encode(taken.content)
    if len(sealed) > LARGEST:
        return False
    running, tenant = taken.experiment, taken.experiment.tenant
    with tenant_scope(tenant):
        its = tenant_settings.lock(tenant)
        if its and its.content_since and taken.began_at < its.content_since:
            return False
        rows = Experiment.objects.for_tenant(tenant).select_for_update()
        row = rows.filter(pk=running.id, status=Experiment.Status.RUNNING).first()
        if row is None or row.judging_ended:
            return False
        kept = Sample.objects.for_tenant(tenant)
        if kept.filter(experiment=row, state=Sample.State.WAITING).count() >= MOST_WAITING:
            return False
        request, session = _digests(taken, now)
        seen = kept.filter(experiment=row, request_digest=request)
        if seen.exists() or (
            session and kept.filter(experiment=row, session_digest=session).exists()
        ):
            return False
        Sample.objects.for_tenant(tenant).bulk_create(
            [
                Sample(
                    id=taken.call,
                    tenant_id=tenant,
                    experiment=row,
                    arm=taken.arm,
                    project_id=taken.project,
                    expires_at=now + KEPT,
                    content=seal(tenant, taken.call, sealed),
                    request_digest=request,
                    session_digest=session,
                )
            ],
            ignore_conflicts=True,
        )
    return True


def content_of(sample: Sample) -> Content:
    """What was sampled. Raises SealBroken."""
    return msgspec.msgpack.decode(_open(sample), type=Content)


def example_of(sample: Sample) -> Example:
    """The pair that was kept. Raises SealBroken."""
    return msgspec.msgpack.decode(_open(sample), type=Example)


def seal(tenant: UUID, call: UUID, plain: bytes) -> bytes:
    """In the caller's scope."""
    return vault.seal(plain, data_key=_data_key(tenant), tenant=tenant, use=USE, row=call.bytes)


def erase(experiment: Experiment) -> None:
    """Forget every word of an experiment: of samples that wait, and of examples that are kept.

    That calls were sampled stays known, and what judging them may have cost. A judge who reads one
    right now finds its claim lost, and keeps nothing.
    """
    _erase(Sample.objects.for_tenant(experiment.tenant_id).filter(experiment=experiment))


def erase_all(tenant: UUID) -> int:
    """Forget every word of a tenant's experiments; of how many calls. In the caller's scope.

    The experiments go on. A sample with a try that never ended stays on the books, without words.
    """
    return _erase(Sample.objects.for_tenant(tenant))


def _erase(rows: QuerySet[Sample]) -> int:
    gone = rows.exclude(content=None).count()
    waiting = rows.filter(state=Sample.State.WAITING)
    waiting.filter(reserved=0).delete()
    waiting.update(state=Sample.State.DONE, content=None)
    rows.exclude(content=None).update(content=None)
    return gone


def _open(sample: Sample) -> bytes:
    return vault.open_sealed(
        bytes(sample.content or b""),
        data_key=_data_key(sample.tenant_id),
        tenant=sample.tenant_id,
        use=USE,
        row=sample.pk.bytes,
    )


def _data_key(tenant: UUID) -> bytes:
    masters = vault.master_keys(settings.FLO2_MASTER_KEYS)
    wrapped = Tenant.objects.values_list("sealed_data_key", flat=True).get(pk=tenant)
    return vault.unwrap(bytes(wrapped), tenant=tenant, masters=masters)


def _digests(taken: Taken, now: datetime) -> tuple[bytes, bytes | None]:
    """Of the request, and of the session in this hour; keyed, so that nothing can be read."""
    key = taken.experiment.key
    asked = msgspec.json.encode(taken.content.body, order="deterministic").decode()
    request = experiments.digest(key, f"request:{asked}")
    if not taken.session:
        return request, None
    hour = experiments.hour_of(now)
    return request, experiments.digest(key, f"session:{taken.session}:{hour}")
