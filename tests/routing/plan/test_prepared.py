"""What is worked out before a call finds the same candidates as looking at each offer anew."""

import random
from collections.abc import Callable
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from accounts.keyring import Keyring, RingKey
from billing.pricing import Price, Rates, Tier
from billing.usage import Usage
from routing.chat import ChatRequest
from routing.health.headroom import Headroom
from routing.health.known import Seen
from routing.health.state import State
from routing.options import NONE, Options, PriceCeiling
from routing.plan.candidates import Candidate, Circumstances, Excluded, Health, sift
from routing.plan.lineup import Lineup
from routing.plan.prepared import lined_up
from routing.providers import catalog_index, prices
from routing.providers.catalog_index import Offer
from routing.upstream.failures import Failure, FailureKind
from tests.routing.plan.builders import NOW, TENANT, caller, chat, circumstances, listed, price

OFFERS = tuple(catalog_index.current().auto)
SLUGS = sorted({offer.provider.slug for offer in OFFERS})
LIVE = caller(mode="live")


def told(candidates: list[Candidate], excluded: list[Excluded]) -> tuple[object, object]:
    """What a plan sees, costs rounded to what can be told apart."""
    found = [
        (one.target, one.key, one.price, one.expected_cost and f"{one.expected_cost:.12g}",
         one.goes_last)
        for one in candidates
    ]  # fmt: skip
    out = [
        (one.provider, one.model, one.code, one.detail, one.resting and one.resting.target)
        for one in excluded
    ]
    return found, out


def prepared(offers: tuple[Offer, ...], its: Circumstances) -> tuple[object, object]:
    lineup, excluded = lined_up(offers, its)
    return told(lineup.chosen(range(len(lineup.candidates))), excluded)


def anew(offers: tuple[Offer, ...], its: Circumstances) -> tuple[object, object]:
    return told(*sift(offers, its))


def key(number: int, slug: str, **fields: object) -> RingKey:
    values: dict[str, object] = {
        "key_id": UUID(int=number), "provider": slug, "last4": f"{number:04}", "weight": 1,
        "enabled": True, "status": "valid", "checked_at": NOW, "base_url": "", "sealed": b"",
    }  # fmt: skip
    return RingKey(**{**values, **fields})  # type: ignore[arg-type]


def random_ring(chance: random.Random) -> Keyring:
    statuses = ["valid", "valid", "valid", "invalid", "no_credit", "limited"]
    return Keyring(
        TENANT,
        b"",
        [
            key(
                number,
                chance.choice(SLUGS),
                weight=chance.randint(1, 4),
                enabled=chance.random() < 0.9,
                status=chance.choice(statuses),
                checked_at=chance.choice([None, NOW, NOW - timedelta(hours=2)]),
            )
            for number in range(chance.randint(3, 20))
        ],
    )


def random_health(chance: random.Random, keys: Keyring) -> Health:
    known = State(clock=lambda: 1000.0, rng=random.Random(3)).of("live", TENANT)
    kinds = [None, None, FailureKind.SERVER, FailureKind.RATE_LIMIT, FailureKind.AUTH]
    for offer in chance.sample(OFFERS, chance.randint(0, 25)):
        kind = chance.choice(kinds)
        own = keys.by_provider.get(offer.provider.slug)
        seen = Seen(
            offer=offer,
            key=own[0] if own else None,
            chat=chat(input_tokens=2_000),
            outcome=kind or "answered",
            failure=Failure(kind) if kind else None,
            began=998.0,
            first_token=None,
            ended=999.0,
            usage=None if kind else Usage(input_uncached=3_000, output_visible=90),
            session=chance.choice(["", "s1"]),
        )
        for _ in range(chance.choice([1, 6])):
            known.observe(seen)
        if chance.random() < 0.2:
            known.told(Candidate(offer, seen.key, None, None), Headroom(5, 300, 30.0))
    return known


def random_request(chance: random.Random) -> ChatRequest:
    needs = chance.choice([[], [], ["tools"], ["image"], ["tools", "json_schema"]])
    marked = {"messages": [{"role": "user", "content": [{"cache_control": {}}]}]}
    return chat(
        needs=frozenset(needs),
        input_tokens=chance.choice([5, 700, 20_000, 120_000, 230_000, 900_000]),
        max_tokens=chance.choice([None, None, 1, 300, 4_000]),
        kind=chance.choice(["chat"] * 9 + ["embedding"]),
        body=chance.choice([{}, marked]),
    )


def random_options(chance: random.Random) -> Options:
    some: dict[str, Any] = {
        "max_price": PriceCeiling(input=Decimal("0.5")),
        "max_cost": Decimal("0.01"),
        "ignore": tuple(chance.sample(SLUGS, 2)),
        "deny_data_collection": True,
        "session": "s1",
    }
    return Options(**{name: value for name, value in some.items() if chance.random() < 0.25})


def test_a_thousand_calls_find_the_same_candidates_as_looking_anew() -> None:
    chance = random.Random(20261120)
    some_left = dearer = doubtful = resting = 0
    for _ in range(50):
        keys = random_ring(chance)
        health = random_health(chance, keys)
        pool = tuple(chance.choices(OFFERS, k=chance.randint(2, 60)))
        for _ in range(20):
            its = circumstances(
                random_request(chance),
                options=random_options(chance),
                keys=keys,
                who=chance.choice(
                    [LIVE, LIVE, caller(), caller(mode="live", allowed=("*gpt*", "*llama*"))]
                ),
                health=health,
            )
            expected = anew(pool, its)
            assert prepared(pool, its) == expected
            found, excluded = sift(pool, its)
            some_left += bool(found)
            dearer += any(out.code == "max_price" for out in excluded)
            doubtful += any(one.goes_last for one in found)
            resting += any(out.resting for out in excluded)
    assert min(some_left, dearer, doubtful, resting) > 40


def test_a_rate_that_depends_on_the_size_of_the_request_is_the_one_of_its_size() -> None:
    tiers = (Tier(1_000, Rates(Decimal(8), Decimal(9))),)
    tiered = Price(source="t", rates=Rates(Decimal(1), Decimal(2)), tiers=tiers)

    def of(provider: str, _: str) -> Price:
        return tiered if provider == SLUGS[0] else price("3", "3")

    for size in (10, 1_000, 1_001):
        its = circumstances(chat(input_tokens=size), price_of=of)
        assert prepared(OFFERS, its) == anew(OFFERS, its)


class Day:
    """A pool, and what it is judged by, one thing after the other changed."""

    def __init__(self) -> None:
        self.its = circumstances(
            who=LIVE,
            keys=Keyring(TENANT, b"", [key(n, slug) for n, slug in enumerate(SLUGS)]),
            price_of=listed,
        )

    def changed(self, **fields: object) -> Circumstances:
        self.its = msgspec.structs.replace(self.its, **fields)
        return self.its


CHANGES: dict[str, Callable[[Day], Circumstances]] = {
    "a key is removed": lambda day: day.changed(
        ring=Keyring(TENANT, b"", list(day.its.ring.keys[1:]))
    ),
    "a key is rejected": lambda day: day.changed(
        ring=Keyring(TENANT, b"", [key(1, SLUGS[0], status="invalid"), *day.its.ring.keys[1:]])
    ),
    "prices change": lambda day: day.changed(price_of=lambda provider, model: price("7", "7")),
    "the caller may use less": lambda day: day.changed(
        caller=caller(mode="live", allowed=("*gpt*",))
    ),
    "the request needs more": lambda day: day.changed(chat=chat(needs=frozenset({"audio"}))),
    "test mode": lambda day: day.changed(caller=caller()),
    "training is ruled out": lambda day: day.changed(options=Options(deny_data_collection=True)),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_kept_does_not_outlive_a_change(change: Callable[[Day], Circumstances]) -> None:
    day = Day()
    before = prepared(OFFERS, day.its)
    its = change(day)
    after = prepared(OFFERS, its)
    assert after == anew(OFFERS, its)
    assert after != before


def test_a_key_without_credit_is_tried_again_after_an_hour() -> None:
    keys = Keyring(TENANT, b"", [key(1, SLUGS[0], status="no_credit", checked_at=NOW)])
    its = circumstances(who=LIVE, keys=keys)
    assert not lined_up(OFFERS, its)[0].candidates
    later = msgspec.structs.replace(its, now=NOW + timedelta(hours=1))
    assert lined_up(OFFERS, later)[0].candidates
    assert prepared(OFFERS, later) == anew(OFFERS, later)


def test_prices_of_the_same_basis_are_the_same_for_every_tenant_that_sets_none() -> None:
    today = NOW.astimezone(UTC).date()
    one, other = (prices.Prices(UUID(int=number), today) for number in (1, 2))
    assert one.basis == other.basis
    assert one.basis != prices.Prices(UUID(int=1), today + timedelta(days=1)).basis
    its = circumstances(price_of=one)
    first, _ = lined_up(OFFERS, its)
    again, _ = lined_up(OFFERS, msgspec.structs.replace(its, price_of=other))
    assert first.candidates is again.candidates
    assert first.candidates


def test_an_unpriced_candidate_is_never_free() -> None:
    its = circumstances(price_of=lambda provider, model: None, options=NONE)
    lineup, _ = lined_up(OFFERS, its)
    made = lineup.chosen(range(len(lineup.candidates)))
    assert {one.expected_cost for one in made} == {None}


def test_doubtful_candidates_stay_with_their_figures_when_some_are_picked() -> None:
    offers = OFFERS[:4]
    four = [Candidate(one, None, None, float(i), i in {1, 2}) for i, one in enumerate(offers)]
    picked = Lineup.of(four).only([3, 2, 0])
    assert picked.costs == [3.0, 2.0, 0.0]
    assert picked.doubtful_last([0, 1, 2]) == [0, 2, 1]
    assert [one.expected_cost for one in picked.chosen([1, 0])] == [2.0, 3.0]
