"""Everything before the first byte goes to a provider: options, keys, plan, open books."""

import time
from datetime import UTC, date, datetime
from random import Random
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError

from accounts import ids, keyring, projects, tenant_settings
from accounts.callers import Caller
from accounts.errors import GatewayError, InvalidRequest, Unavailable
from billing.facts import CallOpened
from routing import (
    affording,
    dialects,
    experiments,
    labels,
    options,
    policies,
    replaying,
    settlement,
)
from routing.cache.keeping import Hit, Keep, Wanted
from routing.chat import ChatRequest
from routing.errors import Overloaded
from routing.execution.story import Story, Timeouts
from routing.experiments import Errand
from routing.options import Headers, Options
from routing.plan import affinity
from routing.plan import plan as plans
from routing.plan.candidates import Circumstances
from routing.plan.plan import Known, Plan
from routing.policy_terms import PolicyInForce
from routing.providers import overrides, prices
from routing.providers.catalog_index import Catalog
from routing.providers.prices import Prices
from routing.replaying import Replay
from routing.runtime import Runtime, current
from routing.training_data import filters
from routing.training_data.filters import Filter

MOST_OPEN_CALLS = 1000
PROVIDERS_PAGE = "/dashboard/providers/"
TIMEOUTS = Timeouts()


class Asked(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """A request as it reached a door. `began` is on the monotonic clock."""

    call: str  # 22 characters, the call's id
    body_id: str  # the id of the answer's body
    caller: Caller
    endpoint: str
    headers: Headers
    chat: ChatRequest
    made_ms: int  # when the id was made, in Unix milliseconds
    began: float
    errand: Errand | None = None  # a call of our own


async def begin(asked: Asked, runtime: Runtime) -> tuple[Story, Plan] | Replay:
    """Plan the call and open the books, or find its answer in the cache.

    A refusal is booked, too, and raised as GatewayError.
    """
    try:
        return await _begin(asked, runtime)
    except GatewayError as error:
        fact = _fact(asked, options.NONE, asked.caller.project_id, None)
        latency_s = time.monotonic() - asked.began
        settlement.refuse(runtime.ledger, fact, error, latency_s=latency_s)
        raise


async def _begin(asked: Asked, runtime: Runtime) -> tuple[Story, Plan] | Replay:
    if len(runtime.ledger.open_calls) >= MOST_OPEN_CALLS:
        raise Overloaded
    caller, chat = asked.caller, asked.chat
    wishes = options.read(asked.headers, chat.body)
    project = await _project(caller, wishes)
    its, plan = await planned(
        caller, chat, wishes, rng=runtime.rng, unit=asked.call, errand=asked.errand
    )
    if plan.refusal:
        raise plan.refusal
    opening = _fact(asked, wishes, project, plan)
    keep: Keep | None = None
    if not _is_off(caller, "cache_enabled"):
        found = await runtime.cache.look(wanted(asked, wishes, plan))
        if isinstance(found, Hit):
            return await _replay(asked, runtime, found, plan, opening)
        keep = found
    try:
        return await _open(asked, runtime, wishes, its, plan=plan, opening=opening, keep=keep)
    except BaseException:
        if keep:
            keep.abandon()
        raise


async def _open(
    asked: Asked,
    runtime: Runtime,
    wishes: Options,
    its: Circumstances,
    *,
    plan: Plan,
    opening: CallOpened,
    keep: Keep | None,
) -> tuple[Story, Plan]:
    """Reserve what the call may cost, and put it on the books."""
    caller, chat = asked.caller, asked.chat
    payer = affording.payer_of(caller, opening)
    fitted = await affording.fit(runtime.ledger, payer, chat, plan, at=opening.opened_at)
    if fitted.plan is not plan:
        chat, plan = fitted.chat, fitted.plan
        wishes = msgspec.structs.replace(wishes, adapted=(*wishes.adapted, *fitted.adapted))
        opening = _fact(asked, wishes, opening.project, plan)
    conversation = None
    if dialects.must_translate(chat, (candidate.offer for candidate in plan.candidates)):
        conversation = dialects.CALLERS[chat.dialect].converse(chat)  # or refuse it before it opens
    timeouts = _timeouts(plan)
    total_s = min(timeouts.total_s, wishes.timeout_s or timeouts.total_s)
    collects = None
    if not _is_off(caller, "store_content"):
        collects = await _collects(asked, opening)
    story = Story(
        chat=chat,
        caller=caller,
        options=wishes,
        ring=its.ring,
        pool=runtime.pool,
        thoughts=runtime.thoughts,
        health=runtime.health.of(caller.mode, caller.tenant_id),
        books=await affording.admit(runtime.ledger, caller, opening, fitted),
        body_id=asked.body_id,
        strategy=plan.strategy,
        planned_reason=plan.reason,
        session=plan.session,
        today=its.now.date(),
        began=asked.began,
        ends_by=asked.began + total_s,
        timeouts=timeouts,
        conversation=conversation,
        keep=keep,
        collects=collects,
    )
    return story, plan


async def _replay(
    asked: Asked, runtime: Runtime, hit: Hit, plan: Plan, opening: CallOpened
) -> Replay:
    return await replaying.replay(
        runtime.ledger,
        asked.caller,
        opening,
        hit.entry,
        chat=asked.chat,
        body_id=asked.body_id,
        strategy=plan.strategy,
        limits=affording.limits_of(asked.caller),
        began=asked.began,
    )


def wanted(asked: Asked, wishes: Options, plan: Plan) -> Wanted:
    """What the response cache has to know of a call."""
    total_s = _timeouts(plan).total_s
    spent_s = time.monotonic() - asked.began
    return Wanted(
        chat=asked.chat,
        caller=asked.caller,
        endpoint=asked.endpoint,
        wishes=wishes,
        headers=asked.headers,
        policy=plan.policy,
        seconds_left=max(0.0, min(total_s, wishes.timeout_s or total_s) - spent_s),
        is_observed=asked.errand is not None or bool(plan.experiment),
    )


async def planned(
    caller: Caller,
    chat: ChatRequest,
    wishes: Options,
    *,
    rng: Random | None = None,
    unit: str = "",
    errand: Errand | None = None,
) -> tuple[Circumstances, Plan]:
    """The plan of a request, by means where there is no `rng`. Raises GatewayError.

    `unit` is what an experiment draws the arm for, where the request has no session.
    """
    if wishes.simulation and not caller.is_test:
        raise InvalidRequest("x-flo2-simulate works with test keys only.", param="x-flo2-simulate")
    if errand and errand.assigned is None:  # a judge is under nobody's policy
        its, plan = await _drafted(caller, chat, wishes, None, rng)
        return its, experiments.alone(plan)
    known = policies.cached(caller.tenant_id)
    if known is None:
        known = await _policies(caller)
    policy = policies.applying(known, caller, wishes, chat.model)
    if errand:
        assigned = errand.assigned
    else:
        running = await _experiments(caller)
        assigned = experiments.assign(running, caller, wishes, chat.model, policy, unit=unit)
    if assigned is None:
        return await _drafted(caller, chat, wishes, policy, rng)
    try:
        as_arm = experiments.as_arm(assigned, chat, policy, known)
        its, plan = await _drafted(caller, as_arm[0], wishes, as_arm[1], rng)
    except GatewayError:
        if errand:
            raise
    else:
        if errand or not plan.refusal:
            its = msgspec.structs.replace(its, chat=chat)
            plan = experiments.marked(plan, assigned)
            return its, experiments.alone(plan) if errand else plan
    return await _drafted(caller, chat, wishes, policy, rng)  # an experiment makes no call fail


async def _drafted(
    caller: Caller,
    chat: ChatRequest,
    wishes: Options,
    policy: PolicyInForce | None,
    rng: Random | None,
) -> tuple[Circumstances, Plan]:
    its = await _circumstances(caller, chat, wishes)
    plan = plans.draft(
        its,
        catalog=await catalog_of(caller),
        providers_url=settings.FLO2_PUBLIC_URL + PROVIDERS_PAGE,
        policy=policy,
        known=Known(
            rng=rng,
            scorer=await labels.scorer(caller),
            placed=affinity.placed(its, policy),
        ),
    )
    return its, plan


async def _policies(caller: Caller) -> dict[str, PolicyInForce]:
    try:
        return await sync_to_async(policies.load, thread_sensitive=False)(caller.tenant_id)
    except DatabaseError:
        raise Unavailable("The gateway cannot read your policies at the moment.") from None


async def _experiments(caller: Caller) -> experiments.Known:
    """The tenant's running experiments; none where they cannot be read."""
    known = experiments.cached(caller.tenant_id)
    if known is not None:
        return known
    try:
        return await sync_to_async(experiments.load, thread_sensitive=False)(caller.tenant_id)
    except DatabaseError:
        return ()


def _is_off(caller: Caller, switch: str) -> bool:
    """Whether memory knows that the tenant has not switched something on."""
    known = tenant_settings.cached(caller.tenant_id)
    return known is not None and not getattr(known.settings, switch)


async def _collects(asked: Asked, opening: CallOpened) -> Filter | None:
    """What the tenant collects as training data; None where not this call."""
    caller = asked.caller
    known = tenant_settings.cached(caller.tenant_id)
    if known is None:
        try:
            known = await tenant_settings.known(caller.tenant_id)
        except Unavailable:
            return None
    wanted = filters.of(known.settings)
    if wanted is None or asked.errand or asked.chat.kind != "chat":
        return None
    lineage = caller.lineage if opening.key else None
    call, project, policy = ids.decode(asked.call), opening.project, opening.policy
    fits = wanted.takes(call, project=project, lineage=lineage, policy=policy)
    return wanted if fits else None


async def price_function(caller: Caller, today: date) -> Prices:
    """A day's prices for a caller's tenant, read now if they are not in memory."""
    tenant = caller.tenant_id
    if not prices.is_loaded(tenant):
        try:
            await sync_to_async(prices.load, thread_sensitive=False)(tenant)
        except DatabaseError:
            raise Unavailable("The gateway cannot read your prices at the moment.") from None
    return Prices(tenant, today)


async def catalog_of(caller: Caller) -> Catalog:
    """The catalogue as a caller's tenant sees it, read now if it is not in memory."""
    tenant = caller.tenant_id
    if not overrides.is_loaded(tenant):
        try:
            await sync_to_async(overrides.load, thread_sensitive=False)(tenant)
        except DatabaseError:
            raise Unavailable("The gateway cannot read your models at the moment.") from None
    return overrides.catalog(tenant)


async def _circumstances(caller: Caller, chat: ChatRequest, wishes: Options) -> Circumstances:
    now, ring = datetime.now(UTC), keyring.EMPTY
    if not caller.is_test:
        ring = keyring.cached(caller.tenant_id) or await keyring.load(caller.tenant_id)
    return Circumstances(
        chat=chat,
        caller=caller,
        options=wishes,
        ring=ring,
        price_of=await price_function(caller, now.date()),
        now=now,
        health=current().health.of(caller.mode, caller.tenant_id),
    )


async def _project(caller: Caller, wishes: Options) -> UUID:
    """The project of a call: the key's own, the one named, or the default one."""
    if caller.project_id and not wishes.project:
        return caller.project_id
    known = projects.cached(caller.tenant_id, wishes.project)
    project = known or await projects.find_or_make(caller.tenant_id, wishes.project)
    if caller.project_id and project != caller.project_id:
        raise InvalidRequest("This key is bound to another project.", param="x-flo2-project")
    return project


def _timeouts(plan: Plan) -> Timeouts:
    """The usual times, but for what the policy says."""
    own = plan.policy.terms.timeouts if plan.policy else None
    if own is None:
        return TIMEOUTS
    first = own.first_token_s
    return Timeouts(
        connect_s=own.connect_s or TIMEOUTS.connect_s,
        first_token_s=first or TIMEOUTS.first_token_s,
        first_token_long_s=first or TIMEOUTS.first_token_long_s,
        idle_s=own.idle_s or TIMEOUTS.idle_s,
        total_s=own.total_s or TIMEOUTS.total_s,
    )


def _fact(asked: Asked, wishes: Options, project: UUID | None, plan: Plan | None) -> CallOpened:
    caller, chat = asked.caller, asked.chat
    # The clock is read once, for the id: it may be set while the body is read and the plan made.
    at, since_s = asked.made_ms, time.monotonic() - asked.began
    first = plan.candidates[0] if plan else None
    policy = plan.policy if plan else None
    total_s = _timeouts(plan).total_s if plan else TIMEOUTS.total_s
    return CallOpened(
        call=asked.call,
        tenant=caller.tenant_id,
        opened_at=at,
        deadline=at + int((since_s + (wishes.timeout_s or total_s)) * 1000),
        mode=caller.mode,
        endpoint=asked.endpoint,
        requested_model=chat.model,
        key=None if asked.errand or not caller.key else caller.key_id,  # pages have none
        project=project,
        purpose=asked.errand.purpose if asked.errand else "user",
        experiment=asked.errand.label if asked.errand else plan.experiment if plan else "",
        task=labels.task_of(plan.ranking.scorer, chat) if plan and not asked.errand else "",
        stream=chat.stream,
        tags=wishes.tags,
        session=wishes.session,
        targets=(first.target,) if first else (),
        input_estimate=chat.input_tokens,
        expected_cost=first.expected_amount if first else None,
        policy=policy.name if policy else "",
        policy_version=policy.version if policy else None,
    )
