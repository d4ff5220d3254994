"""The plan of a call: candidates in the order they will be tried, and why not the others. Pure.

`make` serves live calls, `draft` explanations: the same choice, with chance or with means.
"""

import random
from collections.abc import Sequence

import msgspec

from accounts.errors import GatewayError, InvalidRequest
from routing.options import Options
from routing.plan import affinity, pool, refusals
from routing.plan.affinity import Placed
from routing.plan.candidates import (
    ALL_OPEN,
    Candidate,
    Circumstances,
    Excluded,
    least_bad,
)
from routing.plan.naming import AUTO, POLICY_MARK, SUFFIXES, Wanted, resolve
from routing.plan.pool import Group, Situation
from routing.plan.ranking import NOTHING_KNOWN, Ranking, Scorer
from routing.plan.strategies import ORDERS, proven
from routing.policy_terms import LISTED, USUAL_RACE, HedgeAfter, PolicyInForce, Terms
from routing.providers.catalog_index import Catalog

DEFAULT_STRATEGY = "balanced"
MOST_ATTEMPTS = 8
SORTS = {"": "", "price": "cheapest", "latency": "fastest", "throughput": "throughput"}
NO_POLICY = Terms()


class Known(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What is known besides the circumstances. Without `rng` means take the place of draws."""

    rng: random.Random | None = None
    scorer: Scorer = NOTHING_KNOWN
    placed: Placed | None = None  # where the request's session was answered last


NOTHING = Known()


class Plan(msgspec.Struct, frozen=True, eq=False, gc=False):
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    strategy: str
    reason: str
    ranking: Ranking
    policy: PolicyInForce | None = None
    race_width: int = 1  # so many of the first candidates are asked at once
    hedge_after_ms: HedgeAfter | None = None  # when the next one is asked beside a silent one
    hedge_budget: float = 0.1  # hedges per call of a tenant
    retries: int = 1  # on the same candidate
    session: str = ""  # to remember the candidate under that answers, if any
    experiment: str = ""  # exp_…/arm, if the call takes part in one
    refusal: GatewayError | None = None  # where there is no candidate


def make(
    its: Circumstances,
    *,
    catalog: Catalog,
    providers_url: str,
    policy: PolicyInForce | None = None,
    known: Known = NOTHING,
) -> Plan:
    """Plan a call. Raises the GatewayError that tells why nobody can serve it."""
    plan = draft(its, catalog=catalog, providers_url=providers_url, policy=policy, known=known)
    if plan.refusal:
        raise plan.refusal
    return plan


def draft(
    its: Circumstances,
    *,
    catalog: Catalog,
    providers_url: str,
    policy: PolicyInForce | None = None,
    known: Known = NOTHING,
) -> Plan:
    """The plan, even if nobody can serve the call. Raises GatewayError for what makes no sense."""
    terms = policy.terms if policy else NO_POLICY
    options = its.options
    name = its.chat.model
    wanted = resolve(AUTO if name.startswith(POLICY_MARK) else name, catalog)
    pool.check_slugs(options, catalog)
    pool.check_kind(its.chat, options)
    if policy and terms.lock:
        _check_lock(policy, wanted, options)
    strategy = wanted.strategy or SORTS[options.sort] or terms.strategy or DEFAULT_STRATEGY
    situation = Situation(its, catalog, terms)
    most = _most_looked_at(its, terms, known)
    ranking = _ranking(situation, strategy, known, most)
    first = situation.first(wanted)
    chosen, excluded = _ranked(first, situation, ranking, strategy, most)
    reason = _reason(wanted, strategy, ranking, chosen)
    if terms.sticky and known.placed and chosen:
        ranked = affinity.kept(chosen, known.placed, ranking, strategy)
        if ranked is not chosen:
            chosen, reason = ranked, "sticky"
    chosen = pool.ordered(chosen, options)
    for group in situation.others():
        found, out = _ranked(group, situation, ranking, strategy, most)
        chosen += pool.ordered(found, options)
        excluded += out
    if not chosen and (chosen := least_bad(excluded)):
        reason = ALL_OPEN
        excluded = [out for out in excluded if out.resting is not chosen[0]]
    candidates = pool.once(chosen)
    if its.chat.kind == "embedding":
        candidates, out = pool.of_one_model(candidates)
        excluded += out
    candidates = candidates[: MOST_ATTEMPTS if options.allow_fallbacks else 1]
    if len(candidates) == 1 and reason not in {"pinned", ALL_OPEN}:
        reason = "only_candidate"
    return Plan(
        candidates=tuple(candidates),
        excluded=tuple(pool.once_excluded(excluded, candidates)),
        strategy=strategy,
        reason=reason,
        ranking=ranking,
        policy=policy,
        race_width=min(_race_width(options, terms, strategy), max(1, len(candidates))),
        hedge_after_ms=options.hedge_ms or terms.hedge_after_ms,
        hedge_budget=terms.hedge_budget,
        retries=terms.retries,
        session=ranking.session,
        refusal=(
            None if candidates else refusals.of(wanted.name, excluded, catalog, providers_url)
        ),
    )


def _most_looked_at(its: Circumstances, terms: Terms, known: Known) -> int | None:
    """So many of a group's candidates are enough; None where something picks from all of them."""
    is_picked = its.options.order or (terms.sticky and known.placed)
    return None if is_picked or its.chat.kind == "embedding" else MOST_ATTEMPTS


def _ranked(
    group: Group, situation: Situation, ranking: Ranking, strategy: str, most: int | None
) -> tuple[list[Candidate], list[Excluded]]:
    """The candidates of a group in their order, the first so many or all, and what is excluded."""
    lineup, excluded = situation.fill(group, ranking)
    order = list(range(len(lineup.candidates)))
    if len(order) > 1:
        name = _order_of(group.strategy or strategy, ranking)
        order = lineup.doubtful_last(ORDERS[name](lineup, ranking))
    # Where a target may stand there twice, it is not yet known how many there are.
    return lineup.chosen(order if lineup.has_rivals else order[:most]), excluded


def _order_of(strategy: str, ranking: Ranking) -> str:
    """A race starts the first of the policy's list, or the fastest."""
    if strategy == "balanced" and ranking.good_enough is not None:
        return "good_enough"
    if strategy != "race":
        return strategy
    return "priority" if ranking.places else "fastest"


def _ranking(situation: Situation, strategy: str, known: Known, most: int | None) -> Ranking:
    its, terms = situation.its, situation.terms
    is_listed = strategy in LISTED or strategy == "race"
    return Ranking(
        chat=its.chat,
        rng=known.rng,
        speeds=its.health,
        scorer=known.scorer,
        most=most,
        session=affinity.session_of(its.options.session, its.chat.body) if terms.sticky else "",
        quality=terms.quality,
        good_enough=terms.good_enough,
        weights=situation.named.weights if is_listed else {},
        places=situation.named.places if is_listed else {},
    )


def _reason(wanted: Wanted, strategy: str, ranking: Ranking, chosen: Sequence[Candidate]) -> str:
    """Why the first one is the first, in the words of `x-flo2-reason`."""
    if wanted.is_pinned:
        return "pinned"
    order = _order_of(strategy, ranking)
    if order == "good_enough" and 0 not in proven.enough(chosen, ranking):
        return "balanced"
    return "fastest" if order == "throughput" else order


def _race_width(options: Options, terms: Terms, strategy: str) -> int:
    if options.race:
        return options.race
    return terms.race_width or (USUAL_RACE if strategy == "race" else 1)


def _check_lock(policy: PolicyInForce, wanted: Wanted, options: Options) -> None:
    """What a locked policy decides, a request cannot decide otherwise. It may ask for less."""
    asked = {
        f"a strategy by its model's name ({', '.join(SUFFIXES)}, auto:…)": wanted.strategy,
        "models": options.models,
        "provider.order": options.order,
        "provider.sort": options.sort,
        "x-flo2-race": options.race,
        "x-flo2-hedge-ms": options.hedge_ms,
    }
    for option, wish in asked.items():
        if wish:
            raise InvalidRequest(
                f"The policy {policy.name!r} is locked: no request may set {option}."
            )
