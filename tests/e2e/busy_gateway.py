"""`python -m tests.e2e.busy_gateway PORT`: a gateway process that books calls at a rate.

It belongs to the installation that the environment names, as each further gateway process does.
`GET /busy?tenant=…&rate=1000&seconds=5` writes that many calls to the ledger, as calls that were
answered do; all after that (journal, shipper, feed, sockets) is the product's own. It answers what
this process did meanwhile: seconds of its processor, how late the loop was at most, and the newest
call.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
import uvicorn

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
BEAT_SECONDS = 0.01


def main() -> None:
    from gateway_project.asgi import application
    from gateway_project.limits import GuardedProtocol

    async def with_busy(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/busy":
            await _answer(send, await _keep_busy(parse_qs(scope["query_string"].decode())))
        else:
            await application(scope, receive, send)

    uvicorn.run(
        with_busy,
        port=int(sys.argv[1]),
        loop="uvloop",
        http=GuardedProtocol,
        ws="websockets-sansio",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


async def _keep_busy(asked: dict[str, list[str]]) -> dict[str, Any]:
    """Book calls evenly; all of them, however late the loop is."""
    tenant, mode = UUID(asked["tenant"][0]), asked.get("mode", ["test"])[0]
    rate, seconds = int(asked["rate"][0]), float(asked["seconds"][0])
    began, used = time.monotonic(), time.process_time()
    written, latest, newest = 0, 0.0, ""
    for beat in range(1, round(seconds / BEAT_SECONDS) + 1):
        due = began + beat * BEAT_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        latest = max(latest, time.monotonic() - due)
        wanted = round(beat * BEAT_SECONDS * rate)
        newest = max(newest, *_book(tenant, mode, wanted - written))
        written = wanted
    return {
        "calls": written,
        "seconds": time.monotonic() - began,
        "processor_seconds": time.process_time() - used,
        "latest_ms": latest * 1000,
        "newest": f"call_{newest}",
    }


def _book(tenant: UUID, mode: str, count: int) -> list[str]:
    """The ids of so many calls that have just been answered, and are on the books of here."""
    from routing import runtime
    from tests.factories.billing import call_id, story

    now = time.time_ns() // 1_000_000
    model = story(tenant, opened_at=now, mode=mode)
    ledger = runtime.current().ledger
    calls = [call_id(now) for _ in range(count)]
    for call in calls:
        ledger.write(*(msgspec.structs.replace(fact, call=call) for fact in model))
    return calls


async def _answer(send: Send, content: dict[str, Any]) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


if __name__ == "__main__":
    main()
