"""What this process knows of providers: one view per mode and tenant, and what all share."""

import math
import time
from collections.abc import Callable
from random import Random
from uuid import UUID

from routing.health import cells
from routing.health.breakers import Breaker, Rest
from routing.health.cells import Sums
from routing.health.commons import Commons
from routing.health.known import Known
from routing.health.lengths import Lengths
from routing.health.outbox import News, Outbox, Took
from routing.health.outbox import Tenant as TenantNews
from routing.health.speeds import Cell, Outcomes, Speeds

MOST_TENANTS = 2_000  # remembered at a time
OLDEST_NEWS_SECONDS = 1800.0


class State:
    """The knowledge of one process. For the thread of its event loop alone."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, rng: Random | None = None
    ) -> None:
        self.clock = clock
        self.outbox = Outbox()
        self._rng = rng or Random()  # noqa: S311  jitter, not secrets
        self._known: dict[tuple[str, UUID], Known] = {}
        self._twins: dict[str, Speeds] = {}
        self._commons: dict[str, Commons] = {}

    def of(self, mode: str, tenant: UUID) -> Known:
        """What a tenant knows in a mode."""
        name = (mode, tenant)
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._new(name)
            if len(self._known) > MOST_TENANTS:
                self._forget_idle()
        known.used_at = self.clock()
        return known

    def forget(self) -> None:
        """Know nothing any more."""
        self._known.clear()
        self._twins.clear()
        self._commons.clear()

    def _new(self, name: tuple[str, UUID]) -> Known:
        mode = name[0]
        twin = self._twins.get(mode)
        if twin is None:
            twin = self._twins[mode] = Speeds(Lengths())
            self._commons[mode] = Commons()
        return Known(
            name,
            twin=twin,
            commons=self._commons[mode],
            outbox=self.outbox,
            clock=self.clock,
            rng=self._rng,
        )

    def _forget_idle(self) -> None:
        """Drop the quarter of the tenants that was not seen for longest."""
        idle = sorted(self._known.values(), key=lambda known: known.used_at)
        for known in idle[: len(idle) // 4]:
            del self._known[known.name]

    # What other processes learned ----------------------------------------------------------------

    def hear(self, news: News, *, wall_now: float) -> None:
        """Add what another process saw."""
        age = max(0.0, wall_now - news.at)
        if age > OLDEST_NEWS_SECONDS:
            return
        for tenant in news.tenants:
            known = self.of(tenant.mode, tenant.tenant)
            _learn_speeds(known.speeds, tenant, at=self.clock() - age)
            _learn_refusals(known, tenant, age=age)


def _learn_speeds(speeds: Speeds, news: TenantNews, *, at: float) -> None:
    """Sums are faded to now and added; those that are late count less."""
    every = (speeds, speeds.twin) if speeds.twin else (speeds,)
    for one in every:
        for slot, count in news.decisions.items():
            one.decisions[slot] += count
        for slot, provider, model, took in news.took:
            cell = one.cells.setdefault((slot, provider, model), Cell())
            _merge(cell.sums, took, one.decisions[slot], at)
            for place, count in took.bins.items():
                for _ in range(min(count, 100)):
                    cell.histogram.add(cells.edge(place + 0.5))
            one.forget_arms((provider, model))
        for provider, model, pace in news.paces:
            sums = one.paces.setdefault((provider, model), Sums())
            _merge(sums, pace, sum(one.decisions), at)
    for provider, model, ended in news.ended:
        found = speeds.outcomes.setdefault((provider, model), Outcomes())
        found.fade(sum(speeds.decisions), max(at, found.at))
        weight = 2.0 ** -((found.at - at) / cells.HALF_SECONDS)
        found.bad += ended.bad * weight
        found.good += ended.good * weight
        if ended.bad:
            found.lost_s = max(found.lost_s, ended.lost_s / ended.bad)
        speeds.forget_arms((provider, model))


def _merge(sums: Sums, took: Took, calls: float, at: float) -> None:
    sums.fade(calls, max(at, sums.at))
    weight = 2.0 ** -((sums.at - at) / cells.HALF_SECONDS)
    sums.merge(took.n * weight, took.total * weight, took.squares * weight)


def _learn_refusals(known: Known, news: TenantNews, *, age: float) -> None:
    """Breakers that opened or closed elsewhere, and keys that were limited there."""
    now = known.clock()
    for provider, model, opened in news.opened:
        breaker = known.breakers.setdefault((provider, model), Breaker())
        if opened.wait_s > age:
            breaker.opened_elsewhere(now, wait=opened.wait_s - age, pause=opened.pause_s)
        elif opened.wait_s == 0:
            breaker.close()
    for provider, model, rested in news.rested:
        until = now + rested.wait_s - age
        place = (rested.key, provider, model)
        rest = known.rests.get(place)
        if until > now and (rest is None or rest.until < until) and math.isfinite(until):
            known.rests[place] = Rest(until, "breaker_open", None, rested.count)
