"""What a policy makes of a plan: targets, order, shares, limits, locks and sessions."""

import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import GatewayError, InvalidRequest
from accounts.keyring import Keyring
from billing.pricing import Price
from routing import policy_terms
from routing.options import NONE, Options, PriceCeiling
from routing.plan import affinity, plan
from routing.plan.affinity import Placed, Sessions
from routing.plan.plan import Known, Plan
from routing.policy_terms import PolicyInForce
from routing.providers import loader
from routing.providers.catalog_index import Catalog
from tests.routing.plan.builders import NOW, TENANT, caller, chat, circumstances, price, ring

SLUGS = ("cerebras", "groq", "mistral", "openai", "openrouter")
CATALOG = Catalog({slug: loader.load_all()[slug] for slug in SLUGS})
GROQ, CEREBRAS = "groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b"
OPENAI, SMALL = "openai/gpt-4.1-mini", "openai/text-embedding-3-small"
LIVE = caller(mode="live")


def policy(strategy: str, **document: Any) -> PolicyInForce:
    return PolicyInForce("mine", 3, policy_terms.read({"strategy": strategy, **document}))


def make(by: PolicyInForce | None, *args: Any, known: Known = plan.NOTHING, **kwargs: Any) -> Plan:
    return plan.make(
        circumstances(*args, **kwargs), catalog=CATALOG, providers_url="/p/", policy=by, known=known
    )


def targets(made: Plan) -> list[str]:
    return [candidate.target for candidate in made.candidates]


def seeded(seed: int) -> Known:
    return Known(rng=random.Random(seed))


def test_priority_keeps_the_order_of_the_list_and_then_the_fallbacks() -> None:
    made = make(policy("priority", targets=[OPENAI, GROQ], fallbacks=[CEREBRAS, OPENAI]))

    assert targets(made) == [OPENAI, GROQ, CEREBRAS]
    assert (made.strategy, made.reason) == ("priority", "priority")
    assert made.policy is not None
    assert (made.policy.name, made.policy.version) == ("mine", 3)


def test_within_a_name_of_the_list_the_cheaper_provider_comes_first() -> None:
    def prices(provider: str, model: str) -> Price:
        return price("9", "9") if provider == "cerebras" else price("1", "1")

    made = make(policy("priority", targets=["gpt-oss-120b", OPENAI]), price_of=prices)

    assert targets(made)[-1] == OPENAI
    assert targets(made)[-2] == CEREBRAS


def test_cheapest_ranks_the_targets_alone() -> None:
    made = make(policy("cheapest", targets=[OPENAI, GROQ, CEREBRAS]))

    costs = [candidate.expected_cost for candidate in made.candidates]
    assert set(targets(made)) == {OPENAI, GROQ, CEREBRAS}
    assert costs == sorted(costs)  # type: ignore[type-var]


def test_a_thousand_calls_at_80_to_20_are_within_40_of_800() -> None:
    by = policy("weighted", targets=[{"model": GROQ, "weight": 8}, {"model": OPENAI, "weight": 2}])
    known = seeded(1)

    firsts = Counter(targets(make(by, known=known))[0] for _ in range(1000))

    assert abs(firsts[GROQ] - 800) <= 40
    assert firsts[GROQ] + firsts[OPENAI] == 1000


def test_several_providers_behind_one_name_share_its_weight() -> None:
    by = policy("weighted", targets=[{"model": "gpt-oss-120b", "weight": 1}, OPENAI])
    known = seeded(2)

    firsts = Counter(targets(make(by, known=known))[0] for _ in range(2000))

    assert abs(firsts[OPENAI] - 1000) <= 80


@pytest.mark.parametrize("strategy", ["weighted", "cheapest"])
def test_the_keys_of_a_provider_are_used_by_their_weights(strategy: str) -> None:
    keys = ring("groq", "groq")
    heavy = type(keys.keys[1])(**{**fields_of(keys.keys[1]), "weight": 3})
    both = Keyring(TENANT, b"", [keys.keys[0], heavy])
    known = seeded(3)
    by = policy(strategy, targets=[GROQ])

    firsts = Counter(
        made.candidates[0].key
        for made in (make(by, known=known, who=LIVE, keys=both) for _ in range(1000))
    )

    assert abs(firsts[heavy] - 750) <= 50
    assert sum(firsts.values()) == 1000


def fields_of(key: Any) -> dict[str, Any]:
    return {name: getattr(key, name) for name in key.__slots__}


def test_a_session_keeps_its_place_in_a_weighted_draw() -> None:
    by = policy("weighted", targets=[GROQ, OPENAI, CEREBRAS], sticky="session")

    def first(session: str, seed: int) -> str:
        return targets(make(by, options=Options(session=session), known=seeded(seed)))[0]

    assert len({first("one", seed) for seed in range(20)}) == 1
    assert {first(f"s{n}", 1) for n in range(60)} == {GROQ, OPENAI, CEREBRAS}


def test_a_named_model_stays_itself_and_gets_the_policys_fallbacks() -> None:
    made = make(policy("priority", targets=[OPENAI], fallbacks=[CEREBRAS]), chat(GROQ))

    assert targets(made) == [GROQ, CEREBRAS]
    assert made.reason == "pinned"


def test_a_policys_name_stands_for_its_targets() -> None:
    assert targets(make(policy("priority", targets=[OPENAI, GROQ]), chat("@mine"))) == [
        OPENAI, GROQ,
    ]  # fmt: skip


def test_a_target_that_nobody_knows_any_more_is_left_out() -> None:
    made = make(policy("priority", targets=["gone-model-9", GROQ], fallbacks=["gone-too"]))

    assert targets(made) == [GROQ]
    assert {out.model for out in made.excluded} == {"gone-model-9", "gone-too"}


def test_the_lower_of_two_price_limits_holds() -> None:
    by = policy("cheapest", max_price={"input": 0.5}, targets=[OPENAI, GROQ])

    def prices(provider: str, model: str) -> Price:
        return price("0.4", "1") if provider == "groq" else price("0.6", "1")

    assert targets(make(by, price_of=prices)) == [GROQ]
    looser = Options(max_price=PriceCeiling(input=Decimal(9)))
    assert targets(make(by, price_of=prices, options=looser)) == [GROQ]
    stricter = Options(max_price=PriceCeiling(input=Decimal("0.1")))
    with pytest.raises(GatewayError) as refused:
        make(by, price_of=prices, options=stricter)
    assert refused.value.http_status == 402


def test_what_is_required_holds_though_the_request_does_not_need_it() -> None:
    made = make(policy("cheapest", require=["image"]))

    assert all(c.offer.model and c.offer.model.has("image") for c in made.candidates)
    assert any(out.code == "capability" for out in made.excluded)


def test_require_parameters_leaves_out_who_would_drop_one() -> None:
    asked = chat("gpt-oss-120b", body={"messages": [], "logit_bias": {"1": 2}})
    kept = make(None, asked, options=Options(require_parameters=True))
    everyone = make(None, asked)

    dropped = set(targets(everyone)) - set(targets(kept))
    assert dropped
    assert {out.detail for out in kept.excluded} == {"logit_bias"}


@pytest.mark.parametrize(
    ("options", "fields", "width", "hedge"),
    [
        (NONE, {}, 1, None),
        (NONE, {"race": {"width": 3}, "hedge": {"after_ms": "p95"}}, 3, "p95"),
        (NONE, {"race": {"width": 5}}, 3, None),
        (Options(race=1, hedge_ms=700), {"race": {"width": 3}, "hedge": {"after_ms": 5}}, 1, 700),
    ],
)
def test_race_and_hedge_are_on_the_plan(
    options: Options, fields: dict[str, Any], width: int, hedge: Any
) -> None:
    made = make(policy("priority", targets=[OPENAI, GROQ, CEREBRAS], **fields), options=options)

    assert (made.race_width, made.hedge_after_ms) == (width, hedge)


def test_a_race_starts_two_of_its_list() -> None:
    made = make(policy("race", targets=[OPENAI, GROQ, CEREBRAS]))

    assert (made.race_width, targets(made)) == (2, [OPENAI, GROQ, CEREBRAS])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("auto:fastest", NONE),
        ("gpt-oss-120b:floor", NONE),
        ("auto", Options(models=(GROQ,))),
        ("auto", Options(sort="price")),
        ("auto", Options(order=("groq",))),
        ("auto", Options(race=2)),
        ("auto", Options(hedge_ms=5)),
    ],
)
def test_a_locked_policy_refuses_to_be_overruled(name: str, options: Options) -> None:
    by = policy("priority", targets=[OPENAI, GROQ], lock=True)

    with pytest.raises(InvalidRequest, match="locked"):
        make(by, chat(name), options=options)


def test_a_locked_policy_lets_requests_ask_for_less() -> None:
    by = policy("priority", targets=[OPENAI, GROQ], lock=True)

    assert targets(make(by, options=Options(ignore=("openai",)))) == [GROQ]
    assert targets(make(by, chat(GROQ))) == [GROQ]


def test_a_locked_policy_serves_none_but_its_targets() -> None:
    by = policy("priority", targets=[OPENAI, GROQ], lock=True)

    with pytest.raises(GatewayError) as refused:
        make(by, chat(CEREBRAS))

    assert (refused.value.http_status, refused.value.error_code) == (403, "model_not_allowed")


def test_embeddings_never_fall_back_to_another_model() -> None:
    by = policy("priority", targets=[SMALL, "mistral/mistral-embed"], fallbacks=[GROQ])

    made = make(by, chat(kind="embedding"))

    assert targets(made) == [SMALL]
    with pytest.raises(InvalidRequest, match="never fall back"):
        options = Options(models=("mistral/mistral-embed",))
        make(None, chat(SMALL, kind="embedding"), options=options)


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        ("auto:cheapest", "cheapest"), ("auto:fastest", "fastest"), ("auto:balanced", "balanced"),
        ("auto", "priority"), ("gpt-oss-120b:floor", "cheapest"),
        ("gpt-oss-120b:nitro", "throughput"), ("auto:floor", "cheapest"),
    ],
)  # fmt: skip
def test_a_name_may_choose_the_strategy(name: str, strategy: str) -> None:
    made = make(policy("priority", targets=[OPENAI, GROQ]), chat(name))

    assert made.strategy == strategy


@pytest.mark.parametrize(
    ("sort", "strategy"),
    [("price", "cheapest"), ("latency", "fastest"), ("throughput", "throughput")],
)
def test_sort_chooses_the_strategy(sort: str, strategy: str) -> None:
    made = make(policy("priority", targets=[OPENAI, GROQ]), options=Options(sort=sort))

    assert made.strategy == strategy


def test_without_a_policy_the_strategy_is_balanced() -> None:
    assert make(None).strategy == "balanced"


# Sessions


def two_prices(groq: str, openai: str) -> Any:
    return lambda provider, model: price(*(2 * [groq if provider == "groq" else openai]))


@pytest.mark.parametrize(
    ("dearer", "first", "reason"), [("1.09", OPENAI, "sticky"), ("1.12", GROQ, "cheapest")]
)
def test_a_session_leaves_only_for_what_is_clearly_cheaper(
    dearer: str, first: str, reason: str
) -> None:
    by = policy("cheapest", targets=[GROQ, OPENAI], sticky="session")
    placed = Known(placed=Placed(OPENAI, None, NOW))

    made = make(by, price_of=two_prices("1", dearer), known=placed)

    assert (targets(made)[0], made.reason) == (first, reason)
    assert set(targets(made)) == {GROQ, OPENAI}


def test_a_session_leaves_who_cannot_serve_it() -> None:
    by = policy("cheapest", targets=[GROQ, OPENAI], sticky="session")
    placed = Known(placed=Placed(OPENAI, None, NOW))

    made = make(by, options=Options(ignore=("openai",)), known=placed)

    assert targets(made) == [GROQ]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), max_size=40))
def test_the_memory_of_sessions_never_outgrows_its_bound(steps: list[tuple[int, int]]) -> None:
    memory = Sessions(most=4)
    last: dict[int, str] = {}
    for session, place in steps:
        memory.remember((TENANT, "live", str(session)), Placed(f"p/{place}", None, NOW))
        last.pop(session, None)
        last[session] = f"p/{place}"
    remembered = list(last)[-4:]

    for session in range(10):
        found = memory.find((TENANT, "live", str(session)), NOW)
        assert (found.target if found else None) == (
            last[session] if session in remembered else None
        )


def test_a_session_is_forgotten_after_ten_minutes_and_with_a_long_cache_after_an_hour() -> None:
    memory = Sessions()
    memory.remember((TENANT, "live", "a"), Placed("p/m", None, NOW))
    memory.remember((TENANT, "live", "b"), Placed("p/m", None, NOW, is_long=True))

    def is_known(session: str, minutes: int) -> bool:
        later = NOW + timedelta(minutes=minutes)
        return memory.find((TENANT, "live", session), later) is not None

    assert [is_known("a", 10), is_known("a", 11)] == [True, False]
    assert [is_known("b", 60), is_known("b", 61)] == [True, False]
    assert memory.find((UUID(int=9), "live", "a"), NOW) is None
    assert memory.find((TENANT, "test", "a"), NOW) is None


def test_without_a_name_a_session_is_known_by_how_it_began() -> None:
    first = {"role": "user", "content": "Hello"}
    system = {"role": "system", "content": "Be terse"}
    start = affinity.session_of("", {"messages": [system, first]})
    later = {"messages": [system, first, {"role": "assistant", "content": "Hi"}]}

    assert affinity.session_of("", later) == start
    assert affinity.session_of("", {"messages": [first]}) != start
    assert affinity.session_of("named", later) == "named"
    assert affinity.session_of("", {"input": "Hello"}) != affinity.session_of("", {"input": "Bye"})
