"""`/metrics`: what the installation does, for Prometheus. No tenant and no key is a label.

Counted beside the call path, batch by batch, from what the shipper has just booked. Each gateway
process keeps its sums in a file of its own, so that any of them answers for all; a file stays when
its process dies, until the next start of `up`: a counter never falls.
"""

import bisect
import hmac
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from django.conf import settings
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from billing.deltas import Booked

log = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "metrics"
LOOPBACK = frozenset({"127.0.0.1", "::1"})

Labels = tuple[str, ...]
COUNTERS: dict[str, tuple[str, Labels]] = {
    "flo2_calls": ("Settled calls.", ("mode", "purpose", "endpoint", "status", "cache")),
    "flo2_attempts": (
        "Attempts at providers, losers of races included.",
        ("mode", "provider", "role", "outcome"),
    ),
    "flo2_tokens": ("Tokens of attempts.", ("mode", "provider", "direction")),
    "flo2_cost_usd": ("List price of attempts, rounded; books are exact.", ("mode", "provider")),
}
HISTOGRAMS: dict[str, tuple[str, Labels, tuple[float, ...]]] = {
    "flo2_call_seconds": (
        "From a request to the end of its answer.",
        ("mode", "stream"),
        (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900),
    ),
    "flo2_first_token_seconds": (
        "From asking a provider to its first content.",
        ("mode", "provider"),
        (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 60),
    ),
    "flo2_overhead_seconds": (
        "What the gateway itself took of a call.",
        ("mode",),
        (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1),
    ),
}


class Sums(msgspec.Struct):
    """Of one process. A histogram holds a count per bucket, the last without limit, and a sum."""

    counters: dict[str, dict[Labels, float]] = msgspec.field(
        default_factory=lambda: {name: {} for name in COUNTERS}
    )
    histograms: dict[str, dict[Labels, list[float]]] = msgspec.field(
        default_factory=lambda: {name: {} for name in HISTOGRAMS}
    )

    def add(self, name: str, labels: Labels, amount: float = 1) -> None:
        of = self.counters[name]
        of[labels] = of.get(labels, 0) + amount

    def observe(self, name: str, labels: Labels, value: float) -> None:
        bounds = HISTOGRAMS[name][2]
        row = self.histograms[name].setdefault(labels, [0.0] * (len(bounds) + 2))
        row[bisect.bisect_left(bounds, value)] += 1
        row[-1] += value

    def merge(self, other: "Sums") -> None:
        for name, counts in other.counters.items():
            for labels, amount in counts.items():
                self.add(name, labels, amount)
        for name, rows in other.histograms.items():
            for labels, row in rows.items():
                mine = self.histograms[name].setdefault(labels, [0.0] * len(row))
                mine[:] = map(sum, zip(mine, row, strict=True))


class Process:
    """The sums of this process, and the file that tells the others."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / f"{os.getpid()}.sums"
        self.sums = Sums()
        self._failing = False

    def note(self, booked: list[Booked]) -> None:
        """A listener of the shipper."""
        for one in booked:
            if one.sign > 0:
                _count(self.sums, one)
        try:
            draft = self._path.with_suffix(".draft")
            draft.write_bytes(msgspec.msgpack.encode(self.sums))
            draft.replace(self._path)
            self._failing = False
        except OSError:
            if not self._failing:
                log.warning("metrics: the sums cannot be written", exc_info=True)
            self._failing = True


def _count(sums: Sums, one: Booked) -> None:
    mode = one.opened.mode
    for attempt in one.attempts:
        provider = attempt.provider
        sums.add("flo2_attempts", (mode, provider, attempt.role, attempt.outcome))
        if count := attempt.usage.input_tokens:
            sums.add("flo2_tokens", (mode, provider, "input"), count)
        if count := attempt.usage.output_tokens:
            sums.add("flo2_tokens", (mode, provider, "output"), count)
        if attempt.cost:
            sums.add("flo2_cost_usd", (mode, provider), float(attempt.cost))
        if attempt.first_token_ms is not None:
            seconds = (attempt.first_token_ms - attempt.started_ms) / 1000
            sums.observe("flo2_first_token_seconds", (mode, provider), max(0.0, seconds))
    settled, opened = one.settled, one.opened
    if settled:
        kind = (mode, opened.purpose, opened.endpoint, settled.status, settled.cache)
        sums.add("flo2_calls", kind)
        if settled.status in {"succeeded", "failed"}:
            stream = "yes" if opened.stream else "no"
            sums.observe("flo2_call_seconds", (mode, stream), settled.latency_ms / 1000)
            sums.observe("flo2_overhead_seconds", (mode,), settled.overhead_us / 1e6)


def folder() -> Path:
    return Path(settings.FLO2_DATA_DIR) / FOLDER


def forget(where: Path) -> None:
    """Begin anew: nobody of an earlier start is counted any more."""
    for path in where.glob("*.sums"):
        path.unlink(missing_ok=True)


def render(where: Path) -> bytes:
    """The sums of all processes, in Prometheus' text format."""
    total = Sums()
    for path in sorted(where.glob("*.sums")):
        try:
            total.merge(msgspec.msgpack.decode(path.read_bytes(), type=Sums))
        except (OSError, msgspec.DecodeError, KeyError, ValueError):
            log.warning("metrics: a file cannot be read", extra={"file": path.name})
    registry = CollectorRegistry()
    registry.register(_Collected(total))
    return generate_latest(registry)


class _Collected:
    def __init__(self, sums: Sums) -> None:
        self._sums = sums

    def collect(self) -> Iterator[Metric]:
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for values, amount in sorted(self._sums.counters[name].items()):
                counter.add_metric(values, amount)
            yield counter
        for name, (text, labels, bounds) in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, text, labels=labels)
            for values, row in sorted(self._sums.histograms[name].items()):
                histogram.add_metric(values, _buckets(bounds, row), row[-1])
            yield histogram


def _buckets(bounds: tuple[float, ...], row: list[float]) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus wants them."""
    total, found = 0.0, []
    for bound, count in zip((*(str(float(one)) for one in bounds), "+Inf"), row, strict=False):
        total += count
        found.append((bound, total))
    return found


def may_read(peer: str, headers: Mapping[bytes, bytes]) -> bool:
    """With FLO2_METRICS_TOKEN whoever sends it; without, this machine itself and no proxy of it."""
    token = settings.FLO2_METRICS_TOKEN
    if token:
        given = headers.get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + token.encode())
    return peer in LOOPBACK and b"x-forwarded-for" not in headers and b"forwarded" not in headers
