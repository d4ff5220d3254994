"""Money is exact, and whatever is not exact is refused."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import money

AMOUNTS = st.decimals(allow_nan=True, allow_infinity=True) | st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**27), 10**27),
    st.integers(-40, 20),
)


@given(st.integers(min_value=-(10**18), max_value=10**18))
def test_every_pico_dollar_survives_the_way_to_the_database_and_back(pico: int) -> None:
    assert money.to_pico(money.from_pico(pico)) == pico


@given(AMOUNTS)
def test_an_amount_is_booked_exactly_or_refused(amount: Decimal) -> None:
    """Judged by fractions, which know no rounding."""
    fits = (
        amount.is_finite()
        and abs(Fraction(amount)) <= 9_000_000
        and (Fraction(amount) * 10**12).denominator == 1
    )
    try:
        pico = money.to_pico(amount)
    except money.InexactMoney:
        assert not fits
    else:
        assert fits
        assert Fraction(pico, 10**12) == Fraction(amount)


@pytest.mark.parametrize(
    "text",
    [
        *("1e-13", "NaN", "sNaN", "Infinity", "-Infinity", "9000001", "9000000.000000000001"),
        *("-0.1", "-1e-12", "", "a", "1,5", "1.5 USD", "0x1", "1e999999", "1e-999999", "1e9999999"),
        "0.1000000000000000000000000000001",  # more digits than a context keeps
        "8999999.9999999999999999999999999",
    ],
)
def test_an_amount_that_cannot_be_booked_exactly_is_refused(text: str) -> None:
    with pytest.raises(money.InexactMoney):
        money.parse(text)


@pytest.mark.parametrize(
    ("text", "pico"),
    [
        ("0", 0),
        ("-0", 0),
        ("0.000000000001", 1),
        ("0.0021", 2_100_000_000),
        ("10.00", 10 * 10**12),
        ("9000000", 9_000_000 * 10**12),
        ("1e-12", 1),
        ("1.50000000000000000000000000000000000000", 1_500_000_000_000),
    ],
)
def test_an_amount_that_people_write_is_read(text: str, pico: int) -> None:
    assert money.to_pico(money.parse(text)) == pico


def test_the_largest_amount_fits_the_column_a_thousand_times() -> None:
    assert money.to_pico(money.LARGEST) < 2**63


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**6), max_value=10**6))
def test_the_nearest_amount_is_half_a_pico_dollar_away_at_most(figure: Decimal) -> None:
    nearest = money.nearest(figure)

    assert abs(Fraction(nearest) - Fraction(figure)) <= Fraction(1, 2 * 10**12)
    assert money.from_pico(money.to_pico(nearest)) == nearest


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "1e308", "9000001", "-9000001"])
def test_a_figure_that_no_booking_could_hold_has_no_nearest_amount(figure: str) -> None:
    with pytest.raises(InvalidOperation):
        money.nearest(Decimal(figure))


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0"),
        ("0.002000", "0.002"),
        ("1E-12", "0.000000000001"),
        ("120", "120"),
        ("1.2E+2", "120"),
        ("0E-12", "0"),
    ],
)
def test_amounts_are_shown_without_exponent_or_trailing_zeros(amount: str, shown: str) -> None:
    assert money.plain(Decimal(amount)) == shown


@given(st.integers(0, 9 * 10**18))
def test_what_is_shown_is_the_exact_amount(pico: int) -> None:
    shown = money.plain(money.from_pico(pico))

    assert money.to_pico(money.parse(shown)) == pico
    assert "E" not in shown
    assert not (("." in shown) and shown.endswith(("0", ".")))
