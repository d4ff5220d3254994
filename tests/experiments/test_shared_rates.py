"""A limit on requests shared by worker processes over Redis: none too many, and none lost.

The short form is in `tests/billing/test_rates.py`: these take minutes, and a machine that lets
processes answer Redis in time.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from tests.experiments.spenders import FULL, PROCESSES, Spenders, Watch, orders
from tests.factories.accounts import TenantFactory, issue_gateway_key

LIMIT = 60
WINDOW = 60.0
REDIS_MS = 0.001  # Redis counts in whole milliseconds

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not settings.REDIS_URL, reason="needs a Redis server"),
    pytest.mark.skipif(not FULL, reason="takes eight minutes"),
]


def test_a_crowd_at_all_workers_gets_the_limit_and_no_more(tmp_path: Path) -> None:
    """All ask at once and go on asking."""
    watch = Watch()
    times, told = _admissions(tmp_path, callers=10, pauses=0.2, seconds=125.0)

    print(f"{len(times)} admitted in 125 s: {told}; {watch}")
    assert sum(ended - times[0][0] < WINDOW for _, ended in times) == LIMIT
    assert _at_most_the_limit(times)


def test_in_any_sixty_seconds_workers_that_share_a_limit_admit_all_of_it(tmp_path: Path) -> None:
    """At first one asks each second, so that places become free one by one; then all ask often."""
    watch = Watch()
    rest = {"begins": time.monotonic() + 8, "ramp": 60.0, "every": 1.0}
    times, told = _admissions(tmp_path, callers=5, pauses=0.4, seconds=240.0, **rest)

    ends = [ended for _, ended in times]
    steady = [at for at in ends if at > times[0][0] + WINDOW]
    counts = _counts(ends, steady[0] + WINDOW)
    print(f"{len(times)} admitted, {min(counts)} to {max(counts)} in any 60 s: {told}")
    gaps = [late - early for early, late in zip(steady, steady[LIMIT - 1 :], strict=False)]
    print(f"59 follow within {max(gaps):.3f} s; {watch}")
    assert _at_most_the_limit(times)
    assert max(gaps) <= WINDOW  # behind each that is admitted 59 more in sixty seconds


def _admissions(
    folder: Path, **work: float
) -> tuple[list[tuple[float, float]], list[dict[str, object]]]:
    """When all processes together admitted calls: before and after each; and what they told."""
    tenant = TenantFactory.create()
    keys = [issue_gateway_key(tenant).record]
    with ExitStack() as stack:
        given = orders([tenant], [], keys, requests=LIMIT, tells_times=True, **work)
        told = Spenders(stack, folder, given).finish()
    times = [tuple(one) for its in told for one in its.pop("times", [])]
    assert len(told) == PROCESSES
    return sorted(times, key=lambda both: both[1]), told


def _at_most_the_limit(times: list[tuple[float, float]]) -> bool:
    """Whether the one that comes sixty admissions later may have been counted a minute later."""
    pairs = zip(times, times[LIMIT:], strict=False)
    least = min((late[1] - early[0] for early, late in pairs), default=WINDOW)
    print(f"between an admission and the sixtieth after it at least {least:.4f} s")
    return least >= WINDOW - REDIS_MS


def _counts(ends: list[float], since: float) -> list[int]:
    """How many were admitted in the sixty seconds up to each admission, and just before it."""
    found = []
    for at in ends:
        if at >= since:
            within = sum(at - WINDOW < one <= at for one in ends)
            found += [within, within - 1]
    return found
