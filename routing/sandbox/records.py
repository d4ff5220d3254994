"""What tests want to know afterwards: kept in memory, and only with `--faults`."""

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from routing.sandbox import credentials
from routing.sandbox.incoming import Incoming

MOST_RECORDS = 20_000


@dataclass(slots=True)
class Tally:
    """What one exchange has produced so far: what a provider would bill."""

    id: str
    slug: str
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    finished: bool = False


@dataclass(slots=True)
class Switch:
    """A fault that is switched on for a provider, so many times (None: until it is taken off)."""

    fault: str
    times: int | None = None


def _ring() -> Any:
    return deque(maxlen=MOST_RECORDS)


@dataclass(slots=True)
class Records:
    """Requests, open and aborted exchanges, bills, and the faults that are switched on."""

    is_on: bool = False
    requests: deque[dict[str, Any]] = field(default_factory=_ring)
    aborted: deque[dict[str, Any]] = field(default_factory=_ring)
    bills: deque[Tally] = field(default_factory=_ring)
    open: set[str] = field(default_factory=set)
    switches: dict[str, Switch] = field(default_factory=dict)

    def began(self, incoming: Incoming, slug: str) -> None:
        """An exchange is open. Credentials are kept by their last four characters."""
        if not self.is_on:
            return
        headers = incoming.headers
        self.open.add(incoming.id)
        self.requests.append(
            {
                "id": incoming.id,
                "slug": slug,
                "method": incoming.method,
                "path": incoming.path,
                "query": incoming.query_string,
                "headers": {k: credentials.masked(k, v) for k, v in headers.items()},
                "credential_headers": {name: name in headers for name in credentials.HEADERS},
                "body": incoming.json,
            }
        )

    def ended(self, exchange_id: str) -> None:
        self.open.discard(exchange_id)

    def left(self, exchange_id: str, slug: str, closed_after_ms: float) -> None:
        """The client left before its answer was complete."""
        if self.is_on:
            self.aborted.append(
                {"id": exchange_id, "slug": slug, "closed_after_ms": round(closed_after_ms, 1)}
            )

    def bill(self, tally: Tally) -> None:
        """The first token is made: from now on this exchange costs something."""
        if self.is_on:
            self.bills.append(tally)

    def fault_of(self, slug: str) -> str:
        """The fault that is switched on for a provider, one time less from now on."""
        switch = self.switches.get(slug)
        if switch is None:
            return ""
        if switch.times is not None:
            switch.times -= 1
            if switch.times <= 0:
                del self.switches[slug]
        return switch.fault

    def billed(self) -> list[dict[str, Any]]:
        return [asdict(tally) for tally in self.bills]

    def forget(self) -> None:
        """Drop all records; faults stay switched on."""
        self.requests.clear()
        self.aborted.clear()
        self.bills.clear()
