"""What this process learned since it last told the others: sums that are added, and openings."""

import math
from typing import Any
from uuid import UUID

import msgspec

from routing.health import cells
from routing.health.breakers import LONGEST_RATE_LIMIT, Rest
from routing.providers.catalog_index import Offer

Name = tuple[str, UUID]  # mode, tenant
Place = tuple[str, str]
MOST_ROWS = 2_000  # of a kind between two deliveries; more are not told


class Took(msgspec.Struct, array_like=True):
    """Logarithms of times to the first token, or of tokens per second; times also in bins."""

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    bins: dict[int, int] = {}


class Ended(msgspec.Struct, array_like=True, gc=False):
    bad: float = 0.0
    good: float = 0.0
    lost_s: float = 0.0  # summed over the bad ones


class Opened(msgspec.Struct, array_like=True, gc=False):
    """A breaker that opened for so many seconds, or closed (0)."""

    wait_s: float
    pause_s: float


class Rested(msgspec.Struct, array_like=True, gc=False):
    """A provider key that rests for so many seconds for a model."""

    key: UUID | None
    wait_s: float
    count: int


class Tenant(msgspec.Struct):
    """News of one tenant in one mode. Places are `provider`, `model`; figures by slot first."""

    mode: str
    tenant: UUID
    decisions: dict[int, float] = {}
    took: list[tuple[int, str, str, Took]] = []
    paces: list[tuple[str, str, Took]] = []
    ended: list[tuple[str, str, Ended]] = []
    opened: list[tuple[str, str, Opened]] = []
    rested: list[tuple[str, str, Rested]] = []


class News(msgspec.Struct):
    """A delivery: who sends it, when (seconds since 1970), and what it learned."""

    sender: str
    at: float
    tenants: list[Tenant]


class Outbox:
    """Gathers what is to be told; keeps nothing while nobody listens."""

    def __init__(self) -> None:
        self.is_on = False
        self._clear()

    def _clear(self) -> None:
        self._decisions: dict[Name, dict[int, float]] = {}
        self._took: dict[tuple[Name, int, str, str], Took] = {}
        self._paces: dict[tuple[Name, str, str], Took] = {}
        self._ended: dict[tuple[Name, str, str], Ended] = {}
        self._opened: dict[tuple[Name, str, str], Opened] = {}
        self._rested: dict[tuple[Name, str, str, UUID | None], Rested] = {}

    def decided(self, name: Name, slot: int) -> None:
        if self.is_on:
            counts = self._decisions.setdefault(name, {})
            counts[slot] = counts.get(slot, 0.0) + 1

    def took(self, name: Name, offer: Offer, slot: int, x: float) -> None:
        if self.is_on:
            row = _add(self._took, (name, slot, offer.provider.slug, offer.model_id), x)
            place = cells.bin_of(math.exp(x))
            row.bins[place] = row.bins.get(place, 0) + 1

    def wrote(self, name: Name, offer: Offer, tokens_per_s: float) -> None:
        if self.is_on:
            _add(self._paces, (name, offer.provider.slug, offer.model_id), math.log(tokens_per_s))

    def ended(self, name: Name, offer: Offer, *, lost_s: float | None) -> None:
        place = (name, offer.provider.slug, offer.model_id)
        if not self.is_on or (len(self._ended) >= MOST_ROWS and place not in self._ended):
            return
        row = self._ended.setdefault(place, Ended())
        if lost_s is None:
            row.good += 1
        else:
            row.bad += 1
            row.lost_s += lost_s

    def opened(self, name: Name, place: Place, wait_s: float, pause_s: float) -> None:
        if self.is_on and len(self._opened) < MOST_ROWS:
            self._opened[name, *place] = Opened(wait_s, pause_s)

    def closed(self, name: Name, place: Place) -> None:
        self.opened(name, place, 0.0, 0.0)

    def rested(
        self, name: Name, place: tuple[UUID | None, str, str], rest: Rest, now: float
    ) -> None:
        """Rate limits. What else a key was refused for, its mark in the database tells."""
        wait = rest.until - now
        if self.is_on and wait <= LONGEST_RATE_LIMIT and len(self._rested) < MOST_ROWS:
            key, provider, model = place
            self._rested[name, provider, model, key] = Rested(key, wait, rest.count)

    def take(self, sender: str, *, at: float) -> News | None:
        """What has gathered, by tenant; None if there is nothing."""
        found: dict[Name, Tenant] = {}

        def of(name: Name) -> Tenant:
            return found.setdefault(name, Tenant(*name))

        for name, counts in self._decisions.items():
            of(name).decisions = counts
        for (name, slot, provider, model), took in self._took.items():
            of(name).took.append((slot, provider, model, took))
        for (name, provider, model), pace in self._paces.items():
            of(name).paces.append((provider, model, pace))
        for (name, provider, model), ended in self._ended.items():
            of(name).ended.append((provider, model, ended))
        for (name, provider, model), opened in self._opened.items():
            of(name).opened.append((provider, model, opened))
        for (name, provider, model, _), rested in self._rested.items():
            of(name).rested.append((provider, model, rested))
        self._clear()
        return News(sender, at, list(found.values())) if found else None


def _add(table: dict[Any, Took], place: Any, x: float) -> Took:
    if len(table) >= MOST_ROWS and place not in table:
        return Took()
    row: Took = table.setdefault(place, Took())
    row.n += 1
    row.total += x
    row.squares += x * x
    return row
