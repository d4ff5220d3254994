"""Closed lists of names, written as texts. Pure."""


def listed(names: str) -> frozenset[str]:
    """The names in a text, each apart from the next by a blank."""
    return frozenset(names.split())
