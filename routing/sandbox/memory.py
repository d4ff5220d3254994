"""What the sandbox remembers while it runs: prompt prefixes it has seen, and rates used up."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_PREFIXES = 20_000
MOST_METERS = 5_000
SHORTEST_PREFIX = 1024  # tokens; below, no provider caches
CACHE_STEP = 128
WINDOW_SECONDS = 60.0


class Part(NamedTuple):
    """A piece of a prompt in its order: what it weighs, what it is, whether to cache up to it."""

    tokens: int
    digest: bytes
    mark: str = ""  # how long to keep: "5m", "1h"


class Cached(NamedTuple):
    """Tokens of a prompt that were read from the cache, and that were written to it."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    @property
    def written(self) -> int:
        return self.written_5m + self.written_1h


@dataclass(slots=True)
class Meter:
    """What one credential has used of its rate in the present minute."""

    ends_at: float
    requests: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Memory:
    """Bounded: what was used longest ago is forgotten first."""

    _prefixes: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    _meters: OrderedDict[bytes, Meter] = field(default_factory=OrderedDict)

    def meter(self, owner: bytes, now: float) -> Meter:
        """The meter of a credential, a fresh one for each minute."""
        found = self._meters.pop(owner, None)
        if found is None or found.ends_at <= now:
            found = Meter(now + WINDOW_SECONDS)
        self._meters[owner] = found
        if len(self._meters) > MOST_METERS:
            self._meters.popitem(last=False)
        return found

    def cached(self, owner: bytes, parts: Sequence[Part]) -> Cached:
        """Cached without being asked: the longest beginning seen before, in steps of 128."""
        read = tokens = 0
        for digest, tokens in _beginnings(owner, parts):
            if tokens >= SHORTEST_PREFIX:
                read = max(read, self._prefixes.get(digest, 0))
                self._remember(digest, tokens)
        whole = tokens if tokens >= SHORTEST_PREFIX else 0
        step = read - read % CACHE_STEP
        return Cached(step, whole - whole % CACHE_STEP - step)

    def marked(self, owner: bytes, parts: Sequence[Part]) -> Cached:
        """Cached where the caller marked it: read up to a mark seen before, written from there."""
        read = end = 0
        mark = ""
        for part, (digest, tokens) in zip(parts, _beginnings(owner, parts), strict=True):
            if part.mark and tokens >= SHORTEST_PREFIX:
                read = max(read, self._prefixes.get(digest, 0))
                self._remember(digest, tokens)
                end, mark = tokens, part.mark
        written = end - read
        return Cached(read, 0, written) if mark == "1h" else Cached(read, written)

    def _remember(self, digest: bytes, tokens: int) -> None:
        self._prefixes[digest] = tokens
        self._prefixes.move_to_end(digest)
        if len(self._prefixes) > MOST_PREFIXES:
            self._prefixes.popitem(last=False)


def _beginnings(owner: bytes, parts: Sequence[Part]) -> Iterator[tuple[bytes, int]]:
    """Digest and tokens of the prompt up to and with each part."""
    running, total = hashlib.blake2b(owner, digest_size=16), 0
    for part in parts:
        running.update(part.digest)
        total += part.tokens
        yield running.digest(), total
