"""Who leads: the figures of the design, and what must hold for any tally."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.judging import standings
from routing.judging.standings import Tally
from routing.scoring import trust

counts = st.integers(0, 2000)
tallies = st.builds(Tally, counts, counts, counts)
MIRROR = {"a_better": "b_better", "b_better": "a_better"}


def test_the_worked_examples() -> None:
    clear, narrow = Tally(300, 0, 200), Tally(120, 0, 80)

    assert standings.interval(clear) == pytest.approx((0.532, 0.668), abs=5e-4)
    assert standings.e_value(clear) == pytest.approx(841, rel=1e-3)
    assert standings.verdict(clear) == "b_better"
    assert standings.interval(narrow) == pytest.approx((0.495, 0.705), abs=5e-4)
    assert standings.e_value(narrow) == pytest.approx(3.16, abs=5e-3)
    assert standings.verdict(narrow) == "not_yet"


def test_half_widths_are_those_that_the_wizard_shows() -> None:
    widths = [standings.half_width(n, 0.25) for n in (100, 200, 400)]

    assert widths == pytest.approx([0.154, 0.108, 0.077], abs=1e-3)


@given(tallies)
def test_the_interval_contains_the_mean_and_stays_within_0_and_1(tally: Tally) -> None:
    found = standings.interval(tally)

    if tally.n < standings.LEAST_PAIRS:
        assert found is None
    else:
        assert found is not None
        assert tally.win_rate is not None
        assert 0 <= found[0] <= tally.win_rate <= found[1] <= 1


@given(tallies, st.integers(1, 4))
def test_swapping_wins_and_losses_mirrors_the_verdict(tally: Tally, challengers: int) -> None:
    said = standings.verdict(tally, challengers=challengers)

    mirrored = standings.verdict(tally.mirrored, challengers=challengers)
    assert mirrored == MIRROR.get(said, said)


@given(tallies)
def test_more_challengers_never_make_a_verdict_easier(tally: Tally) -> None:
    if standings.verdict(tally) == "not_yet":
        assert standings.verdict(tally, challengers=3) == "not_yet"


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_ties_add_no_evidence(wins: int, ties: int) -> None:
    assert standings.e_value(Tally(wins, ties, 7)) == standings.e_value(Tally(wins, 0, 7))


def test_fewer_than_fifty_pairs_say_nothing_however_clear() -> None:
    assert standings.verdict(Tally(49, 0, 0)) == "not_yet"
    assert standings.verdict(Tally(50, 0, 0)) == "b_better"


def test_arms_that_are_equal_are_called_so_after_many_pairs() -> None:
    assert standings.verdict(Tally(750, 0, 750)) == "practically_equal"


def test_the_pairs_still_needed_end_in_a_verdict() -> None:
    needed = standings.pairs_needed(Tally(60, 0, 40))

    assert needed is not None
    assert standings.verdict(Tally(round(needed * 0.6), 0, round(needed * 0.4))) == "b_better"
    assert standings.pairs_needed(Tally()) is None


def test_newcombes_bound_is_his() -> None:
    # Newcombe 1998, table II: 56/70 against 48/80 is .2000, method 10 gives .0524 to .3339.
    assert standings.excess_of_errors(48, 80, 56, 70) == pytest.approx(0.0524, abs=5e-4)


def test_a_judge_who_follows_the_order_is_unreliable_after_thirty_pairs() -> None:
    assert not trust.is_unreliable(0, 29)
    assert trust.is_unreliable(17, 30)
    assert not trust.is_unreliable(18, 30)


def test_what_few_pairs_can_see_is_told() -> None:
    edges = [standings.visible_edge(n) for n in (100, 200, 400)]

    assert edges == pytest.approx([0.645, 0.605, 0.576], abs=0.01)
    assert standings.visible_edge(49) is None
