"""Experiments drawn up, started, stopped, promoted and deleted.

Each of these is an action in the caller's transaction and scope, on the audit list and announced.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts import audit, changes
from accounts.audit import Actor
from accounts.errors import Conflict, GatewayError
from accounts.models import Tenant
from accounts.models.project import NAME_PATTERN
from billing.pricing import Price
from routing import experiments, labels, policies, policy_terms, samples
from routing.dry_run import Desk
from routing.experiments import KIND
from routing.judging import forecast
from routing.judging.forecast import Forecast
from routing.models import Arm, Experiment
from routing.plan import plan as plans
from routing.plan.naming import resolve
from routing.policy_terms import WrongFields

MOST_ARMS, MOST_PAIRS, MOST = 5, 20_000, 100
LINE = re.compile("[a-z]+")
ARM_NAME = re.compile(r"[A-Za-z0-9_-]{1,16}\Z")
Problems = dict[str, list[str]]


@dataclass(frozen=True)
class ArmWish:
    name: str
    model: str = ""
    policy: str = ""
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """An experiment as somebody wants it."""

    name: str
    arms: tuple[ArmWish, ...]
    mode: str = "live"
    policy: str = ""
    assignment: str = "session"
    shadow_rate: float = 0.0
    judge_model: str = ""
    judge_instructions: str = ""
    target_pairs: int = 200
    max_judge_spend: Decimal = Decimal(0)
    keeps_examples: bool = False


def draw_up(tenant: Tenant, wish: Wish, *, actor: Actor, now: datetime) -> Experiment:
    """A draft. Raises WrongFields naming each field that is wrong, Conflict."""
    if problems := check(tenant, wish, now=now):
        raise WrongFields(problems)
    if Experiment.objects.for_tenant(tenant).count() >= MOST:
        raise Conflict(f"There are {MOST} experiments already. Delete one.")
    row = Experiment(
        tenant=tenant,
        name=wish.name,
        mode=wish.mode,
        policy=wish.policy,
        assignment=wish.assignment,
        key=secrets.token_bytes(32),
        shadow_rate=wish.shadow_rate,
        judge_model=wish.judge_model,
        judge_instructions=wish.judge_instructions,
        target_pairs=wish.target_pairs,
        max_judge_spend=wish.max_judge_spend,
        keeps_examples=wish.keeps_examples,
        created_by=actor.name,
        created_at=now,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"Somebody has just drawn up an experiment {wish.name!r}.") from None
    Arm.objects.for_tenant(tenant).bulk_create(
        [
            Arm(
                tenant=tenant,
                experiment=row,
                number=number,
                name=arm.name,
                model=arm.model,
                policy=arm.policy,
                weight=arm.weight,
            )
            for number, arm in enumerate(wish.arms)
        ]
    )
    audit.record(tenant, actor=actor, action="experiment.created", subject=wish.name)
    return row


def check(tenant: Tenant, wish: Wish, *, now: datetime) -> Problems:
    """What is wrong with which field."""
    problems: Problems = {}
    desk = Desk(tenant.pk, mode=wish.mode, now=now)
    taken = Experiment.objects.for_tenant(tenant).filter(name=wish.name)
    if not re.match(NAME_PATTERN, wish.name):
        _add(problems, "name", "1 to 64 of a-z, 0-9, dot, dash, underscore.")
    elif taken.exists():
        _add(problems, "name", "There is an experiment of this name.")
    known = {row.policy.name for row in policies.in_force(tenant)}
    if wish.policy and wish.policy not in known:
        _add(problems, "policy", f"There is no policy {wish.policy!r}.")
    _check_arms(wish, desk, known, problems)
    if not 0 <= wish.shadow_rate <= 1:
        _add(problems, "shadow_rate", "A number from 0 to 1.")
    if wish.shadow_rate and not wish.judge_model:
        _add(problems, "judge.model", "Who judges? Or set shadow_rate to 0.")
    if wish.judge_model:
        _check_judge(wish, desk, problems)
    if not 1 <= wish.target_pairs <= MOST_PAIRS:
        _add(problems, "target_pairs", f"A whole number from 1 to {MOST_PAIRS}.")
    return problems


def warnings(tenant: Tenant, wish: Wish, *, now: datetime) -> list[str]:
    """What is allowed, and may mislead."""
    desk = Desk(tenant.pk, mode=wish.mode, now=now)
    judge = _families(desk, wish.judge_model) if wish.judge_model else set()
    found = [
        f"The judge is of the same line of models as arm {arm.name}: judges prefer their own words"
        " by 10 to 25 %. Choose one of a third family."
        for arm in wish.arms
        if arm.model and judge & _families(desk, arm.model)
    ]
    if wish.judge_model and wish.target_pairs < 50:
        found.append("Fewer than 50 pairs never give a verdict.")
    return found


def foresee(tenant: Tenant, wish: Wish, *, now: datetime) -> Forecast:
    """What the judging can see and will cost at most, roughly."""
    desk = Desk(tenant.pk, mode=wish.mode, now=now)
    return forecast.of(
        wish.target_pairs,
        judge=_price(desk, wish.judge_model),
        arms=[_price(desk, arm.model) for arm in wish.arms],
    )


def wish_of(row: Experiment) -> Wish:
    """The terms of an experiment that is there."""
    return Wish(
        name=row.name,
        arms=tuple(
            ArmWish(arm.name, arm.model, arm.policy, arm.weight) for arm in experiments.arms_of(row)
        ),
        mode=row.mode,
        policy=row.policy,
        assignment=row.assignment,
        shadow_rate=row.shadow_rate,
        judge_model=row.judge_model,
        judge_instructions=row.judge_instructions,
        target_pairs=row.target_pairs,
        max_judge_spend=row.max_judge_spend or Decimal(0),
        keeps_examples=row.keeps_examples,
    )


def listed(tenant: Tenant, mode: str = "") -> list[Experiment]:
    rows = Experiment.objects.for_tenant(tenant).order_by("-created_at", "id")
    return list(rows.filter(mode=mode) if mode else rows)


def arms_by_experiment(tenant: Tenant) -> dict[UUID, list[Arm]]:
    """The arms of all experiments, in their order."""
    found: dict[UUID, list[Arm]] = {}
    for arm in Arm.objects.for_tenant(tenant).order_by("experiment_id", "number"):
        found.setdefault(arm.experiment_id, []).append(arm)
    return found


def find(tenant: Tenant, shown: str) -> Experiment:
    """Raises NotFound."""
    try:
        identity = experiments.identity(shown)
    except ValueError:
        identity = None
    return Experiment.objects.for_tenant(tenant).named("experiment", pk=identity)


def start(row: Experiment, *, actor: Actor, now: datetime) -> None:
    """Its arms begin to share calls. Raises Conflict."""
    _lock_all_on_calls_of(row)
    if row.status != Experiment.Status.DRAFT:
        raise Conflict(f"The experiment {row.name!r} is {row.status}: only a draft can be started.")
    same = Experiment.objects.for_tenant(row.tenant_id).filter(
        status=Experiment.Status.RUNNING, policy=row.policy, mode=row.mode
    )
    if other := same.first():
        raise Conflict(f"{other.name!r} runs on the same calls. Stop it first.")
    row.status, row.started_at = Experiment.Status.RUNNING, now
    row.save()
    _done(row, actor, "experiment.started")


def stop(row: Experiment, *, actor: Actor, now: datetime) -> None:
    """Calls go on without it, and every word of its samples is erased. Raises Conflict."""
    _lock(row)
    if row.status != Experiment.Status.RUNNING:
        raise Conflict(f"The experiment {row.name!r} is {row.status}: it does not run.")
    row.status, row.stopped_at = Experiment.Status.STOPPED, now
    row.save()
    samples.erase(row)
    _done(row, actor, "experiment.stopped")


def promote(row: Experiment, name: str, *, actor: Actor, now: datetime) -> policies.Saved:
    """What the arm does becomes the policy, as its next version. Raises NotFound, Conflict."""
    arm = Arm.objects.for_tenant(row.tenant_id).filter(experiment=row).named("arm", name=name)
    if row.status == Experiment.Status.DRAFT:
        raise Conflict("Start the experiment first: nothing is known of its arms.")
    if row.is_running:
        stop(row, actor=actor, now=now)
    target = row.policy or policies.DEFAULT
    if target not in {one.policy.name for one in policies.in_force(row.tenant)}:
        # What applied without a policy: one click leads back to it.
        plain = {"strategy": plans.DEFAULT_STRATEGY}
        policies.save(row.tenant, target, plain, actor=actor, note="As it was without a policy")
    note = f"Promoted: arm {arm.name} of experiment {row.name}"
    saved = policies.save(row.tenant, target, document_of(row, arm), actor=actor, note=note[:200])
    row.promoted = arm.name
    row.save()
    _done(row, actor, "experiment.promoted", arm=arm.name)
    return saved


def document_of(row: Experiment, arm: Arm) -> dict[str, Any]:
    """The policy that does what the arm did. Raises NotFound."""
    if arm.policy:
        return dict(policies.version(policies.find(row.tenant, arm.policy)).document)
    found = {one.policy.name: one.document for one in policies.in_force(row.tenant)}
    base = dict(found.get(row.policy or policies.DEFAULT, {}))
    base.pop("quality", None)
    document = {**base, "strategy": "priority", "targets": [arm.model]}
    policy_terms.read(document)
    return document


def delete(row: Experiment, *, actor: Actor) -> None:
    """With everything that was judged. Raises Conflict while it runs."""
    if row.is_running:
        raise Conflict("Stop the experiment first.")
    subject, tenant = row.name, row.tenant
    row.delete()
    audit.record(tenant, actor=actor, action="experiment.deleted", subject=subject)
    changes.record(KIND, tenant=tenant.pk)
    changes.record(labels.KIND, tenant=tenant.pk)  # what it taught is forgotten with it


def _lock(row: Experiment) -> None:
    """Whoever writes a sample of it looks first, under the same lock."""
    Experiment.objects.for_tenant(row.tenant_id).select_for_update().filter(pk=row.pk).first()
    row.refresh_from_db(from_queryset=Experiment.objects.for_tenant(row.tenant_id))


def _lock_all_on_calls_of(row: Experiment) -> None:
    """Of experiments on the same calls, one at a time is started."""
    rows = Experiment.objects.for_tenant(row.tenant_id).filter(policy=row.policy, mode=row.mode)
    list(rows.select_for_update().order_by("id"))
    row.refresh_from_db(from_queryset=Experiment.objects.for_tenant(row.tenant_id))


def _done(row: Experiment, actor: Actor, action: str, **details: Any) -> None:
    audit.record(row.tenant, actor=actor, action=action, subject=row.name, **details)
    changes.record(KIND, tenant=row.tenant_id)


def _check_arms(wish: Wish, desk: Desk, known: set[str], problems: Problems) -> None:
    if not 2 <= len(wish.arms) <= MOST_ARMS:
        _add(problems, "arms", f"2 to {MOST_ARMS} arms.")
    names = [arm.name for arm in wish.arms]
    if len(set(names)) != len(names):
        _add(problems, "arms", "Two arms have the same name.")
    for i, arm in enumerate(wish.arms):
        if not ARM_NAME.match(arm.name):
            _add(problems, f"arms.{i}.name", "1 to 16 letters, digits, dashes.")
        if bool(arm.model) == bool(arm.policy):
            _add(problems, f"arms.{i}.model", "Either a model or a policy.")
        if arm.policy and arm.policy not in known:
            _add(problems, f"arms.{i}.policy", f"There is no policy {arm.policy!r}.")
        if arm.model:
            _check_model(arm.model, f"arms.{i}.model", desk, problems)
        if not 0.001 <= arm.weight <= 1000:
            _add(problems, f"arms.{i}.weight", "A number from 0.001 to 1000.")


def _check_model(name: str, place: str, desk: Desk, problems: Problems) -> None:
    if name.startswith(policies.MARK):
        _add(problems, place, "A model's name; a policy stands in its own field.")
        return
    try:
        resolve(name, desk.catalog)
    except GatewayError as problem:
        _add(problems, place, str(problem))


def _check_judge(wish: Wish, desk: Desk, problems: Problems) -> None:
    before = len(problems)
    _check_model(wish.judge_model, "judge.model", desk, problems)
    if len(problems) > before:
        return
    if resolve(wish.judge_model, desk.catalog).is_auto:
        _add(problems, "judge.model", "Name one model: a judge that changes judges nothing.")
    elif _price(desk, wish.judge_model) is None:
        _add(problems, "judge.model", "It has no known price, so that no limit could hold.")
    if wish.shadow_rate and not wish.max_judge_spend:
        _add(problems, "max_judge_spend_usd", "How much may judging cost in all?")


def _price(desk: Desk, model: str) -> Price | None:
    """The dearest known price of a model among those who offer it; None if one has none."""
    if not model:
        return None
    try:
        offers = resolve(model, desk.catalog).offers
    except GatewayError:
        return None
    found = [desk.price_of(offer.provider.slug, offer.model_id) for offer in offers]
    known = [price for price in found if price is not None]
    if not known or (len(offers) == 1 and found[0] is None):
        return None
    return max(known, key=lambda price: price.rates_for(0).output)


def _families(desk: Desk, model: str) -> set[str]:
    """The lines of models behind a name: gpt, claude, llama, by the first word of the name."""
    try:
        offers = resolve(model, desk.catalog).offers
    except GatewayError:
        return set()
    names = [(offer.model.family if offer.model else "") or offer.model_id for offer in offers]
    return {found[0] for name in names if (found := LINE.search(name.rpartition("/")[2].lower()))}


def _add(problems: Problems, place: str, text: str) -> None:
    problems.setdefault(place, []).append(text)
