"""What a plan costs: whole plans of `auto`, and its parts, for ten and a hundred candidates."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

ROUNDS, CALLS = 9, 300
SIZES = (10, 100)
MOST_US = (20.0, 60.0)
NAMES = ("auto", "auto:cheapest", "auto:fastest")
Makes = dict[str, Callable[[int], Callable[[], object]]]
PROMPT = "What is the capital of France, and how did it become so?"


def measure(run: Callable[[], object]) -> float:
    """Microseconds of this thread's own time per run: the median of rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(CALLS):
            run()
        rounds.append((time.thread_time() - began) / CALLS * 1e6)
    return statistics.median(rounds)


def report() -> None:
    print(f"{'plan':24s}" + "".join(f"{f'{size} candidates, µs':>22s}" for size in SIZES))
    parts: Makes = {
        "fastest, ranking alone": ranking,
        "sift and fastest": sifting,
        "score": scoring,
    }
    plans: Makes = {f"plan of {name}": partial(planning, name) for name in NAMES}
    rows = {
        name: [measure(make(size)) for size in SIZES] for name, make in {**parts, **plans}.items()
    }
    # The limits are a plan's own, "plus the score once".
    its = zip(rows["plan of auto"], rows["score"], strict=True)
    rows["… less the score"] = [plan - score for plan, score in its]
    for name, figures in rows.items():
        print(f"{name:24s}" + "".join(f"{figure:22.1f}" for figure in figures))
    print(f"{'allowed':24s}" + "".join(f"{figure:22.1f}" for figure in MOST_US))


def planning(name: str, count: int) -> Callable[[], object]:
    """A whole plan, from the requested name to the chain of attempts, score included."""
    from routing.plan import plan
    from routing.plan.plan import Known
    from routing.providers import catalog_index
    from routing.scoring.scorer import Scorer

    catalog = catalog_index.current().with_models(())
    catalog.auto = _spread(catalog.auto, count)
    its = _asking(name)
    known = Known(rng=Random(1), scorer=Scorer())
    return lambda: plan.draft(its, catalog=catalog, providers_url="", known=known)


def scoring(count: int) -> Callable[[], object]:
    """How well each candidate would answer."""
    from routing.plan.prepared import lined_up
    from routing.providers import catalog_index
    from routing.scoring.scorer import Scorer

    its, scorer = _asking("auto"), Scorer()
    lineup, _ = lined_up(_spread(catalog_index.current().auto, count), its)
    return lambda: scorer.qualities(lineup.candidates, its.chat)


def ranking(count: int) -> Callable[[], object]:
    """One draw of every candidate, and their order."""
    from routing.plan.candidates import sift
    from routing.plan.ranking import Ranking
    from routing.plan.strategies import fastest

    its, offers = _circumstances(), _offers(count)
    candidates, _ = sift(offers, its)
    ranked = Ranking(chat=its.chat, rng=Random(1), speeds=its.health)
    return lambda: fastest.rank(candidates, ranked)


def sifting(count: int) -> Callable[[], object]:
    """The hard filters for every offer, then the ranking."""
    from routing.plan.candidates import sift
    from routing.plan.ranking import Ranking
    from routing.plan.strategies import fastest

    its, offers = _circumstances(), _offers(count)
    ranked = Ranking(chat=its.chat, rng=Random(1), speeds=its.health)
    return lambda: fastest.rank(sift(offers, its)[0], ranked)


def _spread(offers: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """So many of the offers, at equal distances."""
    return tuple(offers[place * len(offers) // count] for place in range(count))


def _asking(name: str) -> Any:
    """A short question, at the catalogue's prices."""
    from datetime import UTC, datetime

    import msgspec

    from routing.providers.prices import Prices

    its = _circumstances()
    body = {"messages": [{"role": "user", "content": PROMPT}]}
    asked = msgspec.structs.replace(its.chat, model=name, body=body, needs=frozenset())
    prices = Prices(its.caller.tenant_id, datetime.now(UTC).date())
    return msgspec.structs.replace(its, chat=asked, price_of=prices)


def _offers(count: int) -> list[Any]:
    """Models of ten providers, each with its own price."""
    from routing.providers.catalog_index import Offer
    from routing.providers.loader import load_all
    from routing.providers.spec import ModelOffer

    providers = list(load_all().values())
    models = [ModelOffer(id=f"bench-{number}", context=131_072) for number in range(count)]
    return [
        Offer(providers[place % len(providers)], model.id, model)
        for place, model in enumerate(models)
    ]


def _circumstances() -> Any:
    from datetime import UTC, datetime
    from decimal import Decimal

    from accounts.callers import Caller
    from accounts.keyring import EMPTY
    from billing.pricing import Price, Rates
    from routing.chat import ChatRequest
    from routing.health.state import State
    from routing.options import NONE
    from routing.plan.candidates import Circumstances

    tenant = UUID(int=1)
    price = Price(source="bench", rates=Rates(Decimal("0.1"), Decimal("0.4")))
    caller = Caller(
        tenant_id=tenant, tenant="ten_x", key_id=tenant, key="key_x", mode="test", project_id=None,
        lineage=tenant, allowed_models=None, allowed_networks=None, expires_at=None,
        expires_epoch=float("inf"), is_suspended=False,
    )  # fmt: skip
    chat = ChatRequest(
        dialect="openai", body={}, model="auto", stream=True, wants_usage=False, max_tokens=None,
        needs=frozenset({"tools"}), input_tokens=800, size=2_900,
    )  # fmt: skip
    return Circumstances(
        chat=chat,
        caller=caller,
        options=NONE,
        ring=EMPTY,
        price_of=lambda provider, model: price,
        now=datetime.now(UTC),
        health=State().of("test", tenant),
    )
