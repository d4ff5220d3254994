"""What the last days would have cost under a draft of a policy, how long calls would have taken,
and how often the first try would have failed. An estimate, with its basis.

Only metadata is read. Cost is today's price of the target that would be chosen, for the tokens that
were used; time is drawn from calls which that target answered; errors are its failed attempts of
the same hour. Intervals are a bootstrap by session, since calls of a session are alike.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Sum

from accounts.errors import GatewayError
from billing import books, money, pricing
from billing.latency import percentile
from billing.models import Attempt, Call, SpendDelta, SpendHour
from billing.usage import Usage
from routing import dry_run
from routing.dry_run import Desk
from routing.options import Options
from routing.plan.candidates import Candidate
from routing.policy_terms import PolicyInForce

MOST_CALLS, MOST_DAYS = 2000, 90
RESAMPLES = 200
ENDPOINTS = ("chat", "messages", "responses")

Target = tuple[str, str]  # provider, model
Json = dict[str, Any]


class Pair(NamedTuple):
    """A call as it was and as it would be. None: not known."""

    cluster: str  # its session, or the call alone
    cost: tuple[float, float] | None  # USD
    latency_ms: tuple[int, int] | None
    errors: tuple[float, float] | None  # chance that the first try fails


@dataclass(frozen=True)
class Past:
    """What is known of the period."""

    calls: list[Call]
    is_of_policy: bool  # only calls that were made by the policy of this name
    first_targets: dict[UUID, Target]
    latencies: dict[Target, list[int]]
    error_rates: dict[tuple[Target, datetime | None], float]  # None: the whole period


def of_policy(desk: Desk, name: str, policy: PolicyInForce, *, days: int) -> Json:
    """Replay a tenant's last calls under this policy. In the caller's scope."""
    past = _past(desk, name, desk.now - timedelta(days=days))
    rng = random.Random(0)  # noqa: S311  the same answer each time
    pairs: list[Pair] = []
    before, after = Counter[str](), Counter[str]()
    unservable = 0
    for call in past.calls:
        found = _chosen(desk, call, policy, rng)
        if found is None:
            unservable += 1
            continue
        chosen, longer = found
        before[f"{call.provider}/{call.model}"] += 1
        after[chosen.target] += 1
        pairs.append(_pair(desk, call, chosen, longer=longer, past=past, rng=rng))
    moved = sum(((after - before) + Counter()).values())
    return {
        "estimate": True,
        "days": days,
        "mode": desk.caller.mode,
        "basis": {
            "calls": len(past.calls),
            "of": f"policy {name}" if past.is_of_policy else "all calls",
            "is_sample": len(past.calls) == MOST_CALLS,
            "unservable": unservable,
            "priced_share": _share(pair.cost for pair in pairs),
            "never_seen_share": 1 - _share(pair.latency_ms for pair in pairs) if pairs else 0.0,
            "prices": "today's",
            "output": "as used, times what the chosen model usually writes more or less",
            "interval": "95 %, bootstrap by session",
        },
        "moved_share": round(moved / len(pairs), 4) if pairs else 0.0,
        "targets": _targets(before, after),
        "cost_usd": _compared(pairs, "cost", sum, _usd),
        "latency_p50_ms": _compared(pairs, "latency_ms", _p50, round),
        "latency_p95_ms": _compared(pairs, "latency_ms", _p95, round),
        "error_rate": _compared(pairs, "errors", _mean, lambda value: round(value, 5)),
    }


def _past(desk: Desk, name: str, since: datetime) -> Past:
    tenant, mode = desk.caller.tenant_id, desk.caller.mode
    rows = Call.objects.for_tenant(tenant).filter(
        mode=mode, purpose="user", status="succeeded", endpoint__in=ENDPOINTS, created_at__gte=since
    )
    rows = rows.exclude(provider="").exclude(cache="hit").order_by("-id")
    own = list(rows.filter(policy=name)[:MOST_CALLS])
    calls = own or list(rows[:MOST_CALLS])
    latencies: defaultdict[Target, list[int]] = defaultdict(list)
    for call in calls:
        if call.attempts == 1:
            latencies[call.provider, call.model].append(call.latency_ms)
    several = [call.id for call in calls if call.attempts > 1]
    firsts = Attempt.objects.for_tenant(tenant).filter(number=1, call_id__in=several)
    return Past(
        calls=calls,
        is_of_policy=bool(own),
        first_targets={
            call: (provider, model)
            for call, provider, model in firsts.values_list("call_id", "provider", "model")
        },
        latencies=latencies,
        error_rates=_error_rates(tenant, mode, since),
    )


def _error_rates(
    tenant: UUID, mode: str, since: datetime
) -> dict[tuple[Target, datetime | None], float]:
    counts: defaultdict[tuple[Target, datetime | None], list[int]] = defaultdict(lambda: [0, 0])
    for model in (SpendHour, SpendDelta):
        rows = model.objects.for_tenant(tenant).filter(mode=mode, hour__gte=since)
        summed = rows.order_by().values_list("provider", "model", "hour")
        for provider, name, hour, attempts, failed in summed.annotate(
            Sum("attempts"), Sum("failed")
        ):
            for when in (hour, None):
                count = counts[(provider, name), when]
                count[0] += attempts
                count[1] += failed
    return {key: failed / attempts for key, (attempts, failed) in counts.items() if attempts}


def _chosen(
    desk: Desk, call: Call, policy: PolicyInForce, rng: random.Random
) -> tuple[Candidate, float] | None:
    """Who would be asked first, and how many times as long it answers; None if nobody could."""
    tokens, session = books.usage_of(call).input_tokens, call.session
    chat = dry_run.request(call.requested_model, input_tokens=tokens, stream=call.stream)
    try:
        its, plan = desk.plan(chat, policy, options=Options(session=session), rng=rng)
    except GatewayError:
        return None
    if not plan.candidates:
        return None
    chosen, was = plan.candidates[0], desk.catalog.find(call.provider, call.model)
    if was is None or chosen.offer == was:
        return chosen, 1.0
    new = its.health.expected(chosen.offer, chosen.key, chat, session)
    old = its.health.expected(was, None, chat, session)
    return chosen, new.output / old.output


def _pair(
    desk: Desk, call: Call, chosen: Candidate, *, longer: float, past: Past, rng: random.Random
) -> Pair:
    was: Target = (call.provider, call.model)
    would: Target = (chosen.provider, chosen.model)
    hour = call.created_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    seen = past.latencies.get(would)
    if was == would:
        took: int | None = call.latency_ms
    else:
        took = rng.choice(seen) if seen else None
    rates = [
        past.error_rates.get((target, hour), past.error_rates.get((target, None)))
        for target in (past.first_targets.get(call.id, was), would)
    ]
    return Pair(
        cluster=call.session or str(call.id),
        cost=_costs(desk, call, chosen, longer),
        latency_ms=None if took is None else (call.latency_ms, took),
        errors=None if None in rates else (rates[0] or 0.0, rates[1] or 0.0),
    )


def _costs(desk: Desk, call: Call, chosen: Candidate, longer: float) -> tuple[float, float] | None:
    """What the answer costs at today's prices, where it was and where it would be."""
    usage = books.usage_of(call)
    price = desk.price_of(call.provider, call.model)
    if price is None or chosen.price is None:
        return None
    if (call.provider, call.model) == (chosen.provider, chosen.model):
        elsewhere = usage
    else:  # another provider's prompt cache is cold
        output = round(usage.output_tokens * longer)
        elsewhere = Usage(input_uncached=usage.input_tokens, output_visible=output)
    before, after = pricing.cost_of(usage, price), pricing.cost_of(elsewhere, chosen.price)
    return float(before), float(after)


def _targets(before: Counter[str], after: Counter[str]) -> list[Json]:
    names = sorted(set(before) | set(after), key=lambda name: (-after[name], -before[name], name))
    return [{"target": name, "before": before[name], "after": after[name]} for name in names[:20]]


def _share(values: Iterable[object]) -> float:
    known = [value is not None for value in values]
    return round(sum(known) / len(known), 4) if known else 0.0


Measure = Callable[[list[float]], float]


def _compared(
    pairs: list[Pair], field: str, measure: Measure, shown: Callable[[float], Any]
) -> Json | None:
    """A figure before and after, its change, and how sure that is; None where nothing is known."""
    clusters: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in pairs:
        if (both := getattr(pair, field)) is not None:
            clusters[pair.cluster].append(both)
    if not clusters:
        return None
    groups = list(clusters.values())
    before, after = _measured(groups, measure)
    rng = random.Random(0)  # noqa: S311  the same answer each time
    changes = []
    for _ in range(RESAMPLES):
        one, other = _measured(rng.choices(groups, k=len(groups)), measure)
        changes.append(other - one)
    changes.sort()
    low, high = changes[int(0.025 * RESAMPLES)], changes[int(0.975 * RESAMPLES) - 1]
    return {
        "calls": sum(len(group) for group in groups),
        "before": shown(before),
        "after": shown(after),
        "change": shown(after - before),
        "interval": [shown(low), shown(high)],
    }


def _measured(groups: list[list[tuple[float, float]]], measure: Measure) -> tuple[float, float]:
    flat = [both for group in groups for both in group]
    return measure([one for one, _ in flat]), measure([other for _, other in flat])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _p50(values: list[float]) -> float:
    return float(percentile([int(value) for value in values], 50) or 0)


def _p95(values: list[float]) -> float:
    return float(percentile([int(value) for value in values], 95) or 0)


def _usd(amount: float) -> str:
    return money.plain(money.nearest(Decimal(amount)))
