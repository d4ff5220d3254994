"""Which arm of an experiment a call belongs to, from memory. Drawing is pure.

In memory like policies: a tenant's running experiments are read once, and again after a change was
announced. A unit, that is a session or a single call, falls to an arm by an HMAC under the
experiment's own key: the same unit always to the same arm, and nobody can tell which beforehand.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from django.db import close_old_connections

from accounts import changes, ids
from accounts.callers import Caller
from accounts.tenancy import tenant_scope
from routing.chat import ChatRequest
from routing.models import Arm, Experiment
from routing.options import Options
from routing.plan.naming import AUTO, POLICY_MARK
from routing.plan.plan import Plan
from routing.policy_terms import PolicyInForce

KIND = "experiment"
PREFIX = "exp"


class RunningArm(msgspec.Struct, frozen=True, gc=False):
    """A model's name, or a policy's."""

    name: str
    model: str
    policy: str
    weight: float  # 0: gets no calls any more


class Running(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A running experiment, as calls meet it."""

    id: UUID
    shown_id: str
    tenant: UUID
    mode: str
    policy: str
    by_session: bool
    key: bytes
    shadow_rate: float  # 0 once nothing is judged any more
    arms: tuple[RunningArm, ...]

    def arm(self, name: str) -> RunningArm | None:
        return next((arm for arm in self.arms if arm.name == name), None)


class Assigned(msgspec.Struct, frozen=True, gc=False):
    """A call's experiment and arm."""

    experiment: Running
    arm: RunningArm

    @property
    def label(self) -> str:
        """As the books have it."""
        return f"{self.experiment.shown_id}/{self.arm.name}"


class Errand(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call of our own, for an experiment: on the books under its purpose, and of no key."""

    purpose: Literal["shadow", "judge"]
    label: str  # as the books have it
    assigned: Assigned | None = None  # the arm that is to answer; None for the judge


Known = tuple[Running, ...]
_by_tenant: dict[UUID, Known] = {}
_last_read: dict[UUID, Known] = {}  # stays until the next reading: calls end after they began


def assign(
    known: Known,
    caller: Caller,
    wishes: Options,
    model: str,
    policy: PolicyInForce | None,
    *,
    unit: str,
) -> Assigned | None:
    """The arm of a call, if an experiment asks for it. Pure.

    Only calls that leave the choice of the model to the gateway take part: those of `auto` and of a
    policy. `unit` is the call, and stands in for its session where it names none.
    """
    if not (model == AUTO or model.startswith(POLICY_MARK)) or wishes.models or wishes.order:
        return None
    name = policy.name if policy else ""
    for experiment in known:
        if experiment.mode == caller.mode and experiment.policy == name:
            session = wishes.session if experiment.by_session else ""
            arm = draw(experiment, f"session:{session}" if session else f"call:{unit}")
            return Assigned(experiment, arm) if arm else None
    return None


def draw(experiment: Running, unit: str) -> RunningArm | None:
    """The arm of a unit, by the weights. Pure. None if no arm takes calls."""
    total = sum(arm.weight for arm in experiment.arms)
    point = chance(experiment.key, unit) * total
    for arm in experiment.arms:
        point -= arm.weight
        if point < 0 and arm.weight:
            return arm
    return None


def chance(key: bytes, what: str) -> float:
    """A number in [0, 1) that depends on nothing but the two. Pure."""
    return int.from_bytes(digest(key, what)[:8]) / 2**64


def digest(key: bytes, what: str) -> bytes:
    return hmac.digest(key, what.encode(), hashlib.sha256)[:16]


def as_arm(
    assigned: Assigned,
    chat: ChatRequest,
    policy: PolicyInForce | None,
    policies: dict[str, PolicyInForce],
) -> tuple[ChatRequest, PolicyInForce | None]:
    """The request and the policy that a call of this arm is planned by. Pure.

    A policy that locks its list gives way: who may run experiments may change it, too. A policy
    that is gone leaves things as they are.
    """
    arm = assigned.arm
    if arm.policy:
        return chat, policies.get(arm.policy, policy)
    if policy and policy.terms.lock:
        terms = msgspec.structs.replace(policy.terms, lock=False)
        policy = msgspec.structs.replace(policy, terms=terms)
    return msgspec.structs.replace(chat, model=arm.model), policy


def marked(plan: Plan, assigned: Assigned) -> Plan:
    """The plan of a call of this arm. Pure."""
    reason = f"experiment:{assigned.arm.name}"
    return msgspec.structs.replace(plan, reason=reason, experiment=assigned.label)


def alone(plan: Plan) -> Plan:
    """The plan of a call of our own: never raced or hedged, leaving no session behind. Pure.

    It has a limit on spending, so that whoever has no known price is asked only if nobody has.
    """
    priced = tuple(one for one in plan.candidates if one.price is not None)
    return msgspec.structs.replace(
        plan,
        candidates=priced or plan.candidates,
        race_width=1,
        hedge_after_ms=None,
        session="",
    )


def cached(tenant: UUID) -> Known | None:
    """A tenant's running experiments, if they are in memory and memory is not cut off."""
    return _by_tenant.get(tenant) if changes.feed.age <= changes.CUT_OFF_SECONDS else None


def load(tenant: UUID) -> Known:
    """Read a tenant's running experiments and keep them in memory. Raises DatabaseError."""
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            known = read(tenant)
    finally:
        close_old_connections()
    _by_tenant[tenant] = _last_read[tenant] = known
    if not known:
        _last_read.pop(tenant, None)
    if changes.feed.generation != generation:  # one may have changed while we read
        _forget(tenant, None)
    return known


def read(tenant: UUID) -> Known:
    """A tenant's running experiments, as the database has them. In the caller's scope."""
    rows = Experiment.objects.for_tenant(tenant).filter(status=Experiment.Status.RUNNING)
    return tuple(running(row, arms_of(row)) for row in rows.order_by("id"))


def arms_of(row: Experiment) -> list[Arm]:
    """The arms in their order; the first is the one that the others are compared with."""
    return list(Arm.objects.for_tenant(row.tenant_id).filter(experiment=row).order_by("number"))


def running(row: Experiment, arms: list[Arm]) -> Running:
    return Running(
        id=row.pk,
        shown_id=row.shown_id,
        tenant=row.tenant_id,
        mode=row.mode,
        policy=row.policy,
        by_session=row.assignment == Experiment.Assignment.SESSION,
        key=bytes(row.key),
        shadow_rate=0.0 if row.judging_ended or not row.judge_model else row.shadow_rate,
        arms=tuple(
            RunningArm(arm.name, arm.model, arm.policy, 0.0 if arm.halted else arm.weight)
            for arm in arms
        ),
    )


def of_label(tenant: UUID, label: str) -> Assigned | None:
    """The experiment and arm that the books name; it ran when this process last read."""
    shown, _, name = label.partition("/")
    for experiment in _last_read.get(tenant, ()):
        if experiment.shown_id == shown and (arm := experiment.arm(name)):
            return Assigned(experiment, arm)
    return None


def hour_of(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H")


def identity(shown: str) -> UUID:
    """The id behind `exp_…`. Raises InvalidId."""
    return ids.decode(shown.removeprefix(f"{PREFIX}_"))


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:
        _by_tenant.clear()
    else:
        _by_tenant.pop(tenant, None)


changes.listen(KIND, _forget)
