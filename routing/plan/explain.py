"""A plan as data: what `POST /v1/route/explain` answers and the policy page shows. Pure.

Amounts are US dollars as text; what is not known is null.
"""

import math
from decimal import Decimal
from typing import Any

from billing import money
from routing.cache import verdict
from routing.plan import worst_case
from routing.plan.candidates import Candidate, Circumstances
from routing.plan.costs import expected_cost
from routing.plan.plan import Plan
from routing.plan.ranking import NOTHING_KNOWN, Measured
from routing.plan.strategies import balanced
from routing.plan.strategies.balanced import Assessed

LOW_SHARE = 0.9  # of the estimated input, and one token of output: the least a call may cost

Json = dict[str, Any]


def explained(plan: Plan, its: Circumstances, cache: Json | None = None) -> Json:
    """Candidates in the order in which they would be tried, and why the others would not.

    `cache` is what the response cache would say; without it caching counts as switched off.
    """
    policy = plan.policy
    return {
        "requested_model": its.chat.model,
        "strategy": plan.strategy,
        "reason": plan.reason if plan.candidates else "none",
        "policy": policy.name if policy else None,
        "policy_version": policy.version if policy else None,
        "mode": its.caller.mode,
        "class": plan.ranking.scorer.task(its.chat) or None,
        "n_in": its.chat.input_tokens,
        "candidates": _candidates(plan, its),
        "excluded": [
            {"provider": out.provider, "model": out.model, "code": out.code, "detail": out.detail}
            for out in plan.excluded
        ],
        "cache": cache or cache_wish(plan, its, is_enabled=False),
        "race": {"width": plan.race_width} if plan.race_width > 1 else None,
        "hedge": _hedge(plan),
        "experiment": _experiment(plan),
        "refusal": _refusal(plan),
    }


def _experiment(plan: Plan) -> Json | None:
    """The experiment that has drawn the call's arm."""
    shown, _, arm = plan.experiment.partition("/")
    return {"id": shown, "arm": arm} if shown else None


def _candidates(plan: Plan, its: Circumstances) -> list[Json]:
    ranking = plan.ranking
    seconds = ranking.speeds.each(plan.candidates, ranking.chat, None)
    assessed = {id(one.candidate): one for one in balanced.assess(plan.candidates, ranking)}
    measured = ranking.scorer.measured(plan.candidates, ranking.chat)
    return [
        {
            "provider": candidate.provider,
            "model": candidate.model,
            "key_last4": candidate.key.last4 if candidate.key else None,
            **_worth(assessed[id(candidate)], plan),
            "measured": _measured(measured[place]),
            "cost_usd": _costs(candidate, its),
            "seconds": round(took, 3),
            "cached_share": _cached_share(candidate, its),
            "breaker": _breaker(candidate, its),
            "reasons": _reasons(candidate, plan, place),
        }
        for place, (candidate, took) in enumerate(zip(plan.candidates, seconds, strict=True))
    ]


def _worth(assessed: Assessed, plan: Plan) -> Json:
    """What `balanced` weighs, among these candidates; null where nothing is known of quality."""
    if plan.ranking.scorer is NOTHING_KNOWN:
        return {"quality": None, "utility": None, "dominated": None}
    utility = assessed.utility
    return {
        "quality": round(assessed.quality, 4),
        "utility": round(utility, 4) if math.isfinite(utility) else None,
        "dominated": assessed.is_dominated,
    }


def _measured(its: Measured | None) -> Json | None:
    """How the model fared in the tenant's judged pairs; `pairs` null: it is the yardstick."""
    if its is None:
        return None
    return {
        "against": its.rival,
        "pairs": None if its.pairs is None else round(its.pairs, 1),
        "win_or_tie": round(its.win_or_tie, 4),
    }


def _cached_share(candidate: Candidate, its: Circumstances) -> float:
    amounts = its.health.expected(candidate.offer, candidate.key, its.chat, its.options.session)
    return round(amounts.cached / amounts.input, 3) if amounts.input else 0.0


def _costs(candidate: Candidate, its: Circumstances) -> Json:
    """The least, the expected and the most that a first attempt may cost."""
    price = candidate.price
    if price is None:
        return {"low": None, "expected": None, "high": None}
    amounts = its.health.expected(candidate.offer, candidate.key, its.chat, its.options.session)
    least = amounts._replace(
        input=amounts.input * LOW_SHARE, cached=amounts.cached * LOW_SHARE, written=0, output=1
    )
    expected = expected_cost(price, amounts)
    low = min(expected_cost(price, least), expected)
    most = money.from_pico(worst_case.cost(price, its.chat, candidate.offer))
    high = max(most, Decimal(expected))
    return {"low": _usd(low), "expected": _usd(expected), "high": _usd(high)}


def _usd(amount: float | Decimal) -> str:
    return money.plain(money.nearest(Decimal(amount)))


def _breaker(candidate: Candidate, its: Circumstances) -> str:
    """Whether it may be asked now."""
    return "open" if its.health.pause(candidate.offer, candidate.key).seconds > 0 else "closed"


def _reasons(candidate: Candidate, plan: Plan, place: int) -> list[str]:
    """Why it stands where it stands, in codes."""
    reasons = [plan.reason] if place == 0 else []
    if candidate.goes_last:
        reasons.append("doubtful")
    if candidate.price is None:
        reasons.append("price_unknown")
    return reasons


def cache_wish(plan: Plan, its: Circumstances, *, is_enabled: bool) -> Json:
    """Whether such a call would be kept, without a look at what is there."""
    terms = plan.policy.terms if plan.policy else None
    wished = verdict.wished(its.chat, its.options, terms, ())
    if wished.is_on and not is_enabled:
        wished = verdict.NOT_ENABLED
    return {"verdict": "MISS" if wished.is_on else "OFF", "why": wished.why}


def _hedge(plan: Plan) -> Json | None:
    if plan.hedge_after_ms is None:
        return None
    return {"after_ms": plan.hedge_after_ms, "budget": plan.hedge_budget}


def _refusal(plan: Plan) -> Json | None:
    """What a call would be told that nobody can serve."""
    error = plan.refusal
    if error is None:
        return None
    return {"status": error.http_status, "code": error.error_code, "message": str(error)}
