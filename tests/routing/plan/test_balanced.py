"""`balanced`: quality against cost and time, and never a dominated choice."""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.chat import ChatRequest
from routing.plan.candidates import Candidate
from routing.plan.lineup import Lineup
from routing.plan.ranking import NothingKnown, Ranking
from routing.plan.strategies import balanced
from routing.providers import loader
from routing.providers.catalog_index import Offer
from routing.scoring.scorer import Scorer
from tests.routing.plan.builders import chat, price

PROVIDER = loader.load_all()["groq"]


class Known(NamedTuple):
    """A candidate as a test describes it."""

    cost: float | None
    quality: float
    seconds: float


class Fixed(NothingKnown):
    """Qualities and times as a test gave them, by model."""

    def __init__(self, known: Sequence[Known]) -> None:
        self.known = {f"m{number}": one for number, one in enumerate(known)}

    def qualities(self, candidates: Sequence[Candidate], chat: ChatRequest) -> list[float]:
        return [self.known[one.model].quality for one in candidates]

    def each(
        self, candidates: Sequence[Candidate], chat: ChatRequest, rng: random.Random | None
    ) -> list[float]:
        assert rng is None, "balanced draws nothing: an explanation must choose the same"
        return [self.known[one.model].seconds for one in candidates]


def candidate(model: str, cost: float | None) -> Candidate:
    return Candidate(Offer(PROVIDER, model, None), None, None, cost)


def pool(known: Sequence[Known]) -> tuple[list[Candidate], Fixed]:
    return [candidate(f"m{n}", one.cost) for n, one in enumerate(known)], Fixed(known)


def ranking(fixed: Fixed, quality: float) -> Ranking:
    chance = random.Random(1)
    return Ranking(chat=chat(), rng=chance, speeds=fixed, scorer=fixed, quality=quality)


def ranked(known: Sequence[Known], quality: float = 5.0) -> list[int]:
    """The places of the candidates in the test's list, in order."""
    candidates, fixed = pool(known)
    return [int(one.model[1:]) for one in balanced.rank(candidates, ranking(fixed, quality))]


def worth(one: Known, known: Sequence[Known]) -> float:
    """Quality less the time term, as routing.md writes it."""
    soonest = min(other.seconds for other in known)
    return one.quality - 0.05 * min(1.0, (one.seconds - soonest) / (soonest + 5))


def dominates(one: Known, other: Known) -> bool:
    assert one.cost is not None
    assert other.cost is not None
    pairs = [(one.quality, other.quality), (-one.cost, -other.cost), (-one.seconds, -other.seconds)]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


# Few different figures, so that equal ones and dominated ones are common.
costs = st.sampled_from([0.0, 0.001, 0.002, 0.01, 0.03]) | st.floats(0, 1)
qualities = st.sampled_from([0.55, 0.64, 0.74, 0.8, 0.86]) | st.floats(0, 1)
times = st.sampled_from([0.2, 1.0, 5.0, 60.0]) | st.floats(0.01, 100)
knowns = st.builds(Known, costs, qualities, times)
pools = st.lists(knowns, min_size=1, max_size=12)
dials = st.sampled_from([0.0, 5.0, 10.0]) | st.floats(0, 10)


@given(st.lists(st.builds(Known, st.none() | costs, qualities, times), max_size=12), dials)
def test_everybody_stays_in_the_chain_once(known: list[Known], dial: float) -> None:
    assert sorted(ranked(known, dial)) == list(range(len(known)))


@given(pools, dials)
def test_the_first_is_never_dominated(known: list[Known], dial: float) -> None:
    first = known[ranked(known, dial)[0]]
    assert not any(dominates(other, first) for other in known)
    timeless = [one._replace(seconds=1.0) for one in known]
    assert not any(dominates(other, first._replace(seconds=1.0)) for other in timeless)


@given(pools, dials)
def test_dominated_ones_stand_behind_all_others(known: list[Known], dial: float) -> None:
    lost = [any(dominates(other, known[i]) for other in known) for i in ranked(known, dial)]
    assert lost == sorted(lost)


@given(
    st.lists(st.builds(Known, st.none() | costs, qualities, times), min_size=1, max_size=12),
    dials,
    st.integers(1, 8),
    st.booleans(),
)
def test_the_first_few_are_the_first_of_all(
    known: list[Known], dial: float, most: int, has_rivals: bool
) -> None:
    candidates, fixed = pool(known)
    lineup = Lineup(candidates, Lineup.of(candidates).costs, (), has_rivals)
    its = ranking(fixed, dial)

    few = balanced.order(lineup, msgspec.structs.replace(its, most=most))

    assert few[:most] == balanced.order(lineup, its)[:most]


@given(pools, dials, st.data())
def test_a_dominated_addition_never_changes_the_first(
    known: list[Known], dial: float, data: st.DataObject
) -> None:
    better = data.draw(st.sampled_from(known))
    assert better.cost is not None
    worse = Known(
        better.cost + data.draw(st.floats(0.001, 1)),
        better.quality - data.draw(st.floats(0, 0.3)),
        better.seconds + data.draw(st.floats(0, 50)),
    )
    assert ranked([*known, worse], dial)[0] == ranked(known, dial)[0]


@given(pools, dials, dials)
def test_raising_the_dial_never_lowers_quality_less_time(
    known: list[Known], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    kept = [k for k in known if not any(dominates(better, k) for better in known)]
    before, after = (worth(known[ranked(known, dial)[0]], kept) for dial in (low, high))
    assert after >= before - 1e-9


@given(pools)
def test_at_the_ends_the_cheapest_and_the_best(known: list[Known]) -> None:
    cheapest, best = known[ranked(known, 0)[0]], known[ranked(known, 10)[0]]
    assert cheapest.cost == min(one.cost for one in known if one.cost is not None)
    instant = [one._replace(seconds=1.0) for one in known]
    best = instant[ranked(instant, 10)[0]]
    assert best.quality == max(one.quality for one in known)


@pytest.mark.parametrize(
    ("dial", "points"),
    [(9, 0.4), (8, 1.3), (7, 2.8), (6, 5.4), (5, 10), (4, 18), (3, 36), (2, 80), (10, 0)],
)
def test_the_dial_means_what_the_page_says(dial: float, points: float) -> None:
    assert balanced.price_of_quality(dial) * 100 == pytest.approx(points, rel=0.08)


def test_at_the_bottom_of_the_dial_quality_has_no_price() -> None:
    assert balanced.price_of_quality(0) == math.inf


def test_the_middle_pays_the_full_price_for_more_than_ten_points() -> None:
    free = Known(0.0, 0.70, 1.0)
    assert ranked([free, Known(0.01, 0.79, 1.0)]) == [0, 1]
    assert ranked([free, Known(0.01, 0.81, 1.0)]) == [1, 0]


def test_a_long_wait_costs_five_points_at_most() -> None:
    quick = Known(0.01, 0.80, 1.0)
    assert ranked([quick, Known(0.01 + 1e-9, 0.84, 1000.0)])[0] == 0
    assert ranked([quick, Known(0.01 + 1e-9, 0.86, 1000.0)])[0] == 1


def test_equal_ones_stand_by_name() -> None:
    assert ranked([Known(0.01, 0.8, 1.0)] * 3) == [0, 1, 2]


def test_keys_of_one_offer_keep_their_order() -> None:
    known = [Known(0.01, 0.8, 1.0)]
    one, other = candidate("m0", 0.01), candidate("m0", 0.01)
    found = balanced.rank([other, one], ranking(Fixed(known), 5))
    assert found[0] is other


def test_what_has_no_price_comes_last_and_the_best_of_those_first() -> None:
    known = [Known(None, 0.86, 1.0), Known(9.0, 0.55, 60.0), Known(None, 0.80, 1.0)]
    assert ranked(known, 10) == [1, 0, 2]
    assert ranked([known[2], known[0]]) == [1, 0]


def test_explanations_get_every_figure() -> None:
    candidates, fixed = pool([Known(0.01, 0.8, 1.0), Known(0.02, 0.8, 1.0), Known(0.02, 0.9, 9.0)])
    found = {one.candidate.model: one for one in balanced.assess(candidates, ranking(fixed, 5))}
    assert [found[name].is_dominated for name in ("m0", "m1", "m2")] == [False, True, False]
    assert found["m0"].utility == pytest.approx(0.8 - 0.1 * 0.5)
    assert found["m2"].utility == pytest.approx(0.9 - 0.1 - 0.05)
    assert (found["m2"].quality, found["m2"].seconds) == (0.9, 9.0)


def test_a_session_may_stay_while_the_best_is_hardly_better() -> None:
    known = [Known(0.01, 0.80, 1.0), Known(0.02, 0.86, 1.0), Known(0.02, 0.85, 1.0)]
    candidates, fixed = pool(known)
    its = ranking(fixed, 5)
    order = balanced.rank(candidates, its)
    assert order[0] is candidates[1]
    assert balanced.lead(order, candidates[1], its) == 0
    assert balanced.lead(order, candidates[0], its) == pytest.approx(0.01)
    assert balanced.lead(order, candidates[2], its) == math.inf


def test_a_session_is_compared_with_the_one_that_would_be_asked_instead() -> None:
    """The best in itself may stand further back, where it is likely to fail."""
    candidates, fixed = pool([Known(0.01, 0.80, 1.0), Known(0.02, 0.86, 1.0)])
    lead = balanced.lead(candidates, candidates[1], ranking(fixed, 5))
    assert lead == pytest.approx(-0.01)


@given(
    st.lists(st.tuples(st.sampled_from(["0.1", "0.4", "2", "10", "50"]), times), min_size=1), dials
)
def test_a_dominated_addition_does_not_move_the_scorer_either(
    offers: list[tuple[str, float]], dial: float
) -> None:
    """With qualities by the real scorer, which sees a pool as a whole."""
    its = Fixed([Known(None, 0.0, seconds) for _, seconds in offers] + [Known(None, 0.0, 101.0)])

    def priced(number: int, output: str, cost: float) -> Candidate:
        return Candidate(Offer(PROVIDER, f"m{number}", None), None, price("1", output), cost)

    candidates = [priced(n, output, float(output)) for n, (output, _) in enumerate(offers)]
    worst = priced(len(offers), "0.05", 51.0)
    body = {"messages": [{"role": "user", "content": "Solve 3x = 12."}]}
    circumstances = Ranking(chat=chat(body=body), speeds=its, scorer=Scorer(), quality=dial)
    before = balanced.rank(candidates, circumstances)[0]
    assert balanced.rank([*candidates, worst], circumstances)[0] is before
