"""Periods of whole UTC days."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import ids
from billing import periods
from billing.periods import BadPeriod, Period

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = date(2026, 11, 20)


def test_a_period_includes_both_its_ends() -> None:
    period = Period(date(2026, 11, 18), TODAY)

    assert period.days == 3
    assert list(period) == [date(2026, 11, 18), date(2026, 11, 19), TODAY]
    assert period.start == datetime(2026, 11, 18, tzinfo=UTC)
    assert period.end == datetime(2026, 11, 21, tzinfo=UTC)


@given(st.dates(date(1970, 1, 1), date(9998, 1, 1)), st.integers(0, periods.LONGEST_DAYS - 1))
def test_a_period_is_as_long_as_its_days(first: date, more: int) -> None:
    period = Period(first, min(first + timedelta(more), date(9998, 12, 31)))

    assert period.end - period.start == timedelta(period.days)
    assert len(list(period)) == period.days


def test_the_last_days_end_today_in_utc() -> None:
    east = timezone(timedelta(hours=13))

    assert periods.last_days(7, NOW) == Period(date(2026, 11, 14), TODAY)
    assert periods.last_days(1, NOW.astimezone(east)) == Period(TODAY, TODAY)


@pytest.mark.parametrize(
    ("first", "last", "period"),
    [
        ("", "", Period(date(2026, 10, 22), TODAY)),
        ("2026-11-01", "", Period(date(2026, 11, 1), TODAY)),
        ("", "2026-11-10", Period(date(2026, 10, 12), date(2026, 11, 10))),
        ("2026-11-01", "2026-11-01", Period(date(2026, 11, 1), date(2026, 11, 1))),
        (
            "2026-11-01T10:00:00Z",
            "2026-11-02T00:00:00Z",
            Period(date(2026, 11, 1), date(2026, 11, 2)),
        ),
        ("1970-01-01", "1970-01-02", Period(date(1970, 1, 1), date(1970, 1, 2))),
        ("9998-12-31", "9998-12-31", Period(date(9998, 12, 31), date(9998, 12, 31))),
    ],
)
def test_a_period_is_read_from_two_dates(first: str, last: str, period: Period) -> None:
    assert periods.read(first, last, now=NOW) == period


@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        ("2026-11-21", "2026-11-20", "ends before it starts"),
        ("2025-10-16", "2026-11-20", "at most 400 days"),
        ("yesterday", "", "2026-11-20"),
        ("2026-13-01", "", "2026-11-20"),
        ("2026-02-30", "", "2026-11-20"),
        ("9999-12-31", "9999-12-31", "between 1970 and 9998"),
        ("0001-01-01", "0001-01-02", "between 1970 and 9998"),
        ("", "0001-01-02", "dates"),
    ],
)
def test_what_is_no_period_is_refused_with_the_reason(first: str, last: str, says: str) -> None:
    with pytest.raises(BadPeriod, match=says):
        periods.read(first, last, now=NOW)


@given(st.integers(0, 250_000_000_000))
def test_the_id_of_a_call_that_took_an_hour_to_open_lies_within_the_bounds(second: int) -> None:
    opened_at = datetime(1970, 1, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    arrived = ids.first_after(int((opened_at - timedelta(minutes=59)).timestamp() * 1000))

    assert periods.first_id(opened_at) <= arrived < periods.id_after(opened_at)
