"""Which door a connection takes: `/v1` the lean one, pages Django's middleware, probes none."""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django
from django.core.asgi import get_asgi_application

from gateway_project import env

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
os.environ["FLO2_STATEMENT_TIMEOUT_MS"] = env.text("FLO2_STATEMENT_TIMEOUT_MS", "5000")
django.setup(set_prefix=False)

from accounts import addresses  # noqa: E402  after Django is set up
from billing import feed, first_calls, shipper  # noqa: E402  after Django is set up
from dashboard.websockets import application as websockets  # noqa: E402
from gateway_project import limits, metrics, probes  # noqa: E402
from gateway_project.door import LeanDoor  # noqa: E402
from routing import collecting, runtime  # noqa: E402

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

COLLECTING_SECONDS = 5.0  # for training data that is on its way to the database

_door = LeanDoor()
_pages = get_asgi_application()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        path = scope["path"]
        if _door.takes(path):
            await _door(scope, receive)
        elif path in probes.PATHS:
            await probes.answer(scope, send)
        else:
            seen = addresses.seen_through(scope)
            await _pages(seen, limits.counted(receive), send)  # type: ignore[arg-type]
    elif scope["type"] == "lifespan":
        await _live(receive, send)
    else:
        await websockets(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """Start what calls need, settle the heap, and stop in order."""
    await receive()
    feed.start(asyncio.get_running_loop())
    told = (first_calls.note, feed.announce, metrics.Process(metrics.folder()).note)
    shipper.listeners.extend(told)
    try:
        await runtime.start()
    except Exception as problem:
        await send({"type": "lifespan.startup.failed", "message": str(problem)})
        raise
    # What lives now lives for long: collecting it again and again was the largest part of the
    # tail at 64 calls in parallel (p99 26 → 6 ms, performance study of 2026-11-20).
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await runtime.stop()
    await asyncio.to_thread(collecting.writer.flush, COLLECTING_SECONDS)
    for listener in told:
        shipper.listeners.remove(listener)
    feed.stop()
    await send({"type": "lifespan.shutdown.complete"})
