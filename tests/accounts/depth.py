"""How deep a property is searched: quick in every run, deep with FLO2_TEST_FULL=1."""

import os

from hypothesis import HealthCheck, settings

FULL = os.environ.get("FLO2_TEST_FULL") == "1"


def examples(quick: int, *, full: int = 0) -> settings:
    """So many examples; databases make them slow, which is no failure."""
    return settings(
        max_examples=(full or quick * 20) if FULL else quick,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
