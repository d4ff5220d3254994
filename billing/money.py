"""Money: exact decimals of US dollars. Pure.

In code a `Decimal`; in tables, counters and journals an integer of 10⁻¹² USD (a pico-dollar), the
price of one token at 10⁻⁶ USD per million. Nothing is rounded on the way: a value that is not a
whole number of pico-dollars is refused, and people see rounded figures only in templates.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation

PICO = Decimal("1e-12")
PICOS_PER_USD = 10**12
LARGEST = Decimal(9_000_000)  # keeps every sum within a 64-bit integer
ZERO = Decimal(0)
_EXACT = Context(prec=28, traps=[InvalidOperation, Inexact])


class InexactMoney(ValueError):
    """The amount is not a whole number of pico-dollars, not finite, or too large."""


def to_pico(amount: Decimal) -> int:
    """The amount as a whole number of 10⁻¹² USD. Raises InexactMoney."""
    if not amount.is_finite() or amount.copy_abs() > LARGEST:
        raise InexactMoney(str(amount))
    try:
        scaled = amount.scaleb(12, _EXACT)
    except Inexact:
        raise InexactMoney(str(amount)) from None
    pico = int(scaled)
    if pico != scaled:
        raise InexactMoney(str(amount))
    return pico


def from_pico(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-12)


def parse(text: str) -> Decimal:
    """A non-negative amount from text such as `"0.0021"`. Raises InexactMoney."""
    try:
        amount = Decimal(text)
        to_pico(amount)
    except InvalidOperation:
        raise InexactMoney(text) from None
    if amount < 0:
        raise InexactMoney(text)
    return amount


def nearest(amount: Decimal) -> Decimal:
    """Someone else's figure (a provider's float) at our precision, for comparison only.

    Raises InvalidOperation for one that no booking could hold, NaN among them.
    """
    if not amount.is_finite() or amount.copy_abs() > LARGEST:
        raise InvalidOperation(str(amount))
    return amount.quantize(PICO)


def plain(amount: Decimal) -> str:
    """The exact amount without exponent or trailing zeros: what APIs answer."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
