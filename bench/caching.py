"""What the response cache costs: the fingerprint of a request, and a hit from memory."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from bench import setting

ROUNDS, CALLS = 9, 500
TENANT, HIT = "cached", "chat, from the cache"
HEADER = (b"x-flo2-cache", b"on")
MOST_FINGERPRINT_US, MOST_HIT_US = 30.0, 1500.0


def provision() -> str:
    """A tenant that has switched caching on; the text of its key."""
    from accounts import audit
    from accounts.models import Tenant
    from accounts.tenancy import tenant_scope
    from routing.cache import choice

    key = setting.provision(TENANT)
    tenant = Tenant.objects.get(name=TENANT)
    with tenant_scope(tenant.pk):
        choice.switch(tenant, on=True, actor=audit.SYSTEM)
    return key


def in_memory(started: Any) -> Any:
    """The same process, with its kept answers in its own memory."""
    from routing.cache.keeping import Cache
    from routing.cache.stores import Memory

    return replace(started, cache=Cache(Memory()))


def scope(path: str, key: str) -> dict[str, Any]:
    """A request that asks for the cache."""
    found = setting.scope(path, key)
    return {**found, "headers": [*found["headers"], HEADER]}


async def hits(app: setting.App, its: Any, path: str) -> Callable[[], Awaitable[object]]:
    """The same request again and again, by a tenant that has its answer."""
    from routing import runtime

    key = await asyncio.to_thread(provision)
    kept = in_memory(its)

    async def hit() -> object:
        runtime._runtime = kept
        return await setting.call(app, scope(path, key), setting.REQUEST)

    return hit


def report(figures: dict[str, list[float]]) -> None:
    hit, whole = (statistics.median(figures[name]) for name in (HIT, "chat, whole answer"))
    took = _measure(_fingerprint(4096))
    print(f"{'fingerprint, 4 KB':24s} {took:8.1f} of {MOST_FINGERPRINT_US:g} µs allowed")
    print(f"{'a hit, in all':24s} {hit:8.1f} of {MOST_HIT_US:g} µs allowed ({hit - whole:+.1f})")


def _fingerprint(size: int) -> Callable[[], object]:
    """Of a conversation with a tool, about so many bytes of JSON."""
    from routing.cache import fingerprint
    from routing.chat import ChatRequest

    body: dict[str, Any] = {
        "model": "auto", "temperature": 0.2, "max_tokens": 256, "messages": [],
        "tools": [
            {"type": "function", "function": {"name": "look", "parameters": {
                "type": "object", "properties": {"city": {"type": "string"}}}}},
        ],
    }  # fmt: skip
    while len(json.dumps(body)) < size:
        turn = {"role": "user", "content": "Explain why wafer-scale compute is fast. " * 8}
        body["messages"].append(turn)
    chat = ChatRequest(
        dialect="openai", body=body, model="auto", stream=False, wants_usage=False,
        max_tokens=256, needs=frozenset(), input_tokens=1000, size=size,
    )  # fmt: skip
    return lambda: fingerprint.of(
        chat, cache_key=b"k" * 32, mode="live", lineage=UUID(int=1), endpoint="chat", policy=None
    )


def _measure(run: Callable[[], object]) -> float:
    """Microseconds of this thread's own time per run: the median of rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(CALLS):
            run()
        rounds.append((time.thread_time() - began) / CALLS * 1e6)
    return statistics.median(rounds)
