"""What health does to a plan: who rests, who goes last, and who is tried when nobody is left."""

import math
from decimal import Decimal
from random import Random

import pytest

from billing.pricing import Price, Rates
from routing.health.expected import Expected
from routing.health.headroom import Headroom
from routing.options import Options
from routing.plan.candidates import Candidate, least_bad, sift
from routing.plan.costs import expected_cost
from routing.plan.lineup import Lineup
from routing.plan.ranking import Ranking
from routing.plan.strategies import cheapest, fastest
from routing.providers.catalog_index import Offer
from routing.upstream.failures import FailureKind
from tests.routing.health.seeing import World, candidate, ring_key
from tests.routing.plan.builders import caller, chat, circumstances, price, ring

LIVE = caller(mode="live")
KEYS = ring("groq", "cerebras")


def planned(
    world: World, offers: list[Offer], **fields: object
) -> tuple[list[str], dict[str, str]]:
    its = circumstances(who=LIVE, keys=KEYS, health=world.known, **fields)  # type: ignore[arg-type]
    found, out = sift(offers, its)
    return [one.provider for one in found], {one.provider: one.code for one in out}


def in_order(found: list[Candidate]) -> list[Candidate]:
    places = list(range(len(found)))
    return [found[place] for place in Lineup.of(found).doubtful_last(places)]


def offers() -> list[Offer]:
    return [candidate("groq").offer, candidate("cerebras").offer]


def of_ring(slug: str) -> Candidate:
    return Candidate(candidate(slug).offer, KEYS.by_provider[slug][0], None, None)


def test_who_rests_is_excluded_and_comes_back() -> None:
    world = World()
    for _ in range(5):
        world.see(of_ring("groq"), "server")
    assert planned(world, offers()) == (["cerebras"], {"groq": "breaker_open"})
    world.wait(5)
    assert planned(world, offers()) == (["groq", "cerebras"], {})


def test_a_rejected_and_an_empty_key_are_excluded_by_their_own_codes() -> None:
    world = World()
    world.see(of_ring("groq"), FailureKind.AUTH)
    world.see(of_ring("cerebras"), FailureKind.BILLING)
    assert planned(world, offers()) == ([], {"groq": "key_invalid", "cerebras": "key_no_credit"})


def test_when_all_rest_the_first_to_reopen_is_tried_unless_it_is_ruled_out() -> None:
    world = World()
    for slug in ("groq", "cerebras"):
        for _ in range(5):
            world.see(of_ring(slug), "server")
        world.wait(1)
    its = circumstances(who=LIVE, keys=KEYS, health=world.known)
    assert [one.provider for one in least_bad(sift(offers(), its)[1])] == ["groq"]
    its = circumstances(who=LIVE, keys=KEYS, health=world.known, options=Options(ignore=("groq",)))
    assert [one.provider for one in least_bad(sift(offers(), its)[1])] == ["cerebras"]


@pytest.mark.parametrize("tried", [False, True])
def test_a_key_marked_as_rejected_is_tried_now_and_then(tried: bool) -> None:
    world, keys = World(), ring("groq", status="invalid")
    if tried:
        assert world.known.admits_rejected(
            Candidate(candidate("groq").offer, keys.keys[0], None, None)
        )
    its = circumstances(who=LIVE, keys=keys, health=world.known)
    found, out = sift(offers(), its)
    assert not found
    assert {one.provider: one.code for one in out} == {"groq": "key_invalid", "cerebras": "no_key"}
    assert len(least_bad(out)) == (not tried)


def test_who_cannot_hold_the_call_or_may_be_too_small_goes_last() -> None:
    world = World()
    world.known.told(of_ring("groq"), Headroom(9, 50, 30.0))
    its = circumstances(who=LIVE, keys=KEYS, health=world.known)
    found, _ = sift(offers(), its)
    assert [one.provider for one in in_order(found)] == ["cerebras", "groq"]
    small = [candidate("groq", context=1_000).offer, candidate("cerebras", context=9_000).offer]
    its = circumstances(chat(input_tokens=1_000), who=LIVE, keys=KEYS)
    assert [one.provider for one in in_order(sift(small, its)[0])] == ["cerebras", "groq"]


def test_fastest_draws_with_chance_and_takes_means_without() -> None:
    world = World()
    both = [candidate("groq"), candidate("cerebras")]
    for _ in range(30):
        world.see(both[0], first=0.9, took=1.0)
        world.see(both[1], first=0.2, took=0.3)
    ranking = Ranking(chat=chat(stream=True), speeds=world.known)
    assert [one.provider for one in fastest.rank(both, ranking)] == ["cerebras", "groq"]
    twins = [candidate("groq"), candidate("openai")]
    firsts = {
        fastest.rank(twins, Ranking(chat=chat(), rng=Random(seed), speeds=World().known))[
            0
        ].provider
        for seed in range(20)
    }
    assert firsts == {"groq", "openai"}


def test_cheapest_takes_the_faster_of_those_that_cost_the_same() -> None:
    world = World()
    costs = {"groq": 1.0, "cerebras": 1.015, "openai": 1.03}
    three = [
        Candidate(candidate(slug).offer, ring_key(1), None, cost) for slug, cost in costs.items()
    ]
    for one, first in zip(three, (0.9, 0.1, 0.01), strict=True):
        for _ in range(30):
            world.see(one, first=first, took=first + 0.1)
    ranked = cheapest.rank(three, Ranking(chat=chat(stream=True), speeds=world.known))
    assert [one.provider for one in ranked] == ["cerebras", "groq", "openai"]


def test_staying_with_the_cache_is_cheaper_than_a_lower_price_elsewhere() -> None:
    """50,000 cached tokens at $3, read at $.30: 1.5 cents to stay, 10 at $2 elsewhere."""
    dear = Price(source="t", rates=Rates(Decimal(3), Decimal(0), cache_read=Decimal("0.3")))
    stay = expected_cost(dear, Expected(50_000, 0, cached=50_000))
    leave = expected_cost(price("2", "0"), Expected(50_000, 0))
    assert math.isclose(stay, 0.015)
    assert math.isclose(leave, 0.1)
