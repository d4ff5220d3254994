"""Attempts as a state sees them end, on a clock that only tests move."""

from random import Random
from typing import Any
from uuid import UUID

import msgspec

from accounts.keyring import RingKey
from routing.health.known import Known, Seen
from routing.health.state import State
from routing.plan.candidates import Candidate
from routing.providers.catalog_index import Offer
from routing.providers.loader import load_all
from routing.providers.spec import ModelOffer
from routing.upstream.failures import Failure, FailureKind
from tests.routing.plan.builders import NOW, chat

PROVIDERS = load_all()
TENANT, OTHER = UUID(int=7), UUID(int=8)
STREAMED = chat(stream=True)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    """A state, the view of one tenant, and what is tried there."""

    def __init__(self, mode: str = "live") -> None:
        self.clock = Clock()
        self.state = State(clock=self.clock, rng=Random(1))
        self.mode = mode
        self.known: Known = self.state.of(mode, TENANT)

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def see(self, candidate: Candidate, outcome: str = "answered", **fields: Any) -> None:
        """An attempt ends now; `took` and `first` are seconds from its beginning."""
        self.see_at(self.known, candidate, outcome, **fields)

    def see_at(
        self,
        known: Known,
        candidate: Candidate,
        outcome: str = "answered",
        *,
        took: float = 0.5,
        first: float | None = None,
        **fields: Any,
    ) -> None:
        began = self.clock.now - took
        values: dict[str, Any] = {"chat": STREAMED, "failure": None, "usage": None, **fields}
        if values["failure"] is None and outcome in set(FailureKind):
            values["failure"] = Failure(FailureKind(outcome))
        known.observe(
            Seen(
                offer=candidate.offer,
                key=candidate.key,
                outcome=outcome,
                began=began,
                first_token=None if first is None else began + first,
                ended=self.clock.now,
                **values,
            )
        )

    def is_open(self, candidate: Candidate) -> bool:
        return self.pause(candidate) > 0

    def pause(self, candidate: Candidate) -> float:
        return self.known.pause(candidate.offer, candidate.key).seconds


def candidate(
    slug: str = "groq", model: str = "m", *, key: int | None = 1, **fields: Any
) -> Candidate:
    offered = ModelOffer(id=model, **fields)
    return Candidate(
        Offer(PROVIDERS[slug], model, offered), ring_key(key) if key else None, None, None
    )


def ring_key(number: int, *, status: str = "valid", sealed: bytes = b"sealed") -> RingKey:
    return RingKey(
        key_id=UUID(int=number), provider="groq", last4="abcd", weight=1, enabled=True,
        status=status, checked_at=NOW, base_url="", sealed=sealed,
    )  # fmt: skip


def everything(known: Known) -> bytes:
    """All that a tenant's view holds or would be ranked by, as bytes."""
    speeds = known.speeds
    twin = speeds.twin
    assert twin is not None
    return msgspec.json.encode(
        [
            {
                "cells": _cells(one),
                "paces": {str(place): sums for place, sums in one.paces.items()},
                "outcomes": {str(place): found for place, found in one.outcomes.items()},
                "decisions": one.decisions,
            }
            for one in (speeds, twin)
        ]
        + [
            {str(place): breaker for place, breaker in known.breakers.items()},
            {str(place): str(rest) for place, rest in known.rests.items()},
            {str(place): room for place, room in known.headroom.items()},
            known.budgets,
            {str(place): length for place, length in known.lengths.known.items()},
        ],
        enc_hook=list,
    )


def _cells(speeds: Any) -> dict[str, Any]:
    return {
        str(place): [cell.sums, list(cell.histogram.bins)] for place, cell in speeds.cells.items()
    }
