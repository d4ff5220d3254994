"""What labels teach, and how they fade."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.scoring.learned import Judged, Knowledge, Learner, Rated

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HALF_LIFE = timedelta(days=60)


def learner(**priors: float) -> Learner:
    return Learner(lambda name: priors.get(name, 0.7))


def judged(a: str, b: str, score: float, *, task: str = "chat", at: datetime = NOW) -> Judged:
    return Judged(a=a, b=b, score=score, task=task, at=at)


def rated(model: str, score: float, *, task: str = "chat", at: datetime = NOW) -> Rated:
    return Rated(model=model, score=score, task=task, at=at)


def gap(known: Knowledge, task: str = "chat") -> float:
    a, b = known.quality(task, "a"), known.quality(task, "b")
    assert a is not None
    assert b is not None
    return b - a


def wins(count: int, *, task: str = "chat", at: datetime = NOW) -> list[Judged]:
    return [judged("a", "b", 1.0, task=task, at=at)] * count


def taught(*labels: Judged) -> Learner:
    its = learner()
    for label in labels:
        its.judged(label)
    return its


def test_nothing_is_known_of_models_that_nobody_judged() -> None:
    assert taught().solve(NOW).quality("chat", "a") is None
    assert taught(*wins(3)).solve(NOW).quality("chat", "c") is None


def test_few_labels_move_little_and_many_move_much() -> None:
    few, many = (gap(taught(*wins(count)).solve(NOW)) for count in (1, 100))
    assert 0 < few < 0.2
    assert many > 0.5


def test_ties_bring_models_together() -> None:
    its = learner(a=0.5, b=0.8)
    for _ in range(100):
        its.judged(judged("a", "b", 0.5))
    assert 0 < gap(its.solve(NOW)) < 0.03


def test_one_label_of_equal_priors_is_shared_as_the_formula_says() -> None:
    known = taught(*wins(1)).solve(NOW)
    # q_b = (20·.7 + q_a + 1)/21 and q_a = (20·.7 + q_b − 1)/21, so the gap is 2/22.
    assert gap(known, "of no task") == pytest.approx(2 / 22)
    # The task starts from there: 20/22 of that gap, and the label once more.
    assert gap(known, "chat") == pytest.approx(2 / 22 * 20 / 22 + 2 / 22)


def test_a_rival_of_a_rival_is_judged_through_it() -> None:
    labels = [judged("a", "b", 1.0), judged("b", "c", 1.0)] * 50
    known = taught(*labels).solve(NOW)
    assert gap(known) > 0
    assert (known.quality("chat", "c") or 0) > (known.quality("chat", "b") or 0)


def test_a_task_learns_from_its_own_labels_and_starts_from_all() -> None:
    known = taught(*wins(60, task="code"), judged("b", "a", 1.0, task="maths")).solve(NOW)
    assert gap(known, "code") > gap(known, "chat") > 0
    assert 0 < gap(known, "maths") < gap(known, "code")
    assert known.labels == {"code": 60, "maths": 1}


def test_a_label_counts_half_after_sixty_days() -> None:
    old = taught(*wins(40, at=NOW - HALF_LIFE)).solve(NOW)
    assert gap(old) == pytest.approx(gap(taught(*wins(20)).solve(NOW)))
    assert old.labels == {"chat": pytest.approx(20)}


@given(st.permutations([(0, 1.0), (30, 0.0), (90, 0.5), (400, 1.0), (1, 0.0)]))
def test_the_order_of_labels_does_not_matter(labels: list[tuple[int, float]]) -> None:
    found = taught(*(judged("a", "b", x, at=NOW - timedelta(days=d)) for d, x in labels)).solve(NOW)
    ordered = sorted(labels)
    same = taught(*(judged("a", "b", x, at=NOW - timedelta(days=d)) for d, x in ordered)).solve(NOW)
    assert gap(found) == pytest.approx(gap(same))


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=30))
def test_naming_the_pair_the_other_way_round_changes_nothing(scores: list[float]) -> None:
    one, other = learner(a=0.5, b=0.6), learner(a=0.5, b=0.6)
    for score in scores:
        one.judged(judged("a", "b", score))
        other.judged(judged("b", "a", 1 - score))
    assert one.solve(NOW) == other.solve(NOW)


def test_a_model_compared_with_itself_teaches_nothing() -> None:
    assert taught(judged("a", "a", 1.0)).solve(NOW) == Knowledge()


def test_users_scores_move_the_models_they_prefer_up() -> None:
    its = learner()
    for _ in range(200):
        its.rated(rated("a", -0.5))
        its.rated(rated("b", 0.5))
    assert 0.05 < gap(its.solve(NOW)) < 0.5


def test_a_users_score_counts_a_quarter_of_a_label() -> None:
    its = learner()
    its.rated(rated("a", -1.0))
    its.rated(rated("b", 1.0))
    # Each differs by ±1/2 from the mean of both: q = (20·.7 + .25·(.7 ± .5))/20.25.
    assert gap(its.solve(NOW), "of no task") == pytest.approx(2 * 0.25 * 0.5 / 20.25)


def test_users_who_like_everything_prefer_nothing() -> None:
    its = learner(a=0.5, b=0.8)
    for _ in range(500):
        its.rated(rated("a", 1.0))
    assert its.solve(NOW).quality("chat", "a") == pytest.approx(0.5)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from([0.0, 1.0])),
        max_size=60,
    )
)
def test_qualities_stay_between_nothing_and_all(labels: list[tuple[str, str, float]]) -> None:
    known = taught(*(judged(a, b, x) for a, b, x in labels)).solve(NOW)
    assert all(0 <= quality <= 1 for quality in known.overall.values())


WEAK, STRONG = {"a": 0.60, "b": 0.74}, ("apples pears", "rivers lakes")


def worded(count: int, *, meaning: bool) -> Learner:
    """Labels where one kind of prompt needs the better model, and the other does not."""
    its, chance = learner(**WEAK), random.Random(4)
    for number in range(count):
        kind = number % 2
        better = 0.9 if meaning and kind else 0.5
        text = f"{STRONG[kind]} {chance.randrange(50):03d}"
        its.judged(judged("a", "b", float(chance.random() < better)), text)
        if number % 50 == 0:
            its.solve(NOW)
    return its


def test_words_count_only_after_two_hundred_labels_and_while_they_help() -> None:
    assert not worded(199, meaning=True).solve(NOW).words
    assert worded(600, meaning=True).solve(NOW).words


def test_several_labels_of_a_day_count_as_one_by_one() -> None:
    one, other = learner(), learner()
    for _ in range(30):
        one.judged(judged("a", "b", 0.5))
        one.rated(rated("a", 0.4))
    other.judged(Judged(a="a", b="b", score=0.5, task="chat", at=NOW, count=30))
    other.rated(Rated(model="a", score=0.4, task="chat", at=NOW, count=30))
    same, known = one.solve(NOW), other.solve(NOW)
    assert same.overall == pytest.approx(known.overall)
    assert same.measured["chat"]["a"][2] == pytest.approx(known.measured["chat"]["a"][2])


def compared(*outcomes: tuple[float, int]) -> Learner:
    """b, the weaker one before, against a: so many pairs of each outcome."""
    its = learner(a=0.8, b=0.6)
    for score, count in outcomes:
        its.judged(Judged(a="a", b="b", score=score, task="chat", at=NOW, count=count))
    return its


def test_a_rate_counts_ties_as_not_lost_and_is_shrunk_like_qualities() -> None:
    known = compared((1.0, 10), (0.5, 60), (0.0, 10)).solve(NOW)
    qualities, measured = known.by_task["chat"], known.measured["chat"]
    believed = 1 - qualities["a"] * (1 - qualities["b"])
    assert measured["a"] == ("a", None, 1.0)
    assert measured["b"].pairs == pytest.approx(80)
    assert measured["b"].win_or_tie == pytest.approx((20 * believed + 70) / 100)


def test_the_better_one_by_the_labels_is_the_yardstick() -> None:
    measured = compared((1.0, 100)).solve(NOW).measured["chat"]
    assert measured["b"] == ("b", None, 1.0)
    assert measured["a"].win_or_tie < 0.25


def test_nothing_is_measured_by_fewer_than_twenty_pairs_or_by_scores() -> None:
    its = compared((0.5, 19))
    its.rated(Rated(model="b", score=1.0, task="chat", at=NOW, count=500))
    assert its.solve(NOW).measured == {"chat": {}}
    its.judged(judged("a", "b", 0.5))
    assert set(its.solve(NOW).measured["chat"]) == {"a", "b"}


def test_scores_of_no_known_task_teach_of_all_tasks_together() -> None:
    its = learner()
    its.rated(Rated(model="a", score=-0.5, task="", at=NOW, count=100))
    its.rated(Rated(model="b", score=0.5, task="", at=NOW, count=100))
    known = its.solve(NOW)
    assert gap(known, "code") == gap(known, "chat") > 0.05
