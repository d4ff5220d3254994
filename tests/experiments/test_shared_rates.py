"""A limit on requests shared by worker processes over Redis: none too many, and none lost.

What counts is when Redis counted each call. It is read from Redis as the time passes, and lies
between the moments at which a process asked and was answered. The short form is in
`tests/billing/test_rates.py`: these take minutes, and a machine that lets processes answer Redis in
time.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings
from redis import Redis

from billing.shared_rates import PREFIX
from tests.experiments.spenders import FULL, PROCESSES, Spenders, Watch, orders
from tests.factories.accounts import TenantFactory, issue_gateway_key

LIMIT = 60
WINDOW = 60_000  # ms, in which Redis counts

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not settings.REDIS_URL, reason="needs a Redis server"),
    pytest.mark.skipif(not FULL, reason="takes eight minutes"),
]


def test_a_crowd_at_all_workers_gets_the_limit_and_no_more(tmp_path: Path) -> None:
    """All ask at once and go on asking."""
    counted = _admissions(tmp_path, callers=10, pauses=0.2, seconds=125.0)

    assert sum(at < counted[0] + WINDOW for at in counted) == LIMIT
    assert max(_within(counted, counted[0])) == LIMIT


def test_in_any_sixty_seconds_workers_that_share_a_limit_admit_all_of_it(tmp_path: Path) -> None:
    """At first one asks each second, so that places become free one by one; then all ask often."""
    rest = {"begins": time.monotonic() + 8, "ramp": 60.0, "every": 1.0}
    counted = _admissions(tmp_path, callers=5, pauses=0.4, seconds=240.0, **rest)

    assert max(_within(counted, counted[0])) <= LIMIT
    assert set(_within(counted, counted[0] + 2 * WINDOW)) == {LIMIT - 1, LIMIT}


def _admissions(folder: Path, **work: float) -> list[int]:
    """When Redis counted each call that the processes together admitted: ms, in order."""
    watch, tenant = Watch(), TenantFactory.create()
    keys = [issue_gateway_key(tenant).record]
    with ExitStack() as stack:
        counted = stack.enter_context(_read_along(keys[0].lineage))
        given = orders([tenant], [], keys, requests=LIMIT, tells_times=True, **work)
        told = Spenders(stack, folder, given).finish()
    times = list(itertools.chain.from_iterable(its.pop("times", []) for its in told))
    print(f"{len(times)} admitted in {work['seconds']:.0f} s: {told}; {watch}")
    assert len(told) == PROCESSES
    assert {call for call, _, _ in times} == set(counted)
    assert all(int(asked * 1000) <= counted[call] <= ended * 1000 for call, asked, ended in times)
    return sorted(counted.values())


@contextmanager
def _read_along(lineage: UUID) -> Iterator[dict[str, int]]:
    """The calls in Redis's window, with the ms at which each was counted, as long as it lasts."""
    found: dict[str, int] = {}
    over = threading.Event()

    def read() -> None:
        with Redis.from_url(settings.REDIS_URL) as redis:
            while True:
                is_last = over.wait(WINDOW / 1000 / 6)
                for call, at in redis.zrange(f"{PREFIX}{lineage.hex}:r", 0, -1, withscores=True):
                    found[call.decode()] = int(at)
                if is_last:
                    return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        over.set()
        reader.join()


def _within(counted: list[int], since: int) -> list[int]:
    """How many were counted in the sixty seconds up to each admission, and just before it."""
    found = []
    for at in counted:
        if at >= since:
            within = sum(at - WINDOW < one <= at for one in counted)
            found += [within, within - 1]
    print(f"{min(found)} to {max(found)} in any 60 s")
    return found
