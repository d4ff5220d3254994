"""`/healthz` says that the process turns, `/readyz` whether it takes new calls; `/metrics` counts.

No Host check: whoever asks may know the machine by its address alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from django.conf import settings

from accounts import changes, vault
from billing.errors import LedgerUnavailable
from gateway_project import metrics
from routing import runtime

METRICS = "/metrics"
PATHS = frozenset({"/healthz", "/readyz", METRICS})
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_state = {"draining": False}


def drain() -> None:
    """From now on this process is not ready: it is about to stop."""
    _state["draining"] = True


async def answer(scope: MutableMapping[str, Any], send: Send) -> None:
    if scope["path"] == METRICS:
        await _count(scope, send)
        return
    if scope["path"] == "/healthz":
        status, content = 200, {"status": "ok"}
    else:
        problems = not_ready()
        status = 503 if problems else 200
        content = {"status": "not ready" if problems else "ready", **problems}
    await _send(scope, send, status, msgspec.json.encode(content), b"application/json")


async def _count(scope: MutableMapping[str, Any], send: Send) -> None:
    peer, _ = scope.get("client") or ("", 0)
    if not metrics.may_read(peer, dict(scope["headers"])):
        text = b"Send Authorization: Bearer and the value of FLO2_METRICS_TOKEN.\n"
        await _send(scope, send, 403, text, b"text/plain")
        return
    body = await asyncio.to_thread(metrics.render, metrics.folder())
    await _send(scope, send, 200, body, metrics.CONTENT_TYPE.encode())


async def _send(
    scope: MutableMapping[str, Any], send: Send, status: int, body: bytes, kind: bytes
) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent})


def not_ready() -> dict[str, str]:
    """Why new calls would be refused, by part; empty when they would not."""
    problems = {}
    if _state["draining"]:
        problems["process"] = "draining"
    if not runtime.is_running():
        return {**problems, "process": "starting"}
    if changes.feed.age > changes.CUT_OFF_SECONDS:
        problems["database"] = f"not reached for {changes.feed.age:.0f} s"
    try:
        vault.master_keys(settings.FLO2_MASTER_KEYS)
    except vault.MasterKeyProblem as problem:
        problems["master_keys"] = str(problem)
    try:
        runtime.current().ledger.journal.check_room()
    except LedgerUnavailable:
        problems["journal"] = "the disk is full or cannot be written"
    return problems
