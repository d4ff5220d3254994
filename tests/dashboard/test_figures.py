"""Figures and drawings: pure functions."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from billing import latency
from dashboard import charts, figures, marks, words
from routing.upstream.failures import FailureKind

DAYS = [date(2026, 11, 1) + timedelta(days=ago) for ago in range(3)]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"), ("0.5", "$0.50"), ("0.002", "$0.002"), ("0.002104", "$0.00210"),
        ("12.346", "$12.35"), ("1234567.891", "$1,234,567.89"), ("0.000123456", "$0.000123"),
        ("0.0000004", "<$0.000001"), ("0.9999", "$1.000"), ("-3", "−$3.00"),
    ],
)  # fmt: skip
def test_money_has_one_form(amount: str, shown: str) -> None:
    assert figures.usd(Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1.00 s"), (12_345, "12.3 s"), (125_000, "2 min 5 s")],
)
def test_durations_grow_with_their_unit(count: int, shown: str) -> None:
    assert figures.milliseconds(count) == shown


def test_all_and_none_are_said_only_of_all_and_of_none() -> None:
    assert [figures.percent(share) for share in (0, 0.00001, 0.5, 0.99999, 1)] == [
        "0 %", "0.1 %", "50.0 %", "99.9 %", "100 %",
    ]  # fmt: skip


def test_a_stack_adds_up_to_the_day() -> None:
    amounts = {(DAYS[0], "a"): Decimal("0.3"), (DAYS[0], "b"): Decimal("0.1")}

    chart = charts.stacked(DAYS, amounts, {})

    assert chart is not None
    assert [column.total for column in chart.columns] == [Decimal("0.4"), 0, 0]
    assert [series.name for series in chart.series] == ["a", "b"]
    assert chart.ticks == ("$0.40", "$0.30", "$0.20", "$0.10", "$0.00")
    lower, upper = chart.columns[0].bars
    assert lower.y + lower.height == charts.HEIGHT
    assert upper.y + upper.height == lower.y
    assert lower.height == pytest.approx(3 * upper.height)


def test_nothing_spent_is_no_chart() -> None:
    assert charts.stacked(DAYS, {(DAYS[0], "a"): Decimal(0)}, {}) is None


def test_many_names_share_the_last_bar() -> None:
    amounts = {(DAYS[0], f"m{number}"): Decimal(number) for number in range(1, 12)}

    chart = charts.stacked(DAYS, amounts, {})

    assert chart is not None
    assert len(chart.series) == marks.TINTS + 1
    assert (chart.series[-1].name, chart.series[-1].total) == (charts.OTHER, Decimal(1 + 2 + 3 + 4))
    assert chart.columns[0].total == sum(range(1, 12))


def test_a_name_keeps_its_colour_unless_a_dearer_one_has_it() -> None:
    amounts = {(DAYS[0], "a"): Decimal(2), (DAYS[0], "b"): Decimal(1)}

    chart = charts.stacked(DAYS, amounts, {"a": 3, "b": 3})

    assert chart is not None
    assert [series.tint for series in chart.series] == [3, 0]


def test_an_attempt_lies_where_its_time_lies() -> None:
    span = charts.span(250, 500, 1000, total=1000)

    assert (span.x, span.width, span.first_token) == (250, 750, 500)


def test_an_attempt_of_no_time_is_still_seen() -> None:
    span = charts.span(1000, None, 1000, total=1000)

    assert (span.x, span.width) == (996, 4)


def test_percentiles_are_values_that_occurred() -> None:
    assert latency.percentile([5], 95) == 5
    assert latency.percentile(range(1, 101), 95) == 95
    assert latency.percentile([], 50) is None


def test_every_outcome_has_a_word() -> None:
    assert {kind.value for kind in FailureKind} <= set(words.OUTCOMES)
    assert {"answered", "lost", "cancelled", "cut", "empty"} <= set(words.OUTCOMES)


def test_a_reason_is_said_in_words() -> None:
    assert words.reason("fallback:rate_limit") == "Fallback: rate limited before"
    assert words.reason("cheapest") == "Cheapest candidate"
    assert words.reason("something_new") == "something_new"


def test_marks_of_providers_tell_them_apart() -> None:
    assert [marks.letters_of(label) for label in ("OpenAI", "OpenRouter", "Groq")] == [
        "OA",
        "OR",
        "Gr",
    ]
