"""Whole numbers as people and programs write them. Pure."""

LONGEST = 18  # digits: longer ones are no count of anything, and slow to read


class NotAWholeNumber(ValueError):
    """Something else than so many ASCII digits, or out of range."""


def read(text: str, *, least: int = 0, most: int) -> int:
    """The number that a text writes in ASCII digits, from `least` to `most`.

    Raises NotAWholeNumber. `int()` reads more (`١٢`, `1_0`), and `str.isdigit()` takes what `int()`
    does not (`²`).
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST):
        raise NotAWholeNumber
    number = int(text)
    if not least <= number <= most:
        raise NotAWholeNumber
    return number
