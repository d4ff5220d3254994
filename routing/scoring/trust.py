"""Whether a judge's verdicts say anything: by his canaries, and by both orders of a pair. Pure."""

from routing.scoring.constants import LEAST_CONSISTENT, LEAST_JUDGED, LEAST_RIGHT


def is_unreliable(consistent: int, n: int) -> bool:
    """Whether the judge decides by the order of the answers too often."""
    return n >= LEAST_JUDGED and consistent / n < LEAST_CONSISTENT


def falls_for_canaries(right: int | None) -> bool:
    """Whether the judge missed too many pairs whose better answer is known."""
    return (right or 0) < LEAST_RIGHT
