"""Which providers fail for several tenants at once: they are asked last, and never shut out.

One tenant alone cannot put a provider last for the others, whatever it sends there.
"""

from uuid import UUID

import msgspec

from routing.health.breakers import Breaker
from routing.providers.catalog_index import Offer

Place = tuple[str, str]  # provider, model
LEAST_TENANTS = 2


class Shared(msgspec.Struct, eq=False):
    """A breaker that all tenants feed, and who saw failures since the last answer."""

    breaker: Breaker = msgspec.field(default_factory=Breaker)
    tenants: set[UUID] = msgspec.field(default_factory=set)


class Commons:
    """The level above tenants, in one mode."""

    def __init__(self) -> None:
        self.shared: dict[Place, Shared] = {}

    def is_suspect(self, place: Place, now: float) -> bool:
        if not self.shared:
            return False
        found = self.shared.get(place)
        if found is None or len(found.tenants) < LEAST_TENANTS:
            return False
        return found.breaker.wait(now) > 0

    def failed(self, place: Place, tenant: UUID, offer: Offer, now: float, *, began: float) -> None:
        if offer.model is None or offer.provider.has_own_url:
            return  # only what is the same for everybody
        found = self.shared.setdefault(place, Shared())
        found.tenants.add(tenant)
        found.breaker.failed(now, began=began)

    def answered(self, place: Place, now: float, *, began: float) -> None:
        found = self.shared.get(place)
        if found is None:
            return
        found.breaker.answered(now, began=began)
        if not found.breaker.until:
            found.tenants.clear()
        if found.breaker.is_idle:
            del self.shared[place]
