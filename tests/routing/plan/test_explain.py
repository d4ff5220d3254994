"""An explanation says what the call will do, and why."""

import random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from accounts.keyring import Keyring, RingKey
from billing.pricing import Price
from billing.usage import Usage
from routing import policy_terms
from routing.chat import ChatRequest
from routing.health.known import Seen
from routing.health.state import State
from routing.options import NONE, Options
from routing.plan import explain, plan
from routing.plan.affinity import Placed
from routing.plan.candidates import Circumstances, Health
from routing.plan.plan import Known
from routing.plan.strategies import STRATEGIES
from routing.policy_terms import PolicyInForce
from routing.providers import loader
from routing.providers.catalog_index import Catalog
from routing.scoring.scorer import Scorer
from routing.simulation import Simulation
from routing.upstream.failures import Failure, FailureKind
from tests.routing.plan.builders import NOW, TENANT, caller, chat, circumstances, listed, price

SLUGS = ("cerebras", "groq", "openai")
CATALOG = Catalog({slug: loader.load_all()[slug] for slug in SLUGS})
MODELS = (
    "groq/llama-3.3-70b-versatile", "groq/openai/gpt-oss-20b", "cerebras/gpt-oss-120b",
    "openai/gpt-4.1-mini", "openai/gpt-4.1", "gpt-oss-120b",
)  # fmt: skip
SCORER = Scorer()


def random_document(chance: random.Random) -> dict[str, Any]:
    strategy = chance.choice(policy_terms.STRATEGIES)
    names = chance.sample(MODELS, chance.randint(1, 5))
    weighted = [{"model": name, "weight": chance.randint(1, 9)} for name in names]
    optional = {
        "fallbacks": chance.sample(MODELS, 2),
        "quality": chance.randint(0, 10),
        "sticky": "session",
        "max_price": {"input": chance.choice([0.2, 1, 50])},
        "require": ["tools"],
        "race": {"width": chance.randint(1, 5)},
    }
    kept = {name: value for name, value in optional.items() if chance.random() < 0.3}
    if strategy in policy_terms.LISTED or chance.random() < 0.7:
        kept["targets"] = weighted
    return {"strategy": strategy, **kept}


def random_state(chance: random.Random) -> Health:
    """What a process may have learned: speeds, failures, open breakers."""
    known = State(clock=lambda: 1000.0, rng=random.Random(chance.random())).of("live", TENANT)
    for offer in chance.sample(CATALOG.auto, 12):
        kinds = [None, None, None, FailureKind.SERVER, FailureKind.RATE_LIMIT]
        kind = chance.choice(kinds)
        for _ in range(chance.choice([1, 3, 8])):
            began = 999 - chance.random()
            known.observe(
                Seen(
                    offer=offer,
                    key=None,
                    chat=chat(stream=True),
                    outcome=kind or "answered",
                    failure=Failure(kind) if kind else None,
                    began=began,
                    first_token=None if kind else began + chance.random(),
                    ended=1000.0,
                    usage=None if kind else Usage(input_uncached=9, output_visible=90),
                )
            )
    return known


def random_request(chance: random.Random) -> tuple[ChatRequest, Options]:
    name = chance.choice(
        [*MODELS, "auto", "auto", "auto:fastest", "auto:cheapest", "auto:balanced"]
    )
    text = chance.choice(
        ["Hi", "Prove that √2 is irrational.", "def f(x):\n    return x", "x" * 900]
    )
    request = chat(
        name,
        body={"messages": [{"role": "user", "content": text}]},
        input_tokens=chance.choice([5, 700, 20_000, 90_000]),
        max_tokens=chance.choice([None, 50, 4000]),
        stream=chance.random() < 0.5,
    )
    options = Options(
        session=chance.choice(["", "s1", "s2"]),
        order=chance.choice([(), ("groq", "openai")]),
        ignore=chance.choice([(), ("cerebras",)]),
        sort=chance.choice(["", "", "price", "latency", "throughput"]),
    )
    return request, options


def random_ring(chance: random.Random) -> Keyring:
    keys = [
        RingKey(
            key_id=UUID(int=number), provider=slug, last4=f"{number:04}",
            weight=chance.randint(1, 5), enabled=True, status="valid", checked_at=NOW,
            base_url="", sealed=b"",
        )
        for number, slug in enumerate(SLUGS * 2)
    ]  # fmt: skip
    return Keyring(TENANT, b"", keys)


def random_case(chance: random.Random) -> tuple[Circumstances, dict[str, Any]]:
    """Circumstances, and what else a plan is made of."""
    policy = PolicyInForce("p", 1, policy_terms.read(random_document(chance)))
    request, options = random_request(chance)
    its = circumstances(
        request,
        options=options,
        keys=random_ring(chance),
        who=caller(mode="live"),
        health=random_state(chance),
    )
    placed = Placed(chance.choice(CATALOG.auto).target, None, NOW)
    known = {"scorer": SCORER, "placed": placed if policy.terms.sticky else None}
    return its, {"policy": policy if chance.random() < 0.8 else None, "known": known}


def drafted(its: Circumstances, case: dict[str, Any], seed: int) -> plan.Plan:
    known = Known(rng=random.Random(seed), **case["known"])
    return plan.draft(its, catalog=CATALOG, providers_url="/p/", policy=case["policy"], known=known)


def test_a_thousand_explanations_choose_as_the_call_does() -> None:
    chance = random.Random(20261120)
    agreed = had_a_choice = 0
    strategies, first_places = set(), set()
    for seed in range(1000):
        its, case = random_case(chance)
        live = drafted(its, case, seed)
        told = explain.explained(drafted(its, case, seed), its)
        strategies.add(live.strategy)
        had_a_choice += len(live.candidates) > 1
        tried = [(c.provider, c.model, c.key.last4 if c.key else None) for c in live.candidates]
        first_places.update(tried[:1])
        agreed += tried == [(c["provider"], c["model"], c["key_last4"]) for c in told["candidates"]]
    assert agreed == 1000
    assert had_a_choice > 600
    assert len(first_places) > 10
    assert strategies == {*STRATEGIES, "race"}


@pytest.mark.parametrize("strategy", ["priority", "cheapest", "balanced"])
def test_without_chance_the_first_is_the_same_as_with_it(strategy: str) -> None:
    chance = random.Random(7)
    for seed in range(100):
        terms = policy_terms.read({"strategy": strategy, "targets": list(MODELS)})
        request, _ = random_request(chance)
        its = circumstances(msgspec.structs.replace(request, model="auto"))

        def first(known: Known, its: Circumstances = its, terms: policy_terms.Terms = terms) -> str:
            by = PolicyInForce("p", 1, terms)
            made = plan.draft(its, catalog=CATALOG, providers_url="", policy=by, known=known)
            return made.candidates[0].target

        assert first(Known(scorer=SCORER)) == first(Known(scorer=SCORER, rng=random.Random(seed)))


def explained(
    request: ChatRequest, document: dict[str, Any] | None = None, options: Options = NONE,
    price_of: Any = listed,
) -> dict[str, Any]:  # fmt: skip
    its = circumstances(request, options=options, price_of=price_of)
    policy = PolicyInForce("mine", 2, policy_terms.read(document)) if document else None
    made = plan.draft(
        its, catalog=CATALOG, providers_url="/p/", policy=policy, known=Known(scorer=SCORER)
    )
    return explain.explained(made, its)


def test_an_explanation_has_every_field_of_its_shape() -> None:
    told = explained(chat("auto"), {"strategy": "priority", "targets": list(MODELS[:3])})

    assert set(told) == {
        "requested_model", "strategy", "reason", "policy", "policy_version", "mode", "class",
        "n_in", "candidates", "excluded", "cache", "race", "hedge", "experiment", "refusal",
    }  # fmt: skip
    assert set(told["candidates"][0]) == {
        "provider", "model", "key_last4", "quality", "cost_usd", "seconds", "cached_share",
        "utility", "dominated", "measured", "breaker", "reasons",
    }  # fmt: skip
    assert (told["policy"], told["policy_version"], told["mode"]) == ("mine", 2, "test")
    assert told["candidates"][0]["reasons"] == ["priority"]
    assert msgspec.json.decode(msgspec.json.encode(told)) == told


def test_the_range_of_cost_holds_what_is_expected() -> None:
    for one in explained(chat("auto", input_tokens=3000, max_tokens=900))["candidates"]:
        low, expected, high = (float(one["cost_usd"][name]) for name in ("low", "expected", "high"))
        assert 0 < low <= expected <= high


def test_an_unknown_price_is_null_and_never_nothing() -> None:
    def prices(provider: str, model: str) -> Price | None:
        return price("1", "1") if provider == "groq" else None

    told = explained(chat("gpt-oss-120b"), price_of=prices)["candidates"]

    unpriced = [one for one in told if one["provider"] != "groq"]
    assert unpriced
    assert all(one["cost_usd"]["expected"] is None for one in unpriced)
    assert all("price_unknown" in one["reasons"] for one in unpriced)


def test_when_nobody_can_serve_it_says_what_the_call_would_be_told() -> None:
    simulation = Simulation(tuple((slug, "nokey") for slug in SLUGS))
    told = explained(chat("gpt-oss-120b"), options=Options(simulation=simulation))

    assert told["candidates"] == []
    assert told["refusal"]["code"] == "no_provider_key"
    assert told["reason"] == "none"
    assert {out["code"] for out in told["excluded"]} == {"no_key"}


def test_candidates_and_excluded_are_all_offers_and_none_twice() -> None:
    told = explained(
        chat("auto", needs=frozenset({"image"})),
        {"strategy": "priority", "targets": list(MODELS), "fallbacks": list(MODELS)},
    )
    seen = [f"{one['provider']}/{one['model']}" for one in [*told["candidates"], *told["excluded"]]]
    behind = {offer.target for name in MODELS for offer in CATALOG.offers(name)}

    assert len(seen) == len(set(seen))
    assert set(seen) == behind


def test_caching_is_off_and_says_why() -> None:
    assert explained(chat(), options=Options(cache="on"))["cache"] == {
        "verdict": "OFF", "why": "caching is not switched on for this tenant",
    }  # fmt: skip
    assert explained(chat())["cache"]["verdict"] == "OFF"
