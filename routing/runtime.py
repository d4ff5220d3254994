"""What a process needs to make calls: change feed, books, connections. Started with the loop."""

import random
from dataclasses import dataclass
from pathlib import Path

from asgiref.sync import sync_to_async
from django.conf import settings

from accounts import changes
from billing import ledger
from billing.ledger import Ledger
from routing.cache import choice
from routing.cache.keeping import Cache
from routing.health.shared import Sharing
from routing.health.state import State
from routing.providers import catalog_index, prices
from routing.thoughts import Thoughts
from routing.upstream.pool import Pool


@dataclass(frozen=True)
class Runtime:
    ledger: Ledger
    pool: Pool
    rng: random.Random
    thoughts: Thoughts
    health: State
    cache: Cache
    sharing: Sharing | None = None  # of health, with other processes


_runtime: Runtime | None = None


async def start() -> Runtime:
    """Start it in this process and loop."""
    global _runtime
    catalog_index.current()
    await sync_to_async(prices.book, thread_sensitive=False)()
    await sync_to_async(changes.feed.start, thread_sensitive=False)()
    books = ledger.start(Path(settings.FLO2_DATA_DIR) / "journal")
    health = State()
    sharing = Sharing(health, settings.REDIS_URL) if settings.REDIS_URL else None
    if sharing:
        sharing.start()
    chance = random.Random()  # noqa: S311  jitter, no secrets
    cache = Cache(choice.store())
    _runtime = Runtime(books, Pool(), chance, Thoughts(), health, cache, sharing)
    return _runtime


async def stop() -> None:
    """Close connections, ship what is on the books, end the threads."""
    global _runtime
    if _runtime is None:
        return
    _runtime.pool.close()
    if _runtime.sharing:
        await _runtime.sharing.stop()
    await _runtime.cache.close()
    await _runtime.ledger.rates.close()
    await sync_to_async(ledger.stop, thread_sensitive=False)()
    await sync_to_async(changes.feed.stop, thread_sensitive=False)()
    _runtime = None


def current() -> Runtime:
    if _runtime is None:
        raise RuntimeError("runtime.start() was not called in this process")
    return _runtime


def is_running() -> bool:
    return _runtime is not None
