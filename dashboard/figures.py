"""How figures are written for people: one form for each kind, everywhere. Pure.

Rounding happens here and nowhere else; the exact value goes along in a title.
"""

from decimal import Decimal

MINUS = "\N{MINUS SIGN}"
_SMALLEST = Decimal("0.000001")


def usd(amount: Decimal) -> str:
    """US dollars with two decimals, or as many as show three digits, at most six.

    >>> [usd(Decimal(text)) for text in ("1234.5", "0.5", "0.002104", "0.0000001", "0")]
    ['$1,234.50', '$0.50', '$0.00210', '<$0.000001', '$0.00']
    """
    size = abs(amount)
    sign = MINUS if amount < 0 else ""
    if not size:
        return "$0.00"
    if size < _SMALLEST:
        return f"<{sign}${_SMALLEST}"
    places = min(6, max(2, 2 - size.adjusted()))
    text = f"{size:,.{places}f}"
    if Decimal(text.replace(",", "")) == size:  # zeros at the end would claim a rounding
        whole, _, decimals = text.partition(".")
        text = f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
    return f"{sign}${text}"


def milliseconds(count: int) -> str:
    """A duration: milliseconds, seconds from one second on, minutes from one minute on."""
    if count < 1000:
        return f"{count} ms"
    seconds = count / 1000
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def whole(count: int) -> str:
    return f"{count:,}"


def percent(share: float) -> str:
    """A share of 1 in percent; 100 % and 0 % are said only of all and of none.

    >>> [percent(share) for share in (1, 0.9999, 0.5, 0.0001, 0)]
    ['100 %', '99.9 %', '50.0 %', '0.1 %', '0 %']
    """
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    return f"{min(99.9, max(0.1, share * 100)):.1f} %"
